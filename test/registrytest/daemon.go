package registrytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/nuobit/odyssey/test/setup"
)

// Daemon is a running docker-registry, the one that Debian has. test/setup.sh installs it if it is
// missing.
type Daemon struct {
	Host string // with the port
	Dir  string // what it keeps

	cmd    *exec.Cmd
	exited chan struct{}
	stop   sync.Once
}

const daemonConfig = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
http: {addr: %q, secret: not-one}
`

// StartDaemon starts a registry that keeps its images below a directory, and returns when it
// answers.
func StartDaemon(ctx context.Context, dir string) (*Daemon, error) {
	if _, err := setup.Part("registry", ""); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &Daemon{Host: listener.Addr().String(), Dir: filepath.Join(dir, "data"), exited: make(chan struct{})}
	config := filepath.Join(dir, "registry.yml")
	err = errors.Join(os.MkdirAll(d.Dir, 0o755), listener.Close(), os.WriteFile(config, fmt.Appendf(nil, daemonConfig, d.Dir, d.Host), 0o600))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	d.cmd = exec.Command("docker-registry", "serve", config)
	d.cmd.Stdout, d.cmd.Stderr = &out, &out
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "OTEL_TRACES_EXPORTER=none"}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = d.cmd.Wait() // Stop kills it
		close(d.exited)
	}()
	if err := d.await(ctx); err != nil {
		d.Stop()
		return nil, fmt.Errorf("docker-registry does not answer: %w\n%s", err, out.Bytes())
	}
	return d, nil
}

const startTimeout = 20 * time.Second

func (d *Daemon) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.Host+"/v2/", http.NoBody)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			return res.Body.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.exited:
			return errors.New("it has ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends it. What it has kept stays.
func (d *Daemon) Stop() {
	d.stop.Do(func() {
		_ = d.cmd.Process.Kill() // it may have ended by itself
		<-d.exited
	})
}
