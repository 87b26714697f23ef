package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// entry is one of an archive that a test makes.
type entry struct {
	name, content string
	mode          int64 // with setuid and the like; 0: 0644
	kind          byte  // tar's type flag; 0: a file, or a directory by its name
	link          string
	size          int64 // announced, if not the content's
	pax           map[string]string
}

// targz writes a tar.gz. Errors of the writer do not count: some archives are
// meant to be wrong.
func targz(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.content)), PAXRecords: e.pax, Format: tar.FormatPAX}
		if e.size != 0 {
			h.Size = e.size
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
			if strings.HasSuffix(e.name, "/") {
				h.Typeflag = tar.TypeDir
			}
		}
		if strings.ContainsRune(e.name, 0) {
			t.Skip("tar has no names with NUL")
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, e.content)
	}
	_ = w.Close()
	_ = z.Close()
	return b.Bytes()
}

func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		mode := fs.FileMode(0o644)
		if e.mode != 0 {
			mode = fs.FileMode(e.mode & 0o777)
		}
		if e.mode&0o4000 != 0 {
			mode |= fs.ModeSetuid
		}
		content := e.content
		switch e.kind {
		case tar.TypeSymlink:
			mode, content = fs.ModeSymlink|0o777, e.link
		case tar.TypeChar:
			mode |= fs.ModeDevice | fs.ModeCharDevice
		}
		if strings.HasSuffix(e.name, "/") {
			mode = fs.ModeDir | 0o755
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(f, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// walk reads an archive and lists what was visited.
func walk(t testing.TB, data []byte, limits archive.Limits) ([]string, *archive.Archive, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(path, limits)
	if err != nil {
		return nil, nil, err
	}
	defer a.Close()
	var seen []string
	err = a.Walk(context.Background(), func(e archive.Entry, content io.Reader) error {
		data, err := io.ReadAll(content)
		if int64(len(data)) > e.Size {
			t.Errorf("%q was announced with %d bytes, and has %d", e.Path, e.Size, len(data))
		}
		seen = append(seen, fmt.Sprintf("%d %s %s", e.Mode, e.Path, data))
		return err
	})
	return seen, a, err
}

var kinds = map[string]func(testing.TB, ...entry) []byte{archive.TarGz: targz, archive.Zip: zipped}

func TestWalk(t *testing.T) {
	t.Parallel()
	for kind, pack := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := pack(t,
				entry{name: "o/"}, entry{name: "./o/a/x.py", content: "1"}, entry{name: "o/a/run", content: "2", mode: 0o755},
				entry{name: "o/a/l", kind: tar.TypeSymlink, link: "../b/x"}, entry{name: "o/b/\xff.txt", content: "3"}, entry{name: "o/b/é", content: ""})
			seen, a, err := walk(t, data, archive.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			want := "3 o |0 o/a/x.py 1|1 o/a/run 2|2 o/a/l ../b/x|0 o/b/\xff.txt 3|0 o/b/é "
			if got := strings.Join(seen, "|"); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			sum := sha256.Sum256(data)
			if a.SHA256() != hex.EncodeToString(sum[:]) || a.Kind() != kind || a.Size() != int64(len(data)) {
				t.Errorf("%s %d %s", a.Kind(), a.Size(), a.SHA256())
			}
		})
	}
}

// refused checks that both kinds of an archive are refused with words.
func refused(t *testing.T, words string, limits archive.Limits, entries ...entry) {
	t.Helper()
	for kind, pack := range kinds {
		if kind == archive.Zip && (entries[len(entries)-1].kind == tar.TypeLink || entries[len(entries)-1].kind == tar.TypeFifo || entries[len(entries)-1].pax != nil) {
			continue // zip has none of these
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			_, _, err := walk(t, pack(t, entries...), limits)
			if !errors.Is(err, archive.ErrRefused) || !strings.Contains(err.Error(), words) {
				t.Errorf("got %v, want %q", err, words)
			}
		})
	}
}

func TestFault_A1_Names(t *testing.T) {
	t.Parallel()
	for name, words := range map[string]string{
		"../x": "has .. in", "a/../../x": "has .. in", "a/..": "has .. in", "/etc/passwd": "absolute", "//x": "absolute",
		`a\b`: "backslash", `..\x`: "backslash", "a\nb": "control", "a\x00b": "control", "a\x1b[0m": "control",
		"a//b": "empty part", "a/./b": "empty part", "": "has no name", strings.Repeat("a/", 70) + "x": "too deep",
		strings.Repeat("x", 256): "too long", "a/.git/config": "git's own", ".GIT/config": "git's own", "a/.git": "git's own",
		"a/.g\u200cit/x": "git's own", "git~1/config": "git's own", ".git ./x": "git's own", ".git::$INDEX_ALLOCATION/x": "git's own",
	} {
		t.Run(fmt.Sprintf("%.20q", name), func(t *testing.T) {
			t.Parallel()
			refused(t, words, archive.DefaultLimits(), entry{name: "good/x", content: "x"}, entry{name: name, content: "x"})
		})
	}
}

func TestFault_A2_LinksAndDevices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words   string
		entries []entry
	}{
		"absolute":      {"absolute name", []entry{{name: "a/l", kind: tar.TypeSymlink, link: "/etc/passwd"}}},
		"out":           {"leads out", []entry{{name: "a/l", kind: tar.TypeSymlink, link: "../../x"}}},
		"middle":        {"in the middle", []entry{{name: "a/l", kind: tar.TypeSymlink, link: "b/../../../x"}}},
		"empty":         {"leads nowhere", []entry{{name: "a/l", kind: tar.TypeSymlink, link: ""}}},
		"backslash":     {"backslash", []entry{{name: "a/l", kind: tar.TypeSymlink, link: `..\..\x`}}},
		"write through": {"below a link", []entry{{name: "a/l", kind: tar.TypeSymlink, link: "b"}, {name: "a/l/x", content: "x"}}},
		"link over dir": {"file and a directory", []entry{{name: "a/l/x", content: "x"}, {name: "a/l", kind: tar.TypeSymlink, link: "b"}}},
		"hard link":     {"hard link", []entry{{name: "a/x", content: "x"}, {name: "a/l", kind: tar.TypeLink, link: "a/x"}}},
		"device":        {"device", []entry{{name: "a/x", kind: tar.TypeChar}}},
		"pipe":          {"pipe", []entry{{name: "a/x", kind: tar.TypeFifo}}},
		"setuid":        {"setuid", []entry{{name: "a/x", mode: 0o4755, content: "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, c.words, archive.DefaultLimits(), c.entries...)
		})
	}
}

func TestFault_A3_Limits(t *testing.T) {
	t.Parallel()
	small := archive.Limits{Entries: 3, Names: 1 << 20, File: 1 << 20, Total: 2 << 20}
	big := strings.Repeat("\x00", 1<<20)
	four := []entry{{name: "a"}, {name: "b"}, {name: "c"}, {name: "d"}}
	t.Run("entries", func(t *testing.T) { t.Parallel(); refused(t, "more than 3 entries", small, four...) })
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		refused(t, "larger than 1 MiB", small, entry{name: "a", content: big + "x"})
	})
	t.Run("total", func(t *testing.T) {
		t.Parallel()
		refused(t, "unpacks to more than 2 MiB", small, entry{name: "a", content: big}, entry{name: "b", content: big}, entry{name: "c", content: big})
	})
	t.Run("names", func(t *testing.T) {
		t.Parallel()
		limits := archive.Limits{Entries: 100, Names: 100, File: 1, Total: 1 << 20}
		refused(t, "names in the archive", limits, entry{name: strings.Repeat("a", 60)}, entry{name: strings.Repeat("b", 60)})
	})
	t.Run("sparse", func(t *testing.T) {
		t.Parallel()
		_, _, err := walk(t, sparse(t), archive.DefaultLimits())
		if !errors.Is(err, archive.ErrRefused) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("lying size", func(t *testing.T) {
		t.Parallel()
		_, _, err := walk(t, targz(t, entry{name: "a", content: "short", size: 1 << 30}), archive.DefaultLimits())
		if !errors.Is(err, archive.ErrRefused) || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("tar: %v", err)
		}
		for _, size := range []byte{1, 200} {
			data := zipped(t, entry{name: "a", content: "twelve bytes"})
			at := bytes.LastIndex(data, []byte("PK\x01\x02"))
			data[at+24] = size // the uncompressed size in the list of entries
			if _, _, err = walk(t, data, archive.DefaultLimits()); !errors.Is(err, archive.ErrRefused) {
				t.Errorf("zip of %d: %v", size, err)
			}
		}
	})
}

// sparse is a tar.gz with a sparse file of 1 TiB, of GNU tar's own kind.
func sparse(t *testing.T) []byte {
	t.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	if err := w.WriteHeader(&tar.Header{Name: "a", Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	h := raw.Bytes()
	h[156] = tar.TypeGNUSparse
	copy(h[386:], "00000000000\x0000000000000\x00")
	copy(h[483:], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00") // the real size, base 256
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h[:512] {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return gz(h)
}

func gz(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// What an archive with more entries than any limit costs does not grow.
func TestFault_A3_FlatMemory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "many.tar.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for i := range 400_000 {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("m/%d", i), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(path, archive.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	err = a.Walk(t.Context(), func(archive.Entry, io.Reader) error { n++; return nil })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, archive.ErrRefused) || n != 300_000 {
		t.Errorf("%d entries, %v", n, err)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d MiB", grown>>20)
	}
}

func TestFault_A4_SameNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words string
		names [2]string
	}{
		"duplicate":   {"there twice", [2]string{"a/x", "a/x"}},
		"dot slash":   {"there twice", [2]string{"a/x", "./a/x"}},
		"case":        {"letter case", [2]string{"a/x", "a/X"}},
		"case of dir": {"letter case", [2]string{"a/x", "A/y"}},
		"composition": {"letter case", [2]string{"a/\u00e9", "a/e\u0301"}},
		"sharp s":     {"letter case", [2]string{"a/\u00df", "a/ss"}},
		"file, dir":   {"file and a directory", [2]string{"a", "a/x"}},
		"dir, file":   {"file and a directory", [2]string{"a/x", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, c.words, archive.DefaultLimits(), entry{name: c.names[0]}, entry{name: c.names[1]})
		})
	}
}

func TestFault_A4_Truncated(t *testing.T) {
	t.Parallel()
	for kind, pack := range kinds {
		data := pack(t, entry{name: "a/x", content: strings.Repeat("text ", 1000)}, entry{name: "a/y", content: "y"})
		for n := 4; n < len(data); n++ {
			if _, _, err := walk(t, data[:n], archive.DefaultLimits()); err == nil {
				t.Errorf("%s cut off after %d of %d bytes is taken", kind, n, len(data))
			}
		}
		flipped := bytes.Clone(data)
		flipped[len(data)-6] ^= 1 // gzip's checksum, zip's offset
		if _, _, err := walk(t, flipped, archive.DefaultLimits()); err == nil {
			t.Errorf("%s with a flipped bit is taken", kind)
		}
	}
}

func TestOpen_noArchive(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", "<!DOCTYPE html><html>", "PK", "\x1f\x8b\x09x"} {
		if _, _, err := walk(t, []byte(data), archive.DefaultLimits()); !errors.Is(err, archive.ErrNoArchive) {
			t.Errorf("%q: %v", data, err)
		}
	}
	if _, err := archive.Open(t.TempDir(), archive.DefaultLimits()); err == nil {
		t.Error("a directory is no archive")
	}
}

// A second archive behind the end of the first is for other readers' eyes.
func TestWalk_goesOn(t *testing.T) {
	t.Parallel()
	data := append(targz(t, entry{name: "a", content: "1"}), targz(t, entry{name: "b", content: "2"})...)
	if _, _, err := walk(t, data, archive.DefaultLimits()); !errors.Is(err, archive.ErrRefused) || !strings.Contains(err.Error(), "after its end") {
		t.Errorf("got %v", err)
	}
}

func TestWalk_interrupted(t *testing.T) {
	t.Parallel()
	for kind, pack := range kinds {
		path := filepath.Join(t.TempDir(), "bundle")
		if err := os.WriteFile(path, pack(t, entry{name: "a"}, entry{name: "b"}), 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := archive.Open(path, archive.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		ctx, cancel := context.WithCancel(t.Context())
		err = a.Walk(ctx, func(archive.Entry, io.Reader) error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// FuzzWalk: no archive makes the reader panic, or visit a name that it should
// not.
func FuzzWalk(f *testing.F) {
	f.Add(targz(f, entry{name: "o/"}, entry{name: "o/x", content: "x"}, entry{name: "o/l", kind: tar.TypeSymlink, link: "x"}))
	f.Add(zipped(f, entry{name: "o/"}, entry{name: "o/x", content: "x"}, entry{name: "o/l", kind: tar.TypeSymlink, link: "x"}))
	limits := archive.Limits{Entries: 100, Names: 10 << 10, File: 1 << 20, Total: 2 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "bundle")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := archive.Open(path, limits)
		if err != nil {
			return
		}
		defer a.Close()
		seen := map[string]bool{}
		_ = a.Walk(t.Context(), func(e archive.Entry, content io.Reader) error {
			if !filepath.IsLocal(e.Path) || strings.ContainsAny(e.Path, "\\\x00\n") || seen[e.Path] && e.Mode != archive.Dir {
				t.Errorf("%q was visited", e.Path)
			}
			seen[e.Path] = true
			n, err := io.Copy(io.Discard, content)
			if err == nil && n != e.Size {
				t.Errorf("%q has %d bytes, not %d", e.Path, n, e.Size)
			}
			return err
		})
	})
}
