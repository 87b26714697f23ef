// Package giteatest runs a real Gitea on a loopback port, for tests and for
// the demo. It builds Gitea from the nested module test/gitea the first time.
//
// A test binary shares one server:
//
//	func TestMain(m *testing.M) { os.Exit(giteatest.Main(m)) }
//
//	func TestX(t *testing.T) {
//		srv := giteatest.New(t)
//		bot, err := srv.NewUser(t.Context(), "bot")
//		…
//	}
//
// A program starts one itself:
//
//	srv, err := giteatest.Start(ctx, giteatest.Options{Dir: dir, Log: os.Stderr, Port: 3000})
//	defer srv.Stop()
package giteatest

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
	"regexp"
	"strings"
	"sync"
	"time"
)

// Options say how to run a server.
type Options struct {
	Dir  string    // for all its data; one that a server used before is taken up again
	Log  io.Writer // progress of building and starting; nil for none
	Port int       // 0 for a free one
	// Config is put at the end of app.ini.
	Config string
}

const (
	adminLogin   = "admin"
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
)

var tokenRE = regexp.MustCompile(`(?m)^[0-9a-f]{40}$`)

// Server is a running Gitea.
type Server struct {
	URL   string // without a slash at the end
	Admin User
	Dir   string // its data; the log is log/gitea.log

	binary binary
	config string // path of app.ini
	extra  string
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	stop   sync.Once
}

// Start builds Gitea if necessary, runs it, and returns when it answers.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Dir == "" {
		return nil, errors.New("start Gitea: no directory given")
	}
	b, err := locate(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, binary: b, extra: o.Config}
	if err := s.run(ctx, o.Port); err != nil {
		return nil, fmt.Errorf("start Gitea: %w", err)
	}
	if err := s.bootstrap(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("set up Gitea: %w", err)
	}
	fmt.Fprintf(o.Log, "giteatest: Gitea %s is at %s\n", b.version, s.URL)
	return s, nil
}

// run starts the process; when somebody takes the free port meanwhile, it
// tries another.
func (s *Server) run(ctx context.Context, port int) error {
	const tries = 3
	var err error
	for range tries {
		listen := port
		if port == 0 {
			if listen, err = freePort(); err != nil {
				return err
			}
		}
		if err = s.runOn(ctx, listen); err == nil || port != 0 || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (s *Server) runOn(ctx context.Context, port int) error {
	config, err := configure(s.Dir, s.binary, port, s.extra)
	if err != nil {
		return err
	}
	s.config, s.URL = config, fmt.Sprintf("http://127.0.0.1:%d", port)
	out, err := os.Create(filepath.Join(s.Dir, "log", "output.log"))
	if err != nil {
		return err
	}
	defer out.Close()
	s.cmd = s.command(context.WithoutCancel(ctx), "web")
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited, s.stop = exited, sync.Once{}
	go func() {
		defer close(exited)
		_ = s.cmd.Wait()
	}()
	if err := s.await(ctx); err != nil {
		s.Stop()
		return fmt.Errorf("%w; see %s", err, filepath.Join(s.Dir, "log"))
	}
	return nil
}

// command is a call of the Gitea binary. Its environment holds nothing of
// the caller's but PATH; Gitea refuses root unless told so.
func (s *Server) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.binary.path, append([]string{"--config", s.config}, args...)...)
	cmd.Dir = s.Dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Join(s.Dir, "home"),
		"GITEA_WORK_DIR=" + s.Dir,
		"GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT=true",
	}
	dieWithParent(cmd)
	return cmd
}

// await returns when the server says that it is healthy.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/healthz", http.NoBody)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// bootstrap makes the administrator and its token, or, in a directory that
// was used before, reads the token.
func (s *Server) bootstrap(ctx context.Context) error {
	s.Admin = User{Login: adminLogin, Email: adminLogin + "@example.org"}
	path := filepath.Join(s.Dir, "admin-token")
	if token, err := os.ReadFile(path); err == nil {
		s.Admin.Token = string(token)
		return nil
	}
	s.Admin.Password = newPassword()
	if _, err := s.cli(ctx, "admin", "user", "create", "--admin", "--must-change-password=false",
		"--username", adminLogin, "--password", s.Admin.Password, "--email", s.Admin.Email); err != nil {
		return err
	}
	out, err := s.cli(ctx, "admin", "user", "generate-access-token",
		"--username", adminLogin, "--token-name", "giteatest", "--scopes", "all", "--raw")
	if err != nil {
		return err
	}
	token := tokenRE.FindString(out)
	if token == "" {
		return fmt.Errorf("gitea printed no token: %q", out)
	}
	s.Admin.Token = token
	return os.WriteFile(path, []byte(token), 0o600)
}

// cli runs a gitea subcommand and returns its standard output, in which lines
// of the log come at any place.
func (s *Server) cli(ctx context.Context, args ...string) (string, error) {
	cmd := s.command(ctx, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("gitea %s: %w: %s %s", strings.Join(args[:3], " "), err, text, stderr.String())
	}
	return text, nil
}

// Stop ends the server, gently at first. Its data stay in Dir.
func (s *Server) Stop() {
	s.stop.Do(func() {
		_ = s.cmd.Process.Signal(os.Interrupt)
		select {
		case <-s.exited:
		case <-time.After(stopTimeout):
			_ = s.cmd.Process.Kill()
			<-s.exited
		}
	})
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("%s has no port", l.Addr())
	}
	return addr.Port, nil
}
