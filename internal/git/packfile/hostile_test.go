package packfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git/packfile"
)

// refused has a pack read that is to be left to git, and makes sure that what was
// read of it is in the file.
func refused(t *testing.T, pack []byte, o packfile.Options, want string) {
	t.Helper()
	got, err := receive(t, pack, o)
	if !errors.Is(err, packfile.ErrOdd) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want an odd pack: %s", err, want)
	}
	if got.Pack != nil {
		t.Error("there is a pack")
	}
	stored, failed := os.ReadFile(got.stored)
	if failed != nil || !bytes.HasPrefix(pack, stored) {
		t.Errorf("%d bytes are stored that are not the pack's: %v", len(stored), failed)
	}
}

// small is a pack with everything in it, and its root.
func small() (*builder, packfile.ID) {
	b := newBuilder()
	base := strings.Repeat("abcdefgh", 20)
	result := base[:100] + "new" + base[50:150]
	tree := line("100644", "a", nameOf(packfile.Blob, base)) + line("100755", "b", nameOf(packfile.Blob, result)) + line("100644", "c", nameOf(packfile.Blob, result+"!"))
	root := commitOf(nameOf(packfile.Tree, tree))
	b.add(packfile.Commit, root)
	b.add(packfile.Tree, tree)
	at := b.add(packfile.Blob, base)
	at = b.ofs(at, delta(len(base), len(result), copied(0, 100), added("new"), copied(50, 100)))
	b.ofs(at, delta(len(result), len(result)+1, copied(0, len(result)), added("!")))
	return b, nameOf(packfile.Commit, root)
}

func TestReceive_small(t *testing.T) {
	t.Parallel()
	b, root := small()
	got, err := receive(t, b.pack(), packfile.Options{Root: root})
	if err != nil || len(got.files) != 3 {
		t.Errorf("%v, %v", got.files, err)
	}
}

// No pack is taken for whole that is cut off, or of which a bit is another, wherever.
func TestReceive_changed(t *testing.T) {
	t.Parallel()
	b, root := small()
	pack := b.pack()
	o := packfile.Options{Root: root, Memory: packfile.NewMemory()}
	for n := range pack {
		if _, err := receive(t, pack[:n], o); !errors.Is(err, packfile.ErrOdd) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
	for i := range pack {
		changed := bytes.Clone(pack)
		changed[i] ^= 1 << (i % 8)
		if _, err := receive(t, changed, o); !errors.Is(err, packfile.ErrOdd) {
			t.Fatalf("another byte %d: %v", i, err)
		}
	}
}

func TestReceive_hostile(t *testing.T) {
	t.Parallel()
	base := strings.Repeat("abcdefgh", 20)
	blob := nameOf(packfile.Blob, base)
	one := func(fill func(b *builder)) []byte {
		b := newBuilder()
		fill(b)
		return b.pack()
	}
	onBase := func(d []byte) []byte { return one(func(b *builder) { b.ofs(b.add(packfile.Blob, base), d) }) }
	pack := one(func(b *builder) { b.add(packfile.Blob, base) })
	for _, test := range []struct {
		name string
		pack []byte
		want string
	}{
		{"no pack", []byte("<html>" + base), "version"},
		{"another version", append([]byte("PACK\x00\x00\x00\x03"), pack[8:]...), "version 3"},
		{"more objects than there are", one(func(b *builder) { b.add(packfile.Blob, base); b.claim = 2 }), ""},
		{"fewer objects than there are", one(func(b *builder) { b.add(packfile.Blob, base); b.add(packfile.Blob, "x"); b.claim = 1 }), "its checksum is wrong"},
		{"objects without end", one(func(b *builder) { b.claim = 1 << 31 }), "objects"},
		{"objects for which there is no room", one(func(b *builder) { b.claim = 1_000_001 }), "1000001 objects"},
		{"something behind it", append(slices.Clone(pack), 'x'), "something comes after it"},
		{"another checksum", append(slices.Clone(pack[:len(pack)-1]), pack[len(pack)-1]^1), "its checksum is wrong"},
		{"a kind that is none", one(func(b *builder) { b.raw(5, 3, deflate([]byte("abc"))) }), "kind 5"},
		{"a size without end", one(func(b *builder) { b.Write(bytes.Repeat([]byte{0xbf}, 30)); b.count++ }), "impossible size"},
		{"longer than it says", one(func(b *builder) { b.raw(packfile.Blob, 10, deflate([]byte(base))) }), "cannot be inflated"},
		{"shorter than it says", one(func(b *builder) { b.raw(packfile.Blob, 1000, deflate([]byte(base))) }), "cannot be inflated"},
		{"a large one longer than it says", one(func(b *builder) { b.raw(packfile.Blob, 5<<20, deflate(make([]byte, 6<<20))) }), "longer than it says"},
		{"a large one shorter than it says", one(func(b *builder) { b.raw(packfile.Blob, 5<<20, deflate(make([]byte, 5<<20-1))) }), "shorter than it says"},
		{"a file of 3 GiB", one(func(b *builder) { b.raw(packfile.Blob, 3<<30, deflate(nil)) }), "a blob of"},
		{"a tree of 1 GiB", one(func(b *builder) { b.raw(packfile.Tree, 1<<30, deflate(nil)) }), "a tree of"},
		{"a delta of 1 GiB", one(func(b *builder) { b.raw(6, 1<<30, []byte{1}, deflate(nil)) }), "delta"},
		{"a bomb", one(func(b *builder) { b.raw(packfile.Blob, 100, deflate(make([]byte, 200<<20))) }), "cannot be inflated"},
		{"not compressed", one(func(b *builder) { b.raw(packfile.Blob, len(base), []byte(base)) }), "cannot be inflated"},
		{"a delta of itself", one(func(b *builder) { b.raw(6, 5, []byte{0}, deflate([]byte("12345"))) }), "a delta of nothing"},
		{"a delta of what is inside another", one(func(b *builder) { at := b.add(packfile.Blob, base); b.ofs(at+3, delta(1, 1, added("x"))) }), "a delta of nothing"},
		{"a delta of what is before the pack", one(func(b *builder) { b.add(packfile.Blob, base); b.ofs(-5000, delta(1, 1, added("x"))) }), "a delta of nothing"},
		{"a distance without end", one(func(b *builder) { b.raw(6, 5, bytes.Repeat([]byte{0xff}, 30)) }), "impossible distance"},
		{"a delta of its own name", one(func(b *builder) { b.ref(nameOf(packfile.Blob, "x"), delta(1, 1, added("x"))) }), "which did not come before it"},
		{"deltas in a circle", one(func(b *builder) {
			b.ref(nameOf(packfile.Blob, "y"), delta(1, 1, added("x")))
			b.ref(nameOf(packfile.Blob, "x"), delta(1, 1, added("y")))
		}), "which did not come before it"},
		{"a base that comes later", one(func(b *builder) { b.ref(blob, delta(len(base), 1, added("x"))); b.add(packfile.Blob, base) }), "which did not come before it"},
		{"a delta without sizes", onBase([]byte{0xff}), "without sizes"},
		{"a delta of another size", onBase(delta(len(base)+1, 1, added("x"))), "a delta to 1 bytes of an object of"},
		{"a delta to 1 TiB", onBase(delta(len(base), 1<<40, added("x"))), "without sizes"},
		{"a delta to 1 GiB", onBase(delta(len(base), 1<<30, added("x"))), "a delta to"},
		{"a copy from behind the base", onBase(delta(len(base), 10, copied(len(base)-5, 10))), "does not fit its base"},
		{"a copy of more than the base", onBase(delta(len(base), 0xffffff, copied(0, 0xffffff))), "does not fit its base"},
		{"a copy from far behind", onBase(delta(len(base), 10, copied(0xffffffff, 10))), "does not fit its base"},
		{"a copy of more than the result", onBase(delta(len(base), 10, copied(0, 11))), "does not fit its base"},
		{"less than the result", onBase(delta(len(base), 10, copied(0, 9))), "does not fit its base"},
		{"nothing of the result", onBase(delta(len(base), 10)), "does not fit its base"},
		{"half a copy", onBase(delta(len(base), 10, copied(0, 10)[:4])), "does not fit its base"},
		{"half an addition", onBase(delta(len(base), 10, added("0123456789")[:5])), "does not fit its base"},
		{"a command that is none", onBase(delta(len(base), 10, []byte{0})), "does not fit its base"},
		{"an object twice", one(func(b *builder) { b.add(packfile.Blob, base); b.add(packfile.Blob, base) }), "is in it twice"},
		{"a commit of nothing", one(func(b *builder) { b.add(packfile.Commit, "") }), "without a tree"},
		{"a commit of no tree", one(func(b *builder) { b.add(packfile.Commit, "tree x\n") }), "without a tree"},
		{"a commit of a tree that is missing", one(func(b *builder) { b.add(packfile.Commit, commitOf(blob)) }), "the tree of commit"},
		{"a commit of a blob", one(func(b *builder) { b.add(packfile.Blob, base); b.add(packfile.Commit, commitOf(blob)) }), "the tree of commit"},
		{"a bad parent", one(func(b *builder) {
			b.add(packfile.Tree, "")
			b.add(packfile.Commit, "tree "+nameOf(packfile.Tree, "").String()+"\nparent x\n")
		}), "bad parent"},
		{"a tree that is cut off", one(func(b *builder) { b.add(packfile.Tree, line("100644", "a", blob)[:20]) }), "a tree that is none"},
		{"a tree with a file that has no name", one(func(b *builder) { b.add(packfile.Tree, line("100644", "", blob)) }), "a tree that is none"},
		{"a tree with a bad mode", one(func(b *builder) { b.add(packfile.Tree, line("100a44", "a", blob)) }), "bad mode"},
		{"a tree with a device", one(func(b *builder) { b.add(packfile.Tree, line("060644", "a", blob)) }), "bad mode"},
		{"a tree of what is missing", one(func(b *builder) { b.add(packfile.Tree, line("100644", "a", blob)) }), "is not in it"},
		{"a blob as a directory", one(func(b *builder) { b.add(packfile.Blob, base); b.add(packfile.Tree, line("40000", "a", blob)) }), "is not in it"},
		{"a tree as a file", one(func(b *builder) {
			b.add(packfile.Tree, "")
			b.add(packfile.Tree, line("100644", "a", nameOf(packfile.Tree, "")))
		}), "is not in it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			refused(t, test.pack, packfile.Options{}, test.want)
		})
	}
}

// A server's fault is told as it is, and so is the end of the caller's patience.
func TestReceive_interrupted(t *testing.T) {
	t.Parallel()
	b, _ := small()
	broken := errors.New("the line is dead")
	if _, err := receiveFrom(t, &failing{bytes.NewReader(b.pack()[:100]), broken}, packfile.Options{}); !errors.Is(err, broken) || errors.Is(err, packfile.ErrOdd) {
		t.Errorf("%v", err)
	}
	file, err := os.Open(os.DevNull) // that cannot be written to
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := packfile.Receive(t.Context(), bytes.NewReader(b.pack()), file, packfile.Options{Memory: packfile.NewMemory()}); err == nil || errors.Is(err, packfile.ErrOdd) {
		t.Errorf("%v", err)
	}
}

type failing struct {
	*bytes.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil {
		err = f.err
	}
	return n, err
}

// When File fails, the pack is read on, and File is left alone.
func TestReceive_fileFails(t *testing.T) {
	t.Parallel()
	b := newBuilder()
	var tree string
	for i := range 200 {
		tree += line("100644", fmt.Sprintf("f%03d", i), nameOf(packfile.Blob, fmt.Sprint(i)))
	}
	root := commitOf(nameOf(packfile.Tree, tree))
	b.add(packfile.Commit, root)
	b.add(packfile.Tree, tree)
	for i := range 200 {
		b.add(packfile.Blob, fmt.Sprint(i))
	}
	calls := make(chan struct{}, 1000)
	got, err := receive(t, b.pack(), packfile.Options{Root: nameOf(packfile.Commit, root), File: func(packfile.File, []byte) error {
		calls <- struct{}{}
		return errors.New("no space")
	}})
	if err != nil || len(calls) == 0 || len(calls) > 32 {
		t.Errorf("%d calls, %v", len(calls), err)
	}
	for i := range 200 {
		content(t, got.Pack, nameOf(packfile.Blob, fmt.Sprint(i)))
	}
}

// An object that was made to have another's name ends it all; see
// https://shattered.io. sha1cd finds it in these first blocks.
func TestFault_G6_Collision(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/shattered")
	if err != nil {
		t.Fatal(err)
	}
	if !packfile.Collides(data) {
		t.Error("the collision is not found")
	}
	data[0x100] ^= 1
	if packfile.Collides(data) {
		t.Error("a collision is found where there is none")
	}
	if errors.Is(packfile.ErrCollision, packfile.ErrOdd) {
		t.Error("git would be asked to judge")
	}
}

func TestReceive_cancelled(t *testing.T) {
	t.Parallel()
	b, _ := small()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file, err := os.Create(t.TempDir() + "/pack")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	memory := packfile.NewMemory()
	if _, err := packfile.Receive(ctx, bytes.NewReader(b.pack()), file, packfile.Options{Memory: memory}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if held := packfile.Held(memory); held != "" {
		t.Errorf("still held: %s", held)
	}
}
