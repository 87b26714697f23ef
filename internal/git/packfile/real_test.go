package packfile_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git/packfile"
	"github.com/nuobit/odyssey/test/gitserver"
)

// text is text of n bytes that compresses as sources do.
func text(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 2))
	words := make([]string, 300)
	for i := range words {
		words[i] = fmt.Sprintf("%x", r.Uint64()>>r.IntN(50))
	}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(" \n"[r.IntN(2)])
	}
	return b.String()[:n]
}

// history makes a repository with files of all kinds and sizes, and returns its
// commits.
func history(t *testing.T) (*gitserver.Repo, []string) {
	t.Helper()
	repo := gitserver.New(t).Repo(t, "r")
	big, grown := text(1, 9<<19), text(2, 60_000)
	commits := []gitserver.Commit{{
		Branch: "main",
		Files: map[string]string{
			"a": "", "b": "b", "dir/run": "#!/bin/sh\n", "dir/link": "run", "dir/deep/er/file": text(3, 3000), "same": "b",
			"big": big, "zeros": strings.Repeat("\x00", 17<<20), "grown": grown, "noise": noise(4, 70_000), "dir/\u00e9 \"x\"": "y",
		},
		Modes: map[string]string{"dir/run": gitserver.Executable, "dir/link": gitserver.Symlink},
	}}
	for i := range uint64(60) {
		at := int(i) * 700
		grown = grown[:at] + text(i, 50) + grown[at+int(i):]
		files := map[string]string{"grown": grown, fmt.Sprintf("dir/d%d/f", i%7): text(i, 400)}
		if i == 30 {
			files["big"] = big[:2<<20] + "changed" + big[2<<20:]
		}
		commits = append(commits, gitserver.Commit{Branch: "main", Files: files})
	}
	ids := repo.Add(t, commits...)
	return repo, ids
}

// noise cannot be compressed.
func noise(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// packed has git make a pack, and returns it and the index that git makes of it; nil if
// git index-pack refuses it.
func packed(t *testing.T, repo *gitserver.Repo, input string, args ...string) (pack, index []byte) {
	t.Helper()
	base := filepath.Join(t.TempDir(), "made")
	sum := repo.GitStdin(t, input, append(append([]string{"pack-objects", "--quiet"}, args...), base)...)
	name := base + "-" + sum + ".pack"
	pack, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	index, err = indexed(t, name)
	if err != nil {
		index = nil
	}
	return pack, index
}

// indexed is the index that git makes of a pack.
func indexed(t testing.TB, pack string) ([]byte, error) {
	t.Helper()
	index := filepath.Join(t.TempDir(), "index")
	cmd := exec.Command("git", "index-pack", "-o", index, pack)
	cmd.Env = append(os.Environ(), "GIT_DIR=/nonexistent", "GIT_CONFIG_GLOBAL=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(index)
}

// What git packs is read as git reads it: names, index, files and contents.
func TestReceive_git(t *testing.T) {
	t.Parallel()
	repo, commits := history(t)
	tip := commits[len(commits)-1]
	all := repo.Git(t, "rev-list", "--objects", "--no-object-names", "--all") + "\n"
	alone := tip + "\n" + repo.Git(t, "rev-list", "--objects", "--no-object-names", tip+"^{tree}") + "\n"
	for _, test := range []struct {
		name, input string
		args        []string
		shallow     bool
		offsets     bool // deltas name their bases by offsets, which come early
	}{
		{"as servers send it", all, []string{"--delta-base-offset"}, false, true},
		{"long chains", all, []string{"--delta-base-offset", "--window=30", "--depth=4000"}, false, true},
		{"bases by their names", all, nil, false, false},
		{"no deltas", all, []string{"--window=0"}, false, true},
		{"not compressed", all, []string{"--delta-base-offset", "--compression=0"}, false, true},
		{"compressed fast", all, []string{"--delta-base-offset", "--compression=1"}, false, true},
		{"compressed best", all, []string{"--delta-base-offset", "--compression=9"}, false, true},
		{"one commit", alone, []string{"--delta-base-offset"}, true, true},
		{"one commit, bases by their names", alone, nil, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pack, index := packed(t, repo, test.input, test.args...)
			if index == nil {
				t.Fatal("git refuses its own pack")
			}
			o := packfile.Options{Root: id(t, tip)}
			if test.shallow {
				o.Shallow = []packfile.ID{o.Root}
			}
			got, err := receive(t, pack, o)
			if err != nil {
				t.Fatal(err)
			}
			sameAsGit(t, repo, got, pack, index, tip)
			if early := len(got.files); test.offsets && early < 15 {
				t.Errorf("%d files were given", early)
			}
		})
	}
}

func sameAsGit(t *testing.T, repo *gitserver.Repo, got *received, pack, index []byte, tip string) {
	t.Helper()
	if stored, err := os.ReadFile(got.stored); err != nil || !bytes.Equal(stored, pack) {
		t.Errorf("another pack is stored: %v", err)
	}
	var written bytes.Buffer
	if err := got.WriteIndex(&written); err != nil || !bytes.Equal(written.Bytes(), index) {
		t.Errorf("another index than git's: %v", err)
	}
	if want := fmt.Sprintf("%x", pack[len(pack)-20:]); got.Name() != want {
		t.Errorf("the name is %s, not %s", got.Name(), want)
	}
	tree, ok := got.TreeOf(id(t, tip))
	if !ok || tree.String() != repo.Git(t, "rev-parse", tip+"^{tree}") {
		t.Fatalf("the tree is %v", tree)
	}
	var listed, given []string
	if !got.Files(tree, func(f packfile.File) bool {
		listed = append(listed, fmt.Sprintf("%06o blob %v\t%s", f.Mode, f.ID, f.Path))
		if early, was := got.files[f.Path]; was && early != f {
			given = append(given, f.Path)
		}
		content(t, got.Pack, f.ID)
		return true
	}) {
		t.Error("not all files are listed")
	}
	if given != nil {
		t.Errorf("given as others than they are: %q", given)
	}
	if diff := cmp.Diff(repo.Git(t, "ls-tree", "-r", "-z", tip), strings.Join(listed, "\x00")+"\x00"); diff != "" {
		t.Error(diff)
	}
}

// content checks a blob's content against its name.
func content(t testing.TB, pack *packfile.Pack, id packfile.ID) {
	t.Helper()
	err := pack.Blob(id, func(size int64, content io.Reader) error {
		data, err := io.ReadAll(content)
		if int64(len(data)) != size || nameOf(packfile.Blob, string(data)) != id {
			return fmt.Errorf("%d bytes of %d are read, of another object: %w", len(data), size, err)
		}
		return err
	})
	if err != nil {
		t.Errorf("%v: %v", id, err)
	}
}

// What a pack lacks, and what is unusual, is left to git.
func TestReceive_odd(t *testing.T) {
	t.Parallel()
	repo, commits := history(t)
	tip := commits[len(commits)-1]
	repo.Git(t, "tag", "-a", "-m", "text", "v1", tip)
	for _, test := range []struct {
		name, input string
		args        []string
		want        string
	}{
		{"a thin pack", tip + "\n^" + commits[len(commits)-2] + "\n", []string{"--revs", "--thin", "--stdout"}, "which did not come before it"},
		{"a parent is missing", tip + "\n" + repo.Git(t, "rev-list", "--objects", "--no-object-names", tip+"^{tree}") + "\n", nil, "a parent of commit"},
		{"a file is missing", strings.Join(strings.Fields(repo.Git(t, "rev-list", "--objects", "--no-object-names", tip))[:100], "\n") + "\n", nil, "is not in it"},
		{"a tag", repo.Git(t, "rev-parse", "v1") + "\n", nil, "an object of kind 4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var pack []byte
			if args := test.args; args != nil {
				cmd := exec.Command("git", append([]string{"-C", repo.Dir, "pack-objects", "--quiet"}, args...)...)
				cmd.Stdin = strings.NewReader(test.input)
				var err error
				if pack, err = cmd.Output(); err != nil {
					t.Fatal(err)
				}
			} else {
				pack, _ = packed(t, repo, test.input)
			}
			refused(t, pack, packfile.Options{Root: id(t, tip)}, test.want)
		})
	}
}

// A pack of nothing is one.
func TestReceive_empty(t *testing.T) {
	t.Parallel()
	repo, _ := history(t)
	pack, index := packed(t, repo, "")
	got, err := receive(t, pack, packfile.Options{})
	if err != nil || got.Objects() != 0 {
		t.Fatal(err)
	}
	var written bytes.Buffer
	if err := got.WriteIndex(&written); err != nil || !bytes.Equal(written.Bytes(), index) {
		t.Errorf("another index than git's: %v", err)
	}
}
