package oci

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/test/registrytest"
)

// A disk that fills while an image is written leaves nothing behind, neither a new layout nor an archive,
// and of a layout that was there what it had.
func TestFault_R8_FullDisk(t *testing.T) {
	t.Parallel()
	reg := registrytest.New(t)
	base := pushBase(t, reg)
	dir, disk := t.TempDir(), t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	files(t, dir, addons())
	c, _ := newClient(t)
	small := assembly(t, c, base, dir)
	large := small
	large.Sources = []Source{{Name: "./addons", Tree: &Tree{Prefix: "x", Files: map[string][]byte{"noise": noiseBytes(t, 2<<20)}}}}
	if _, err := c.Assemble(t.Context(), small, parseTarget(t, "oci:"+filepath.Join(disk, "there")), Tags{Names: []string{"r1"}}); err != nil {
		t.Fatal(err)
	}
	before := readLayout(t, os.DirFS(disk))
	for _, text := range []string{"oci:" + filepath.Join(disk, "new"), "oci:" + filepath.Join(disk, "there"), "oci-archive:" + filepath.Join(disk, "image.tar")} {
		_, err := c.Assemble(t.Context(), large, parseTarget(t, text), Tags{Names: []string{"r2"}})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: the error is %v", text, err)
		}
		after := readLayout(t, os.DirFS(disk))
		for name := range after {
			if _, there := before[name]; !there {
				t.Errorf("%s: left %s", text, name)
			}
		}
		for name := range before {
			if _, there := after[name]; !there {
				t.Errorf("%s: lost %s", text, name)
			}
		}
	}
}

// When all but the list of images can be written, nothing of the image stays.
func TestFault_R8_ListCannotBeWritten(t *testing.T) {
	t.Parallel()
	_, c, _, a := ready(t)
	out := filepath.Join(t.TempDir(), "layout")
	to := parseTarget(t, "oci:"+out)
	if _, err := c.Assemble(t.Context(), a, to, Tags{}); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(out, "index.json")
	if err := errors.Join(os.Remove(list), os.Mkdir(list, 0o755)); err != nil {
		t.Fatal(err)
	}
	before := readLayout(t, os.DirFS(out))
	a.Annotations = map[string]string{AnnotationRevision: "def"}
	if _, err := c.Assemble(t.Context(), a, to, Tags{}); err == nil {
		t.Fatal("there is no error")
	}
	if diff := cmp.Diff(before, readLayout(t, os.DirFS(out))); diff != "" {
		t.Error(diff)
	}
}

func parseTarget(t testing.TB, text string) Target {
	t.Helper()
	to, err := ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestLayoutTags: a layout keeps the images that it has, and a tag of one is not moved.
func TestLayoutTags(t *testing.T) {
	t.Parallel()
	reg := registrytest.New(t)
	base := pushBase(t, reg)
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "layout")
	files(t, dir, addons())
	c, _ := newClient(t)
	a := assembly(t, c, base, dir)
	to := parseTarget(t, "oci:"+out)
	for range 2 {
		if _, err := c.Assemble(t.Context(), a, to, Tags{Names: []string{"r1"}}); err != nil {
			t.Fatal(err)
		}
	}
	a.Annotations = map[string]string{AnnotationRevision: "def"}
	taken := (*TagError)(nil)
	if _, err := c.Assemble(t.Context(), a, to, Tags{Names: []string{"r2", "r1"}}); !errors.As(err, &taken) {
		t.Errorf("the error is %v", err)
	}
	o := &layout{dir: out}
	if has, err := o.holder(t.Context(), "r2"); has != "" || err != nil {
		t.Errorf("r2 is %s, %v, though r1 was taken", has, err)
	}
	if _, err := c.Assemble(t.Context(), a, to, Tags{Names: []string{"r2"}}); err != nil {
		t.Fatal(err)
	}
	index, err := o.index()
	if err != nil || len(index.Manifests) != 2 {
		t.Errorf("%+v, %v", index, err)
	}
	if _, err := c.Assemble(t.Context(), a, parseTarget(t, "oci:"+dir), Tags{}); err == nil {
		t.Error("a directory of something else is written to")
	}
}
