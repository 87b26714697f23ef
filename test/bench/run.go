package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a program took.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system, of its children too
	peak int64         // bytes of memory that it itself had at most, without its children
}

// measure runs a program in a directory. What it says comes with an error only.
func measure(ctx context.Context, dir, program string, args ...string) (usage, error) {
	// What was written before is not to be paid for by who comes next.
	syscall.Sync()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, environment(dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	ended := make(chan struct{})
	peak := make(chan int64)
	go func() { peak <- watchPeak(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	u := usage{wall: time.Since(start)}
	close(ended)
	u.peak = <-peak
	if err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args, " "), err, tail(out.Bytes()))
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return u, nil
}

// tail is the end of what a program said.
func tail(out []byte) []byte {
	return out[max(0, len(out)-2000):]
}

// watchPeak returns the most memory that a process had. The kernel's count of
// a child that has ended would include the child's own children.
func watchPeak(pid int, ended <-chan struct{}) int64 {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	var peak int64
	for {
		select {
		case <-ended:
			return peak
		case <-ticker.C:
			peak = max(peak, peakMemory(pid))
		}
	}
}

// peakMemory reads VmHWM, in bytes; 0 if there is none.
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// environment is what programs see: PATH, and a home directory in dir.
func environment(dir string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8", "TZ=UTC", "TMPDIR=" + os.TempDir(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com",
		"GIT_COMMITTER_NAME=Cy", "GIT_COMMITTER_EMAIL=cy@example.com",
	}
}

// buildProgram compiles a program of this module into dir.
func buildProgram(ctx context.Context, dir, name string) (string, error) {
	binary := filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/nuobit/odyssey/cmd/"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return binary, nil
}

// medianOf is the median of one thing about several runs.
func medianOf[T cmp.Ordered](runs []usage, of func(usage) T) T {
	var all []T
	for _, run := range runs {
		all = append(all, of(run))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func wall(u usage) time.Duration { return u.wall }
func cpu(u usage) time.Duration  { return u.cpu }

// diskUsage is what the files below a directory take, in bytes.
func diskUsage(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("no block counts on this system")
		}
		sum += stat.Blocks * 512
		return nil
	})
	return sum, err
}
