package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const grace = 10 * time.Second // what a container has by default

// asPID1 makes a command PID 1 of a PID namespace, as in a container.
func asPID1(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	unshare, err := exec.LookPath("unshare")
	if err == nil {
		err = exec.CommandContext(t.Context(), unshare, "--pid", "--fork", "--mount-proc", "true").Run()
	}
	if err != nil {
		t.Skipf("no PID namespace can be made here: %v", err)
	}
	cmd.Args = slices.Concat([]string{unshare, "--pid", "--fork", "--mount-proc", "--kill-child", cmd.Path}, cmd.Args[1:])
	cmd.Path = unshare
}

// child returns the PID, here, of the child of a process.
func child(t *testing.T, pid int) int {
	t.Helper()
	var found int
	until(t, "a child of unshare", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			return false
		}
		found, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	return found
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Odoo is PID 1, has the work of several clients, and gets a SIGTERM.
func TestFault_O4_TermUnderLoad(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	port := freePort(t)
	h.env = append(h.env, "ODOO_HTTP_PORT="+port)
	cmd := h.command(t.Context(), "odoo-run")
	asPID1(t, cmd)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	odoo := child(t, cmd.Process.Pid)
	health := "http://127.0.0.1:" + port + "/web/health"
	get := func() bool {
		response, err := http.Get(health)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return err == nil && response.StatusCode == http.StatusOK
	}
	until(t, health, get)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", odoo))
	if err != nil || !strings.Contains(string(status), "\t1\n") || !strings.HasPrefix(string(status), "Name:\tpython") {
		t.Errorf("Odoo is not PID 1: %v\n%s", err, status)
	}
	var answered atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if get() {
						answered.Add(1)
					}
				}
			}
		})
	}
	until(t, "load", func() bool { return answered.Load() > 100 })
	sent := time.Now()
	if err := syscall.Kill(odoo, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	close(stop)
	clients.Wait()
	if took := time.Since(sent); err != nil || took > grace {
		t.Errorf("it ended after %s: %v\n%s", took, err, log.String()[max(0, log.Len()-1000):])
	}
}

// In the place of odoo-bin: leaves children behind, then counts the zombies.
const leaver = `
import os, sys, time
for _ in range(5):
    if not os.fork():
        if not os.fork():
            time.sleep(0.1)
        os._exit(0)
    os.wait()
time.sleep(1)
states = []
for name in os.listdir("/proc"):
    if name.isdigit():
        with open("/proc/%s/stat" % name) as text:
            states.append(text.read().rsplit(")", 1)[1].split()[0])
print("%d processes, zombies: %d" % (len(states), states.count("Z")), file=sys.stderr)
`

// Odoo-update waits for Odoo, so it is PID 1 itself: to it are left the
// children of whoever ended without waiting.
func TestFault_O4_UpdateReaps(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 0, "", "odoo-init", h.name)
	h.write(t, "odoo-bin.py", leaver)
	h.env = append(h.env, "ODOO_BIN="+filepath.Join(h.dir, "odoo-bin.py"))
	h.env = slices.DeleteFunc(h.env, func(kv string) bool { return strings.HasSuffix(kv, "odoo/odoo-bin") })
	cmd := h.command(t.Context(), "odoo-update", h.name, "all")
	asPID1(t, cmd)
	if r := finish(t, cmd); r.code != 0 || !strings.Contains(r.stderr, "2 processes, zombies: 0") {
		t.Errorf("%+v", r)
	}
}

// In the place of odoo-bin: says which signals come, and ends with the third.
const listener = `
import os, signal, sys
got = []
def heard(number, frame):
    got.append(signal.Signals(number).name)
    print("heard", got[-1], file=sys.stderr, flush=True)
    if len(got) == 3:
        os._exit(7)
for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
    signal.signal(number, heard)
open(os.environ["READY"], "w").close()
while True:
    signal.pause()
`

// Each signal reaches Odoo once, and the command ends when Odoo does.
func TestFault_O4_UpdateHandsSignalsOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 0, "", "odoo-init", h.name)
	h.write(t, "odoo-bin.py", listener)
	ready := filepath.Join(h.dir, "ready")
	h.env = slices.DeleteFunc(h.env, func(kv string) bool { return strings.HasSuffix(kv, "odoo/odoo-bin") })
	h.env = append(h.env, "ODOO_BIN="+filepath.Join(h.dir, "odoo-bin.py"), "READY="+ready)
	cmd := h.command(t.Context(), "odoo-update", h.name, "all")
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "Odoo", func() bool { _, err := os.Stat(ready); return err == nil })
	for i, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT} {
		if err := syscall.Kill(cmd.Process.Pid, s); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			// They are told apart only when one has come before the next is sent.
			time.Sleep(200 * time.Millisecond)
		}
	}
	err := cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(log.String(), "heard SIGUSR1\nheard SIGTERM\nheard SIGINT\n") || !strings.Contains(log.String(), "interrupted") {
		t.Errorf("%v\n%s", err, log.String())
	}
	if left := h.texts(t, "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'odoo%'"); len(left) > 0 {
		t.Errorf("sessions that are left: %q", left)
	}
}

// When odoo-update is killed, whose lock then goes, Odoo does not go on.
func TestUpdate_killed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 0, "", "odoo-init", h.name)
	h.write(t, "odoo-bin.py", strings.ReplaceAll(listener, "len(got) == 3", "True"))
	ready := filepath.Join(h.dir, "ready")
	h.env = slices.DeleteFunc(h.env, func(kv string) bool { return strings.HasSuffix(kv, "odoo/odoo-bin") })
	h.env = append(h.env, "ODOO_BIN="+filepath.Join(h.dir, "odoo-bin.py"), "READY="+ready)
	cmd := h.command(t.Context(), "odoo-update", h.name, "all")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "Odoo", func() bool { _, err := os.Stat(ready); return err == nil })
	odoo := childOfAnyThread(t, cmd.Process.Pid)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until(t, "Odoo's end", func() bool { return syscall.Kill(odoo, 0) != nil || isZombie(odoo) })
}

func isZombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && strings.Contains(string(text), "State:\tZ")
}

func childOfAnyThread(t *testing.T, pid int) int {
	t.Helper()
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if n, failed := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && failed == nil {
			return n
		}
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}

// While it waits for another job, a signal ends it at once.
func TestFault_O4_WaitingEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, 0, "", "odoo-init", h.name)
	elsewhere := *h
	elsewhere.url = strings.Replace(h.url, "/"+h.name, "/postgres", 1)
	elsewhere.exec(t, "SELECT pg_advisory_lock(hashtextextended('odoo-run/"+h.name+"', 0))") // until the test ends
	cmd := h.command(t.Context(), "odoo-update", h.name, "all")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "waiting for it") {
		t.Errorf("it says %q", lines.Text())
	}
	sent := time.Now()
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "error: interrupted" {
		t.Errorf("it says %q", lines.Text())
	}
	_ = cmd.Wait()
	if took := time.Since(sent); cmd.ProcessState.ExitCode() != 1 || took > grace {
		t.Errorf("it ended after %s with %s", took, cmd.ProcessState)
	}
}
