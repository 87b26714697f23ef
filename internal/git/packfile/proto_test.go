package packfile_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git/packfile"
)

func TestProto(t *testing.T) {
	name := os.Getenv("PROTO_PACK")
	if name == "" {
		t.Skip()
	}
	in, _ := os.Open(name)
	dir := os.Getenv("PROTO_DIR")
	out, _ := os.Create("/tmp/helperP/proto/out.pack")
	if p := os.Getenv("PROTO_PROF"); p != "" {
		f, _ := os.Create(p)
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	o := packfile.Options{Memory: packfile.NewMemory()}
	o.Root, _ = packfile.ParseID(os.Getenv("PROTO_ROOT"))
	o.Shallow = []packfile.ID{o.Root}
	var mu sync.Mutex
	files, bytes := 0, 0
	made := map[string]bool{}
	o.File = func(f packfile.File, data []byte) error {
		mu.Lock()
		files++
		bytes += len(data)
		name := filepath.Join(dir, f.Path)
		if d := filepath.Dir(name); dir != "" && !made[d] {
			os.MkdirAll(d, 0o755)
			made[d] = true
		}
		mu.Unlock()
		if dir != "" {
			return os.WriteFile(name, data, 0o644)
		}
		return nil
	}
	start := time.Now()
	p, err := packfile.Receive(context.Background(), struct{ io.Reader }{in}, out, o)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("received", time.Since(start))
	x, _ := os.Create("/tmp/helperP/proto/out.idx")
	if err := p.WriteIndex(x); err != nil {
		t.Fatal(err)
	}
	x.Close()
	var ru syscall.Rusage
	syscall.Getrusage(0, &ru)
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	fmt.Println(p.Name(), files, bytes, "wall", time.Since(start), "user", time.Duration(ru.Utime.Nano()), "sys", time.Duration(ru.Stime.Nano()), "maxrss", ru.Maxrss>>10, "MB gc", ms.NumGC)
}
