package oci

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcr "github.com/google/go-containerregistry/pkg/v1/validate"
)

func validate(image v1.Image) error { return ggcr.Image(image) }

// readLayout reads all regular files of a file system.
func readLayout(t testing.TB, from fs.FS) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(from, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if e.Type().IsRegular() {
			all[path], err = fs.ReadFile(from, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// untar has tar itself unpack an archive.
func untar(t testing.TB, archive, dir string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// untarred reads an archive with Go's reader.
func untarred(t testing.TB, archive []byte) []*tar.Header {
	t.Helper()
	var all []*tar.Header
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
}

// writeTree returns a tree's archive.
func writeTree(t testing.TB, tree *Tree) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tree.write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mustWrite(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
