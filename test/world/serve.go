package world

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ServeOptions say how a server is started.
type ServeOptions struct {
	Listen string   // address of the webhooks; a free port of the loopback by default
	Store  string   // file or postgres:// URL; w.Dir/odyssey.db by default
	Env    []string // besides the test's own
	More   string   // lines for odyssey.yaml
}

// Server is an odyssey-bot serve that runs.
type Server struct {
	Webhooks string // URL of the public listener
	Status   string // URL of the other one

	cmd   *exec.Cmd
	ended chan struct{}
	mu    sync.Mutex
	log   strings.Builder
}

// webhookSecret is what all servers of a test share with the forge.
const webhookSecret = "a-secret-of-the-tests"

// FreeAddress returns an address of the loopback where nobody listens.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Serve starts odyssey-bot serve and waits until it is ready. It is killed at
// the end of the test, if it still runs.
func (w *World) Serve(t testing.TB, o ServeOptions) *Server {
	t.Helper()
	s, err := w.StartServer(t.Context(), o)
	if s != nil {
		t.Cleanup(func() {
			s.Kill()
			if t.Failed() {
				t.Logf("odyssey-bot serve said:\n%s", s.Log())
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// StartServer starts odyssey-bot serve and waits until it is ready. Where it
// does not get ready it returns the server with the error.
func (w *World) StartServer(ctx context.Context, o ServeOptions) (*Server, error) {
	public, status := o.Listen, ""
	for _, address := range []*string{&public, &status} {
		if *address == "" {
			free, err := FreeAddress()
			if err != nil {
				return nil, err
			}
			*address = free
		}
	}
	config, err := w.serverConfig(o, public, status)
	if err != nil {
		return nil, err
	}
	return StartProgram(ctx, w.Binary, config, public, status, o.Env...)
}

// StartProgram starts a program's serve with a configuration that has it listen
// at two addresses, and waits until it is ready. Where it does not get ready it
// returns the server with the error.
func StartProgram(ctx context.Context, binary, config, public, status string, env ...string) (*Server, error) {
	s := &Server{Webhooks: "http://" + public, Status: "http://" + status, ended: make(chan struct{})}
	s.cmd = exec.Command(binary, "serve", "--config", config, "--log-level", "debug")
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stderr, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	go s.keepLog(stderr)
	if err := s.waitReady(ctx); err != nil {
		return s, fmt.Errorf("odyssey-bot serve: %w", err)
	}
	return s, nil
}

func (w *World) serverConfig(o ServeOptions, public, status string) (string, error) {
	dir, err := os.MkdirTemp(w.Dir, "serve-")
	if err != nil {
		return "", err
	}
	store := o.Store
	if store == "" {
		store = filepath.Join(w.Dir, "odyssey.db")
	}
	setting := "store: " + store
	files := map[string]string{"token": w.Bot.Token, "webhook-secret": webhookSecret}
	if strings.HasPrefix(store, "postgres:") {
		files["store-url"] = store
		setting = "storeURLFile: store-url"
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content+"\n"), 0o600); err != nil {
			return "", err
		}
	}
	credentials := ""
	if w.Credentials != "" {
		credentials = "\n  credentialsFile: " + w.Credentials
	}
	text := fmt.Sprintf(`version: 1
forges:
  - kind: gitea
    url: %s
    tokenFile: token
    webhookSecretFile: webhook-secret
    repositories: [%s]
git:
  allow: [%s]%s
onboarding: %t
%s
listen: %s
statusListen: %s
%s`, w.ForgeURL, w.Image, strings.TrimSuffix(w.Server.URL+", "+w.AllowURL, ", "), credentials, w.Onboarding, setting, public, status, o.More)
	path := filepath.Join(dir, "odyssey.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// Hook has the forge send the events of the derived-image repository to a
// server's Webhooks, or to what stands before it.
func (w *World) Hook(ctx context.Context, webhooks string) error {
	in := map[string]any{
		"type": "gitea", "active": true,
		"events": []string{"push", "pull_request", "pull_request_comment", "pull_request_review", "issue_comment", "issues_only", "repository", "workflow_run"},
		"config": map[string]string{"url": webhooks + "/webhooks/gitea", "content_type": "json", "secret": webhookSecret},
	}
	return w.API(ctx, http.MethodPost, "/hooks", in, nil)
}

func (s *Server) keepLog(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.mu.Lock()
		s.log.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
	}
	_ = s.cmd.Wait()
	close(s.ended)
}

// Log is what the server has printed so far.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if s.Ready(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("it does not get ready")
		case <-s.ended:
			return errors.New("it has ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Ready reports whether the server says that it is.
func (s *Server) Ready(ctx context.Context) bool {
	_, err := s.Get(ctx, "/readyz")
	return err == nil
}

// Get returns a page of the status listener; any answer but 200 is an error.
func (s *Server) Get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Status+path, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return string(body), err
}

// Signal sends the server, and not its children, a signal.
func (s *Server) Signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

// Kill ends the server and its children at once, as a machine that loses its
// power does.
func (s *Server) Kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

// Ended is closed when the server has ended.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// ExitCode is the server's, once it has ended; -1 of one that was killed.
func (s *Server) ExitCode() int { return s.cmd.ProcessState.ExitCode() }
