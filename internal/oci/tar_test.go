package oci

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTar has Go's reader and tar itself read names and targets of every length around the
// limits of a header.
func TestTar(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := &tarWriter{w: &b}
	var want []string
	add := func(e tarEntry, content string) {
		e.size, e.mode = int64(len(content)), 0o644
		if err := w.header(e); err != nil {
			t.Fatal(err)
		}
		if content != "" {
			if _, err := io.WriteString(w, content); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, e.name)
	}
	for _, n := range []int{1, 99, 100, 101, 154, 155, 156, 200, 255, 256, 257, 300, 1000, 9990} {
		// One long name, and names in directories of ten.
		add(tarEntry{name: strings.Repeat("n", min(n, 250)) + "-" + strings.Repeat("d", n%7), kind: tarFile}, "content")
		name := strings.Repeat("directory/", n/10) + strings.Repeat("f", 1+n%10)
		add(tarEntry{name: name, kind: tarFile}, strings.Repeat("x", n%1024))
		add(tarEntry{name: name + ".link", kind: tarSymlink, link: strings.Repeat("t", min(n, 4000))}, "")
	}
	add(tarEntry{name: "año/\xff\xfe", kind: tarFile}, "not UTF-8")
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range untarred(t, b.Bytes()) {
		got = append(got, h.Name)
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" {
			t.Errorf("%q belongs to %d:%d %q:%q", h.Name, h.Uid, h.Gid, h.Uname, h.Gname)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTarUnpacks has GNU tar unpack a tree, and compares the files.
func TestTarUnpacks(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), t.TempDir()
	files(t, dir, addons())
	archive := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(archive, writeTree(t, &Tree{Prefix: "opt/odoo/src/x", Dirs: 3, Dir: dir}), 0o600); err != nil {
		t.Fatal(err)
	}
	untar(t, archive, out)
	want, got := readLayout(t, os.DirFS(dir)), readLayout(t, os.DirFS(filepath.Join(out, "opt", "odoo", "src", "x")))
	if len(want) < 7 {
		t.Fatalf("%d files", len(want))
	}
	for name, content := range want {
		if !bytes.Equal(got[name], content) {
			t.Errorf("%s is another", name)
		}
	}
}

// TestTarLarge: a size that eleven octal digits do not hold goes into an extended header.
func TestTarLarge(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := &tarWriter{w: &b}
	if err := w.header(tarEntry{name: "large", mode: 0o644, size: 9 << 30, kind: tarFile}); err != nil {
		t.Fatal(err)
	}
	h, err := tar.NewReader(&b).Next()
	if err != nil || h.Size != 9<<30 {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestTarLies: content that is longer or shorter than was said is an error.
func TestTarLies(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"longer": "12345", "shorter": "123"} {
		w := &tarWriter{w: io.Discard}
		err := w.header(tarEntry{name: "file", size: 4, kind: tarFile})
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		if err == nil {
			err = w.close()
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
