package packfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git/packfile"
)

// most is how much memory was in use at most, in bytes, above what was in use
// before; do is run alone.
func most(do func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	before, peak := inUse(), int64(0)
	done, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				peak = max(peak, inUse()-before)
			}
		}
	}()
	do()
	close(done)
	<-sampled
	return peak
}

func inUse() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// tiny adds an object without compressing it, which is faster.
func (b *builder) tiny(data string) {
	b.Write(head(packfile.Blob, len(data)))
	b.Write([]byte{0x78, 1, 1, byte(len(data)), 0, ^byte(len(data)), 0xff})
	b.WriteString(data)
	b.Write(binary.BigEndian.AppendUint32(nil, adler32.Checksum([]byte(data))))
	b.count++
}

// Packs that are made to take up memory. What is too much is left to git, which
// is a process of its own; none takes more than it may.
func TestReceive_memory(t *testing.T) { //nolint:paralleltest // it measures what the process has
	base := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, test := range []struct {                   //nolint:paralleltest // as above
		name string
		make func(b *builder) (root packfile.ID)
		want error
		most int64 // MiB
	}{
		{"a million objects", func(b *builder) packfile.ID {
			for i := range 1_000_000 {
				b.tiny(fmt.Sprint(i))
			}
			return packfile.ID{1}
		}, nil, 120},
		{"deltas that grow", func(b *builder) packfile.ID {
			at := b.add(packfile.Blob, base)
			for size := len(base); size < 1<<30; size *= 16 {
				var copies [][]byte
				for range 16 {
					copies = append(copies, copied(0, min(size, 0xffffff)))
				}
				at = b.ofs(at, delta(size, size*16, copies...))
			}
			return packfile.ID{1}
		}, packfile.ErrOdd, 100},
		{"many large objects from small deltas", func(b *builder) packfile.ID {
			at := b.add(packfile.Blob, base)
			for i := range 20 {
				var copies [][]byte
				for range 15 {
					copies = append(copies, copied(0, len(base)))
				}
				copies = append(copies, added(fmt.Sprint(i)))
				b.ofs(at, delta(len(base), 15*len(base)+len(fmt.Sprint(i)), copies...))
			}
			return packfile.ID{1}
		}, nil, 130},
		{"a tree with ten billion files", func(b *builder) packfile.ID {
			id, mode := nameOf(packfile.Blob, "x"), "100644"
			b.add(packfile.Blob, "x")
			for range 10 {
				var tree string
				for i := range 10 {
					tree += line(mode, strings.Repeat("n", 200)+fmt.Sprint(i), id)
				}
				id, mode = nameOf(packfile.Tree, tree), "40000"
				b.add(packfile.Tree, tree)
			}
			b.add(packfile.Commit, commitOf(id))
			return nameOf(packfile.Commit, commitOf(id))
		}, nil, 60},
		{"trees without end", func(b *builder) packfile.ID {
			name := strings.Repeat("n", 3<<20)
			for i := range 40 {
				b.add(packfile.Tree, line("160000", fmt.Sprint(i)+name, packfile.ID{1}))
			}
			return packfile.ID{1}
		}, packfile.ErrOdd, 130},
		{"a large file", func(b *builder) packfile.ID {
			b.raw(packfile.Blob, 100<<20, deflate(make([]byte, 100<<20)))
			return packfile.ID{1}
		}, nil, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBuilder()
			root := test.make(b)
			pack := b.pack()
			b.Reset()
			var got *received
			var err error
			files := 0
			peak := most(func() {
				got, err = receive(t, pack, packfile.Options{Root: root, File: func(packfile.File, []byte) error { return nil }})
				if err == nil {
					tree, _ := got.TreeOf(root)
					got.Files(tree, func(packfile.File) bool { files++; return files < 100_000 })
				}
			})
			if !errors.Is(err, test.want) || peak>>20 > test.most {
				t.Errorf("%v, and %d MiB were in use", err, peak>>20)
			}
			t.Logf("%d MiB", peak>>20)
			runtime.KeepAlive(pack)
		})
	}
}

// Large objects are made of others one at a time, whoever asks for them, and
// nobody waits for another for ever.
func TestReceive_crowd(t *testing.T) {
	t.Parallel()
	base := strings.Repeat("0123456789abcdef", 6<<16) // 6 MiB
	b := newBuilder()
	var names []packfile.ID
	at := b.add(packfile.Blob, base)
	for i := range 6 {
		text := fmt.Sprint(i)
		at = b.ofs(at, delta(len(base)+min(i, 1), len(base)+1, copied(0, len(base)), added(text)))
		names = append(names, nameOf(packfile.Blob, base+text))
	}
	pack, memory := b.pack(), packfile.NewMemory()
	done := make(chan error)
	for range 8 {
		go func() {
			got, err := receive(t, pack, packfile.Options{Memory: memory})
			for _, id := range names {
				if err == nil {
					err = got.Blob(id, func(size int64, content io.Reader) error {
						_, err := io.CopyN(io.Discard, content, size)
						return err
					})
				}
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	b, root := small()
	f.Add(b.Bytes(), uint32(b.count), root[:])
	refs := newBuilder()
	refs.add(packfile.Blob, "base")
	refs.ref(nameOf(packfile.Blob, "base"), delta(4, 5, copied(0, 4), added("x")))
	f.Add(refs.Bytes(), uint32(2), root[:])
	f.Add([]byte{}, uint32(0), root[:])
	f.Fuzz(func(t *testing.T, objects []byte, count uint32, root []byte) {
		if len(root) != 20 {
			return
		}
		b := newBuilder()
		b.Write(objects)
		b.claim = int(count)
		pack := b.pack()
		got, err := receive(t, pack, packfile.Options{Root: packfile.ID(root)})
		if err != nil {
			if !errors.Is(err, packfile.ErrOdd) {
				t.Errorf("%v", err)
			}
			return
		}
		checkPack(t, got)
	})
}

// checkPack compares what was made of a pack with what git makes of it.
func checkPack(t *testing.T, got *received) {
	t.Helper()
	want, err := indexed(t, got.stored)
	if err != nil {
		t.Fatalf("git refuses it: %v", err)
	}
	var index bytes.Buffer
	if err := got.WriteIndex(&index); err != nil || !bytes.Equal(index.Bytes(), want) {
		t.Errorf("another index than git's: %v", err)
	}
	for _, f := range got.files {
		content(t, got.Pack, f.ID)
	}
}
