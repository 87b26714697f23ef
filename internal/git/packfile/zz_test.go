package packfile

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

func cpuT() time.Duration {
	var ru syscall.Rusage
	syscall.Getrusage(0, &ru)
	return time.Duration(ru.Utime.Nano())
}

func TestZZ(t *testing.T) {
	name := os.Getenv("ZZ")
	if name == "" {
		t.Skip()
	}
	data, _ := os.ReadFile(name)
	start := cpuT()
	in := &window{in: bytes.NewReader(data[12:]), buf: make([]byte, 256<<10)}
	z := &inflater{window: in}
	buf := make([]byte, 32<<20)
	total := 0
	n := int(data[8])<<24 | int(data[9])<<16 | int(data[10])<<8 | int(data[11])
	for i := range n {
		f, _ := in.ReadByte()
		size, _ := sizeOf(f, in.ReadByte)
		if Kind(f>>4&7) == ofsDelta {
			distanceOf(in.ReadByte)
		}
		if err := z.inflate(buf[:size]); err != nil {
			t.Fatal(i, size, err)
		}
		total += int(size)
	}
	fmt.Println(total, cpuT()-start)
}
