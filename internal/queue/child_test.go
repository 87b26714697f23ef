package queue_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/queue"
)

// childRole names, in the environment, what the test binary is to do as a
// process of its own that a test kills or halts.
const childRole = "ODYSSEY_QUEUE_TEST_ROLE"

// storePlace is the line on a child's standard input that says where its store is.
type storePlace struct{ Path, URL string }

// child does what its role says, and writes a line about each thing it has
// done. It returns when its standard input ends.
func child(role string) int {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return 1
	}
	var at storePlace
	if err := json.Unmarshal(line, &at); err != nil {
		return 1
	}
	s := &scene{path: at.Path, url: at.URL}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	q, err := queue.Open(ctx, s.options())
	if err != nil {
		fmt.Println("error", err)
		return 0
	}
	fmt.Println("open")
	more := make(chan struct{})
	go func() {
		for {
			if _, err := in.ReadString('\n'); err != nil {
				cancel()
				return
			}
			more <- struct{}{}
		}
	}()
	switch role {
	case "accept":
		acceptForever(ctx, q)
	case "work":
		err = q.Work(ctx, workFunc(func(ctx context.Context, job queue.Job) error {
			fmt.Println("run", job.Subject)
			if strings.HasSuffix(job.Subject, "quick") {
				return nil
			}
			<-more
			fence := job.Fence(context.WithoutCancel(ctx))
			fmt.Println("fence", fence)
			if strings.HasSuffix(job.Subject, "fails") {
				return fence
			}
			return nil
		}))
		fmt.Println("worked", err)
	case "open":
		<-ctx.Done()
	}
	_ = q.Close()
	return 0
}

func acceptForever(ctx context.Context, q *queue.Queue) {
	for i := 0; ctx.Err() == nil; i++ {
		go func() {
			id := strconv.Itoa(i)
			if _, err := q.Accept(ctx, queue.Delivery{Source: "gitea", ID: id, Event: "push"}, merges("a/"+id), command("a/b", id)); err == nil {
				fmt.Println("committed", id)
			}
		}()
		time.Sleep(time.Millisecond)
	}
}

// process is a running child.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

// start starts the test binary as a child.
func (s *scene) start(t *testing.T, role string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, in: in, lines: make(chan string, 100_000)}
	go func() {
		defer close(p.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			p.lines <- sc.Text()
		}
	}()
	t.Cleanup(p.kill)
	line, err := json.Marshal(storePlace{s.path, s.url})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	return p
}

// next returns the child's next line.
func (p *process) next(t *testing.T) string {
	t.Helper()
	select {
	case line := <-p.lines:
		return line
	case <-time.After(patience):
		t.Fatal("the child says nothing")
		return ""
	}
}

// expect fails unless the child's next line is this one.
func (p *process) expect(t *testing.T, line string) {
	t.Helper()
	if got := p.next(t); got != line {
		t.Fatalf("the child says %q; want %q", got, line)
	}
}

// kill ends the child as a power failure would.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait()
}
