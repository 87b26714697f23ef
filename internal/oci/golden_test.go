package oci

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/registrytest"
)

// The golden digests: of the same layer by both compressions, and of an image. When a
// dependency's new release changes one, it is another format: count up Compression.Version, or
// release's format, so that nobody takes old layers for new ones.
const (
	goldenTar  = "sha256:e6097be194094484e9772cb01f47ad38f812c9e948db0a8f62c116dacc1a1d23"
	goldenGzip = "sha256:d04e890f87f616ee14eed0c4f3ece04ce0bec0ea398845ae974d2af1b0374d4a"
	goldenZstd = "sha256:7cac62ae3a99abb245c4d99533e6ebb95b875b18885aff781b9603835219ce52"
	goldenFull = "sha256:5b166cfd2212829a0483248c059f5302b37b0772ca6391a24c3871bb0daf32a2"
)

var helper = flag.String("layer-of", "", "print the digests of the layers of a directory, and end: for TestGolden itself")

// goldenTree is a directory with something of everything.
func goldenTree(dir string) *Tree {
	return &Tree{Prefix: "opt/odoo/src/x", Dirs: 3, Dir: dir}
}

// goldenFiles has enough text for several blocks of a compressor.
func goldenFiles() map[string]string {
	all := addons()
	var text strings.Builder
	for i := range 120_000 {
		fmt.Fprintf(&text, "line %d of %x\n", i, i*i*7919)
	}
	all["text.csv"] = text.String()
	return all
}

func layerDigests(t testing.TB, tree *Tree) []string {
	t.Helper()
	id, err := tree.diffID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := []string{id}
	for _, c := range []Compression{Gzip, Zstd} {
		var again string
		got, err := discard{}.write(t.Context(), "", tree.compressed(c, &again))
		if err != nil {
			t.Fatal(err)
		}
		if again != id {
			t.Errorf("%s: the diff id is %s, and was %s", c, again, id)
		}
		all = append(all, got.digest)
	}
	return all
}

// TestGolden: the same files give the same layers, whatever directory, user, umask, time zone,
// locale and number of processors.
func TestGolden(t *testing.T) {
	t.Parallel()
	if *helper != "" {
		fmt.Println(strings.Join(layerDigests(t, goldenTree(*helper)), " "))
		return
	}
	want := strings.Join([]string{goldenTar, goldenGzip, goldenZstd}, " ")
	for i, env := range [][]string{
		{"GOMAXPROCS=1", "TZ=UTC", "LC_ALL=C"},
		{"GOMAXPROCS=2", "TZ=Asia/Kolkata", "LC_ALL=tr_TR.UTF-8"},
		{"GOMAXPROCS=8", "TZ=America/St_Johns", "LC_ALL=es_ES.ISO-8859-1"},
	} {
		dir := filepath.Join(t.TempDir(), strings.Repeat("d", 1+20*i))
		files(t, dir, goldenFiles())
		if i == 1 {
			loosen(t, dir)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGolden$", "-layer-of", dir)
		cmd.Env = env
		if i == 2 && os.Geteuid() == 0 {
			give(t, dir, cmd)
		}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", env, err, out)
		}
		if got, _, _ := strings.Cut(string(out), "\n"); got != want {
			t.Errorf("%v: the layers are\n%s\nand not\n%s", env, got, want)
		}
	}
}

// loosen gives files the modes and times of another umask and another day.
func loosen(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.Type()&os.ModeSymlink != 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o022); err != nil {
			return err
		}
		return os.Chtimes(path, time.Time{}, time.Unix(1_000_000_000, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// give makes a directory another user's, who is to run a command. Where the test
// lies it must be able to go.
func give(t testing.TB, dir string, cmd *exec.Cmd) {
	t.Helper()
	const nobody = 65534
	for parent := dir; parent != "/"; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(parent, os.TempDir()+"/") {
			if err := os.Chmod(parent, info.Mode().Perm()|0o055); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	data, err := os.ReadFile(cmd.Path)
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	for parent := filepath.Dir(program); err == nil && strings.HasPrefix(parent, os.TempDir()+"/"); parent = filepath.Dir(parent) {
		err = os.Chmod(parent, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Dir = program, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// TestGoldenImage: the same inputs give the same image, by one job or several, from a registry of
// any name.
func TestGoldenImage(t *testing.T) {
	t.Parallel()
	for jobs := range 3 {
		reg := registrytest.New(t)
		base := pushBase(t, reg)
		dir := t.TempDir()
		files(t, dir, goldenFiles())
		c, _ := newClient(t)
		a := assembly(t, c, base, dir)
		a.Jobs = jobs + 1
		result, err := c.Assemble(t.Context(), a, target(t, reg.Host+"/acme/odoo"+strconv.Itoa(jobs)), Tags{})
		if err != nil {
			t.Fatal(err)
		}
		if result.Digest != goldenFull {
			t.Errorf("the image is %s, and not %s", result.Digest, goldenFull)
		}
	}
}
