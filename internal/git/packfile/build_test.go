package packfile_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nuobit/odyssey/internal/git/packfile"
)

// builder makes packs by hand, true ones and others.
type builder struct {
	bytes.Buffer
	count int
	claim int // the number of objects that the head tells; 0: as many as there are
}

// newBuilder begins a pack; its head comes with bytes.
func newBuilder() *builder { return &builder{} }

// head is an object's type and size.
func head(kind packfile.Kind, size int) []byte {
	out, rest := []byte{byte(kind)<<4 | byte(size&15)}, size>>4
	for rest > 0 {
		out[len(out)-1] |= 0x80
		out, rest = append(out, byte(rest&0x7f)), rest>>7
	}
	return out
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

// raw adds an object of some kind and size with what follows them, and returns
// where it begins.
func (b *builder) raw(kind packfile.Kind, size int, rest ...[]byte) int {
	at := b.Len()
	b.Write(head(kind, size))
	for _, part := range rest {
		b.Write(part)
	}
	b.count++
	return at
}

// add adds an object as a whole.
func (b *builder) add(kind packfile.Kind, data string) int {
	return b.raw(kind, len(data), deflate([]byte(data)))
}

// ofs adds a delta of the object at base, ref one of an object by its name.
func (b *builder) ofs(base int, delta []byte) int {
	distance := b.Len() - base
	back := []byte{byte(distance & 0x7f)}
	for distance >>= 7; distance > 0; distance >>= 7 {
		distance--
		back = append([]byte{0x80 | byte(distance&0x7f)}, back...)
	}
	return b.raw(6, len(delta), back, deflate(delta))
}

func (b *builder) ref(base packfile.ID, delta []byte) {
	b.raw(7, len(delta), base[:], deflate(delta))
}

// pack is the whole, with head and checksum.
func (b *builder) pack() []byte {
	count := b.count
	if b.claim != 0 {
		count = b.claim
	}
	out := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(count))
	out = append(out, b.Bytes()...)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

// delta is a delta with its sizes in front.
func delta(base, result int, commands ...[]byte) []byte {
	out := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(base)), uint64(result))
	return append(out, bytes.Join(commands, nil)...)
}

// copied is the command to copy from the base, added the one to add bytes.
func copied(at, size int) []byte {
	return []byte{0xff, byte(at), byte(at >> 8), byte(at >> 16), byte(at >> 24), byte(size), byte(size >> 8), byte(size >> 16)}
}

func added(text string) []byte { return append([]byte{byte(len(text))}, text...) }

// nameOf is the name of an object.
func nameOf(kind packfile.Kind, data string) packfile.ID {
	return sha1.Sum([]byte(fmt.Sprintf("%v %d\x00%s", kind, len(data), data)))
}

// line is a line of a tree.
func line(mode, name string, id packfile.ID) string {
	return mode + " " + name + "\x00" + string(id[:])
}

// commitOf is the text of a commit.
func commitOf(tree packfile.ID) string {
	return fmt.Sprintf("tree %v\n", tree) + "author A <a@example.com> 1700000000 +0000\ncommitter A <a@example.com> 1700000000 +0000\n\ntext\n"
}

// given is what was handed to File.
type given struct {
	mu    sync.Mutex
	files map[string]packfile.File
	wrong error
}

func (g *given) put(f packfile.File, data []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, twice := g.files[f.Path]; twice {
		g.wrong = errors.Join(g.wrong, fmt.Errorf("%s was given twice", f.Path))
	}
	if nameOf(packfile.Blob, string(data)) != f.ID {
		g.wrong = errors.Join(g.wrong, fmt.Errorf("%s has another content than %v", f.Path, f.ID))
	}
	g.files[f.Path] = f
	return nil
}

// received is what came of a pack.
type received struct {
	*packfile.Pack
	stored string // the file
	given
}

// receive has a pack read, in pieces of odd sizes.
func receive(t testing.TB, pack []byte, o packfile.Options) (*received, error) {
	t.Helper()
	return receiveFrom(t, &dripping{Reader: bytes.NewReader(pack), sizes: rand.New(rand.NewPCG(1, uint64(len(pack))))}, o)
}

func receiveFrom(t testing.TB, in io.Reader, o packfile.Options) (*received, error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "pack"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	r := &received{stored: file.Name(), given: given{files: map[string]packfile.File{}}}
	if o.Memory == nil {
		o.Memory = packfile.NewMemory()
		defer func() {
			if left := packfile.Held(o.Memory); left != "" {
				t.Errorf("still held: %s", left)
			}
		}()
	}
	if o.Root != (packfile.ID{}) && o.File == nil {
		o.File = r.put
	}
	r.Pack, err = packfile.Receive(t.Context(), in, file, o)
	if r.wrong != nil {
		t.Error(r.wrong)
	}
	return r, err
}

// dripping reads a few bytes at a time, and then many.
type dripping struct {
	io.Reader
	sizes *rand.Rand
}

func (d *dripping) Read(p []byte) (int, error) {
	n := 1 + d.sizes.IntN(40)
	if d.sizes.IntN(3) == 0 {
		n = 70_000
	}
	return d.Reader.Read(p[:min(n, len(p))])
}

func id(t testing.TB, text string) packfile.ID {
	t.Helper()
	var out packfile.ID
	if n, err := hex.Decode(out[:], []byte(text)); err != nil || n != len(out) {
		t.Fatalf("%q is no id", text)
	}
	return out
}
