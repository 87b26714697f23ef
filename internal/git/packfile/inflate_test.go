package packfile_test

import (
	"bytes"
	stdflate "compress/flate"
	stdzlib "compress/zlib"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"

	"github.com/nuobit/odyssey/internal/git/packfile"
	"github.com/nuobit/odyssey/test/gitserver"
)

// inflated is what the standard library makes of a stream: the data if it is of
// the size, and what follows it.
func inflated(compressed []byte, size int) (data, rest []byte, err error) {
	in := bytes.NewReader(compressed)
	r, err := stdzlib.NewReader(in)
	if err != nil {
		return nil, nil, err
	}
	data, err = io.ReadAll(io.LimitReader(r, int64(size)+1))
	if err == nil && len(data) != size {
		err = errors.New("another size")
	}
	rest, _ = io.ReadAll(in)
	return data, rest, err
}

// sameInflated compares both.
func sameInflated(t *testing.T, compressed []byte, size int) {
	t.Helper()
	want, rest, wantErr := inflated(compressed, size)
	got := make([]byte, size)
	gotRest, err := packfile.Inflate(compressed, got)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%v, the standard library: %v", err, wantErr)
	}
	if err == nil && (!bytes.Equal(got, want) || !bytes.Equal(gotRest, rest)) {
		t.Errorf("%d bytes and %d behind are not the standard library's %d and %d", len(got), len(gotRest), len(want), len(rest))
	}
}

func compressed(t testing.TB, data string, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := stdzlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInflate(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"", "a", strings.Repeat("a", 1000), strings.Repeat("ab", 70_000), text(1, 10), text(2, 1000), text(3, 100_000), noise(4, 70_000), strings.Repeat(noise(5, 32768), 3), noise(6, 300) + text(7, 5000),
	} {
		for _, level := range []int{stdflate.HuffmanOnly, stdflate.NoCompression, 1, 6, 9} {
			b := compressed(t, data, level)
			for _, size := range []int{len(data), len(data) + 1, max(0, len(data)-1)} {
				sameInflated(t, b, size)
			}
			sameInflated(t, append(bytes.Clone(b), "behind"...), len(data))
			for n := 0; n < len(b); n += 1 + len(b)/20 {
				sameInflated(t, b[:n], len(data))
			}
			for i := 0; i < len(b); i += 1 + len(b)/60 {
				changed := bytes.Clone(b)
				changed[i] ^= 1 << (i % 8)
				sameInflated(t, changed, len(data))
			}
		}
	}
}

func FuzzInflate(f *testing.F) {
	for _, data := range []string{"", "a", "abcabcabcabcabc", text(1, 500), strings.Repeat("x", 600)} {
		for _, level := range []int{stdflate.HuffmanOnly, stdflate.NoCompression, 9} {
			f.Add(compressed(f, data, level), len(data))
		}
	}
	f.Fuzz(func(t *testing.T, compressed []byte, size int) {
		if size < 0 || size > 1<<16 {
			return
		}
		sameInflated(t, compressed, size)
	})
}

// sources is a pack of Go's own sources.
func sources(b *testing.B) []byte {
	b.Helper()
	files, sum := map[string]string{}, 0
	where, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Skipf("no Go: %v", err)
	}
	root := os.DirFS(filepath.Join(strings.TrimSpace(string(where)), "src"))
	err = fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".go") || sum > 20<<20 {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files[name], sum = string(data), sum+len(data)
		return err
	})
	if err != nil || len(files) == 0 {
		b.Skipf("Go's sources cannot be read: %v", err)
	}
	repo := gitserver.New(b).Repo(b, "r")
	repo.Commit(b, "main", files)
	base := filepath.Join(b.TempDir(), "made")
	name := repo.GitStdin(b, repo.Git(b, "rev-list", "--objects", "--no-object-names", "--all")+"\n", "pack-objects", "--quiet", "--delta-base-offset", base)
	pack, err := os.ReadFile(base + "-" + name + ".pack")
	if err != nil {
		b.Fatal(err)
	}
	return pack
}

// BenchmarkInflate is why there is an inflater here: it compares it with the
// libraries on each object of a pack.
func BenchmarkInflate(b *testing.B) {
	streams, sum := packfile.Streams(sources(b))
	buffer := make([]byte, 64<<20)
	b.Run("packfile", func(b *testing.B) {
		b.SetBytes(sum)
		z := packfile.NewInflater()
		for b.Loop() {
			for _, s := range streams {
				if err := z.Inflate(s.Data, buffer[:s.Size]); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	for _, library := range []struct {
		name  string
		begin func(io.Reader) (io.ReadCloser, error)
	}{
		{"klauspost", zlib.NewReader},
		{"standard", stdzlib.NewReader},
	} {
		b.Run(library.name, func(b *testing.B) {
			b.SetBytes(sum)
			in := bytes.NewReader(streams[0].Data)
			z, err := library.begin(in)
			for b.Loop() {
				for _, s := range streams {
					in.Reset(s.Data)
					if again, ok := z.(zlib.Resetter); ok && err == nil {
						err = again.Reset(in, nil)
					}
					if err == nil {
						_, err = io.ReadFull(z, buffer[:s.Size])
					}
					if err == nil {
						_, err = z.Read(buffer[:1]) // the checksum
					}
					if !errors.Is(err, io.EOF) {
						b.Fatal(err)
					}
					err = nil
				}
			}
		})
	}
}
