package local_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/local"
)

func TestSnapshotReadsFilesAsTheyAre(t *testing.T) {
	t.Parallel()
	checkout := makeCheckout(t)
	got, err := checkout.Snapshot(t.Context(), []string{
		"repos.yaml", "deep/er/file", "empty", "most", "inner-link", "inner-dir-link/file",
		"absent", "absent/too", "repos.yaml/below",
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Files["most"]) != strings.Repeat("x", forge.MaxFile) {
		t.Error("2 MiB are not read as they are")
	}
	delete(got.Files, "most")
	want := forge.Snapshot{Files: map[string][]byte{
		"repos.yaml": []byte("a: 1\r\n\x00"), "deep/er/file": []byte("deep"), "empty": {},
		"inner-link": []byte("deep"), "inner-dir-link/file": []byte("deep"),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}

func TestSnapshotRefuses(t *testing.T) {
	t.Parallel()
	checkout := makeCheckout(t)
	for path, reason := range map[string]string{
		"deep":              "is a directory",
		"pipe":              "is a named pipe",
		"more":              "is larger than 2 MiB",
		"link-out":          "leads out of the directory",
		"link-absolute":     "leads out of the directory",
		"dir-link-out/file": "leads out of the directory",
		"dangling":          "is a symbolic link to nothing",
		"loop":              "cannot be read: too many levels of symbolic links",
		"../outside/file":   "is no path inside the directory",
		"/etc/hostname":     "is no path inside the directory",
		"":                  "is no path inside the directory",
		".":                 "is no path inside the directory",
	} {
		_, err := checkout.Snapshot(t.Context(), []string{"repos.yaml", path})
		var file *forge.FileError
		if !errors.As(err, &file) || err.Error() != path+": "+reason {
			t.Errorf("%q: error %v, want %q", path, err, reason)
		}
	}
}

func TestSnapshotStopsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := makeCheckout(t).Snapshot(ctx, []string{"repos.yaml"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOpenRefusesWhatIsNoDirectory(t *testing.T) {
	t.Parallel()
	if _, err := local.Open(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func makeCheckout(t *testing.T) *local.Checkout {
	t.Helper()
	top := t.TempDir()
	for path, content := range map[string]string{
		"outside/file":          "secret",
		"checkout/repos.yaml":   "a: 1\r\n\x00",
		"checkout/deep/er/file": "deep",
		"checkout/empty":        "",
		"checkout/most":         strings.Repeat("x", forge.MaxFile),
		"checkout/more":         strings.Repeat("x", forge.MaxFile+1),
	} {
		path = filepath.Join(top, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(top, "checkout")
	for name, target := range map[string]string{
		"inner-link": "deep/er/file", "inner-dir-link": "deep/er",
		"link-out": "../outside/file", "link-absolute": filepath.Join(top, "outside", "file"),
		"dir-link-out": "../outside", "dangling": "absent", "loop": "loop",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	checkout, err := local.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checkout.Close() })
	return checkout
}
