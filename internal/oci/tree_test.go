package oci

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTree: of the file system only names, contents, links and the owner's execute bit
// count.
func TestTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files(t, dir, map[string]string{"b/program*": "x", "b/file": "content", "a": "", "link": "-> b/file", "b.txt": "sorts after b/ in git, and before it here"})
	if err := os.Chmod(filepath.Join(dir, "b", "file"), 0o677); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "b"), 0o700|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Name, Link string
		Mode       int64
		Type       byte
	}
	var got []entry
	for _, h := range untarred(t, writeTree(t, &Tree{Prefix: "opt/x", Dirs: 1, Dir: dir})) {
		got = append(got, entry{h.Name, h.Linkname, h.Mode, h.Typeflag})
	}
	want := []entry{
		{"opt/x/", "", 0o755, tar.TypeDir},
		{"opt/x/a", "", 0o644, tar.TypeReg},
		{"opt/x/b/", "", 0o755, tar.TypeDir},
		{"opt/x/b/file", "", 0o644, tar.TypeReg},
		{"opt/x/b/program", "", 0o755, tar.TypeReg},
		{"opt/x/b.txt", "", 0o644, tar.TypeReg},
		{"opt/x/link", "b/file", 0o777, tar.TypeSymlink},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTreeTimes: a file's time changes when its content does, as Odoo's asset bundles are known by
// it, and not otherwise. The same size and name are not enough.
func TestTreeTimes(t *testing.T) {
	t.Parallel()
	times := func(small, large string) (int64, int64) {
		dir := t.TempDir()
		files(t, dir, map[string]string{"a.js": small, "large.js": large})
		all := untarred(t, writeTree(t, &Tree{Prefix: "x", Dirs: 1, Dir: dir}))
		return all[1].ModTime.Unix(), all[2].ModTime.Unix()
	}
	large := strings.Repeat("x", smallFile)
	small1, large1 := times("one", large+"1")
	small2, large2 := times("two", large+"2")
	small3, large3 := times("one", large+"1")
	if small1 == small2 || large1 == large2 {
		t.Errorf("times of other contents are the same: %d, %d", small1, large1)
	}
	if small1 != small3 || large1 != large3 {
		t.Error("times of the same content differ")
	}
	for _, at := range []int64{small1, large1, small2, large2} {
		if at < epoch || at >= epoch+1<<29 {
			t.Errorf("time %d is out of bounds", at)
		}
	}
}

// TestTreeSkips: what Check and Content leave out is not there.
func TestTreeSkips(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files(t, dir, map[string]string{"a/x": "", "b/y": "drop", "c/z": "drop" + strings.Repeat("x", smallFile), "d": "keep"})
	tree := &Tree{
		Prefix: "p", Dir: dir,
		Check:   func(name string, _ fs.DirEntry) (bool, error) { return name == "a", nil },
		Content: func(_ string, head []byte) (bool, error) { return bytes.HasPrefix(head, []byte("drop")), nil },
	}
	var got []string
	for _, h := range untarred(t, writeTree(t, tree)) {
		got = append(got, h.Name)
	}
	if diff := cmp.Diff([]string{"p/b/", "p/c/", "p/d"}, got); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("stop")
	tree.Content = func(string, []byte) (bool, error) { return false, stop }
	if err := tree.write(t.Context(), new(bytes.Buffer)); !errors.Is(err, stop) {
		t.Errorf("the error is %v", err)
	}
}

// TestTreeRefuses what is neither file nor directory nor link, instead of waiting for it.
func TestTreeRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := (&Tree{Prefix: "p", Dir: dir}).write(t.Context(), new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("the error is %v", err)
	}
}

// TestTreeWhiteouts: a repository cannot take files of other layers away.
func TestTreeWhiteouts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{".wh.base", "sale/.wh..wh..opq"} {
		dir := t.TempDir()
		files(t, dir, map[string]string{name: ""})
		err := (&Tree{Prefix: "p", Dir: dir}).write(t.Context(), new(bytes.Buffer))
		input := (*InputError)(nil)
		if !errors.As(err, &input) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// TestTreeChanges: a file that changes between its header and its content is an error, not a broken
// image.
func TestTreeChanges(t *testing.T) {
	t.Parallel()
	const size = smallFile + 50
	other := bytes.Repeat([]byte("y"), size+50)
	for name, change := range map[string]func(path string) error{
		"grows":   func(path string) error { return os.WriteFile(path, other, 0o600) },
		"shrinks": func(path string) error { return os.Truncate(path, size-10) },
		"changes": func(path string) error { return os.WriteFile(path, other[:size], 0o600) },
	} {
		dir := t.TempDir()
		files(t, dir, map[string]string{"a": strings.Repeat("x", size), "b": strings.Repeat("x", size)})
		// The checksum of b has been made when its header goes out, behind a and its header.
		w := &at{offset: 2*tarBlock + size, do: func() error { return change(filepath.Join(dir, "b")) }}
		if err := (&Tree{Prefix: "p", Dir: dir}).write(t.Context(), w); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// at calls do when so many bytes have been written.
type at struct {
	offset int64
	do     func() error
}

func (a *at) Write(p []byte) (int, error) {
	before := a.offset
	if a.offset -= int64(len(p)); before > 0 && a.offset <= 0 {
		if err := a.do(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
