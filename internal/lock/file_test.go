package lock_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/lock"
)

func TestWriteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	write := func(data string, want bool) os.FileInfo {
		t.Helper()
		written, err := lock.WriteFile(path, []byte(data))
		if err != nil || written != want {
			t.Fatalf("written %v, %v", written, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != data {
			t.Fatalf("the file holds %q, %v", got, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if mode := write("a", true).Mode(); mode&0o077&^0o044 != 0 || mode&0o400 == 0 {
		t.Errorf("a new file has the mode %v", mode)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	second := write("b", true)
	if second.Mode() != 0o640 {
		t.Errorf("the mode became %v", second.Mode())
	}
	if third := write("b", false); !os.SameFile(second, third) || !second.ModTime().Equal(third.ModTime()) {
		t.Error("the same content was written again")
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestWriteFile_link(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.WriteFile(link, []byte("b")); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(link); err != nil || target != "file" {
		t.Errorf("the link became %q, %v", target, err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "b" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

func TestWriteFile_fails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "f")
	if _, err := lock.WriteFile(path, nil); err == nil || !strings.HasPrefix(err.Error(), "write "+path+": ") {
		t.Errorf("got %v", err)
	}
}
