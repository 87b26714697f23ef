package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// inspector is a git that says which objects there are, started when it is first
// asked: a deployment asks some hundred times.
type inspector struct {
	mu  sync.Mutex
	cmd *command
	in  io.WriteCloser
	out *bufio.Reader
	end context.CancelFunc
}

// errMissing: the pool has no such object.
var errMissing = errors.New("no such object")

// inspect returns the id of what a revision of gitrevisions(7) names.
func (s *Store) inspect(ctx context.Context, revision string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	i := &s.inspector
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cmd == nil {
		if err := i.start(s); err != nil { //nolint:contextcheck // git lives as long as the store
			return "", err
		}
	}
	stop := context.AfterFunc(ctx, i.end)
	defer stop()
	line, err := i.ask(revision)
	if err != nil {
		i.stop()
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("git cat-file has ended: %w", err)
	}
	words := strings.Fields(line)
	if len(words) != 3 {
		return "", fmt.Errorf("%s: %w", revision, errMissing)
	}
	return words[0], nil
}

func (i *inspector) start(s *Store) error {
	ctx, end := context.WithCancel(context.Background())
	cmd := s.command(ctx, target{}, "cat-file", "--batch-check")
	cmd.Env = append(cmd.Env, credentialsVariable+"=") // it asks no remote
	in, err := cmd.StdinPipe()
	if err != nil {
		end()
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		end()
		return err
	}
	if err := cmd.Start(); err != nil {
		end()
		return cmd.failure(err)
	}
	i.cmd, i.in, i.out, i.end = cmd, in, bufio.NewReader(out), end
	return nil
}

func (i *inspector) ask(revision string) (string, error) {
	if _, err := io.WriteString(i.in, revision+"\n"); err != nil {
		return "", err
	}
	return i.out.ReadString('\n')
}

// stop ends git. The next question starts another.
func (i *inspector) stop() {
	if i.cmd == nil {
		return
	}
	_ = i.in.Close()
	i.end()
	_ = i.cmd.Wait()
	i.cmd = nil
}
