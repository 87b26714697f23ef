package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

const (
	memoryFiles = "/dev/shm" // a file system in memory, on Linux
	memoryRoom  = 12 << 30   // bytes that the trees of a large scene and their caches need, with room to spare
)

// treesDir makes a directory for the trees of both peers. A disk would be what
// is measured, and file systems differ: ext4 hands out the inodes of files that
// were removed in the last minutes very slowly. So it is in memory where there
// is enough, and in dir else.
func treesDir(dir string) (string, error) {
	var fs syscall.Statfs_t
	there := syscall.Statfs(memoryFiles, &fs) == nil
	if !there || int64(fs.Bavail)*fs.Bsize < memoryRoom || availableMemory() < memoryRoom {
		fmt.Println("(trees are on the disk: there is no room in memory)")
		return dir, nil
	}
	return os.MkdirTemp(memoryFiles, "odyssey-bench-")
}

// availableMemory returns how many bytes can be had without swapping; 0 where
// that cannot be told.
func availableMemory() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 0
}
