package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestOpenMemory(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for name, environ := range map[string][]string{
		filepath.Join(home, "x", "odyssey", "state"):      {"HOME=" + home, "XDG_CACHE_HOME=" + filepath.Join(home, "x")},
		filepath.Join(home, ".cache", "odyssey", "state"): {"XDG_CACHE_HOME=relative", "HOME=" + home},
	} {
		kept, err := openMemory("", environ)
		if err != nil {
			t.Fatal(err)
		}
		if err := kept.Put(t.Context(), "seen", "a/../key", []byte("1")); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string][]byte{"a/../key": []byte("1"), "other": nil} {
			if got, err := kept.Get(t.Context(), "seen", key); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %q, %v", key, got, err)
			}
		}
		files, err := os.ReadDir(name)
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v, %v", name, files, err)
		}
		if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	for _, environ := range [][]string{nil, {"HOME=/dev/null"}} {
		if kept, err := openMemory("", environ); kept != nil || err != nil {
			t.Errorf("%v: %v, %v", environ, kept, err)
		}
	}
	if _, err := openMemory("/dev/null/state", nil); err == nil {
		t.Error("a named directory that cannot be made, and no error")
	}
}
