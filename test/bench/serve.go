package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/test/giteatest"
)

// What is asked for of serve.
const (
	serveRepos   = 1000
	serveMemory  = 150 << 20
	sweepLongest = time.Minute
	sweepCalls   = 2 // for each repository
)

// hookSecret signs the deliveries.
const hookSecret = "0123456789abcdef0123456789abcdef"

// forgeScene is a Gitea with many repositories that the bot watches.
type forgeScene struct {
	dir    string
	gitea  *giteatest.Server
	bot    giteatest.User
	owner  giteatest.User
	binary string
	repos  int // made so far
}

func newForgeScene(ctx context.Context, dir string) (*forgeScene, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	binary, err := buildProgram(ctx, dir, "odyssey-bot")
	if err != nil {
		return nil, err
	}
	s := &forgeScene{dir: dir, binary: binary}
	// Gitea does not run as root, so its directory is one that others may enter.
	home, err := os.MkdirTemp("", "odyssey-bench-gitea-")
	if err != nil {
		return nil, err
	}
	if s.gitea, err = giteatest.Start(ctx, giteatest.Options{Dir: home, Log: os.Stderr}); err != nil {
		return nil, err
	}
	if s.owner, err = s.gitea.NewUser(ctx, "acme"); err != nil {
		return s, err
	}
	if s.bot, err = s.gitea.NewUser(ctx, "odyssey"); err != nil {
		return s, err
	}
	return s, nil
}

// grow makes so many repositories, as far as they are missing.
func (s *forgeScene) grow(ctx context.Context, count int) error {
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := s.repos; i < count; i++ {
		group.Go(func() error {
			name := repoName(i)
			if err := s.gitea.NewRepo(ctx, s.owner, name, giteatest.RepoOptions{}); err != nil {
				return err
			}
			return s.gitea.AddCollaborator(ctx, s.owner, "acme/"+name, s.bot)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.repos = max(s.repos, count)
	fmt.Printf("  %d repositories on a Gitea, made in %.0f s\n", s.repos, time.Since(start).Seconds())
	return nil
}

func repoName(i int) string { return fmt.Sprintf("image-%04d", i) }

// running is an odyssey-bot serve.
type running struct {
	cmd              *exec.Cmd
	log              bytes.Buffer
	config           string // its file
	webhooks, status string
	ended            chan struct{}
	peak             chan int64
}

// serve starts the bot with a store ("store: FILE" or "storeURLFile: FILE").
func (s *forgeScene) serve(ctx context.Context, name, store string, more ...string) (*running, error) {
	dir := filepath.Join(s.dir, name)
	var addresses []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, l.Addr().String())
		_ = l.Close()
	}
	var config strings.Builder
	fmt.Fprintf(&config, "version: 1\n%s\nlisten: %s\nstatusListen: %s\n%s\ngit:\n  allow: [%s]\n", store, addresses[0], addresses[1], strings.Join(more, "\n"), s.gitea.URL)
	fmt.Fprintf(&config, "forges:\n  - kind: gitea\n    url: %s\n    tokenFile: token\n    webhookSecretFile: hook\n    repositories:\n", s.gitea.URL)
	for i := range s.repos {
		fmt.Fprintf(&config, "      - acme/%s\n", repoName(i))
	}
	r := &running{config: filepath.Join(dir, "odyssey.yaml"), webhooks: "http://" + addresses[0], status: "http://" + addresses[1], ended: make(chan struct{}), peak: make(chan int64, 1)}
	err := errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "token"), []byte(s.bot.Token), 0o600),
		os.WriteFile(filepath.Join(dir, "hook"), []byte(hookSecret), 0o600),
		os.WriteFile(r.config, []byte(config.String()), 0o600),
	)
	if err != nil {
		return nil, err
	}
	r.cmd = exec.CommandContext(ctx, s.binary, "serve", "--config", r.config, "--log-level", "warn")
	r.cmd.Env = environment(dir)
	r.cmd.Stderr = &r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { r.peak <- watchPeak(r.cmd.Process.Pid, r.ended) }()
	err = r.await(ctx, "it gets ready", func() (bool, error) {
		_, failed := r.get("/readyz")
		return failed == nil, nil
	})
	return r, err
}

// stop ends the bot and checks how much memory it had at most.
func (r *running) stop() error {
	close(r.ended)
	peak := <-r.peak
	err := r.cmd.Process.Signal(syscall.SIGTERM)
	if failed := r.cmd.Wait(); err == nil && failed != nil {
		err = fmt.Errorf("odyssey-bot serve: %w\n%s", failed, tail(r.log.Bytes()))
	}
	fmt.Printf("  memory: %d MB at most, asked for at most %d\n", peak>>20, serveMemory>>20)
	if peak > serveMemory {
		err = errors.Join(err, fmt.Errorf("it had %d MB of memory", peak>>20))
	}
	return err
}

func (r *running) get(path string) (string, error) {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(r.status + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return string(data), err
}

// metric adds up the values of a metric whose labels have all of some texts.
func (r *running) metric(name string, labels ...string) (sum float64, err error) {
	text, err := r.get("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(strings.TrimSpace(line), name)
		if !found || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		if !containsAll(rest, labels) {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += value
	}
	return sum, nil
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// await waits for up to five minutes.
func (r *running) await(ctx context.Context, what string, is func() (bool, error)) error {
	deadline := time.Now().Add(5 * time.Minute)
	for {
		yes, err := is()
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited in vain until %s\n%s", what, tail(r.log.Bytes()))
		}
	}
}

// cancelJobs ends what waits or runs: a bot that has met many repositories
// looks into them over a quarter of an hour, and its calls are none of a sweep's.
func (s *forgeScene) cancelJobs(ctx context.Context, r *running) error {
	for {
		list := exec.CommandContext(ctx, s.binary, "jobs", "list", "--config", r.config, "--state", "waiting,retrying,running", "--json")
		out, err := list.Output()
		var jobs []queue.Info
		if err == nil {
			err = json.Unmarshal(out, &jobs)
		}
		args := []string{"jobs", "cancel", "--config", r.config}
		for _, j := range jobs {
			if j.Kind == "merges" {
				args = append(args, strconv.FormatInt(j.ID, 10))
			}
		}
		if err != nil || len(args) == 4 {
			return err
		}
		_ = exec.CommandContext(ctx, s.binary, args...).Run() // some have ended meanwhile
	}
}

// sweep measures the second sweep over all repositories: in the first one the
// bot meets them.
func (s *forgeScene) sweep(ctx context.Context) error {
	if err := s.grow(ctx, serveRepos); err != nil {
		return err
	}
	r, err := s.serve(ctx, "sweep", "store: odyssey.db", "sweep: 1m")
	if err != nil {
		return err
	}
	swept := func(n float64) error {
		return r.await(ctx, fmt.Sprintf("sweep %.0f has ended", n), func() (bool, error) {
			done, err := r.metric("odyssey_sweep_duration_seconds_count")
			return done >= n, err
		})
	}
	if err := errors.Join(swept(1), s.cancelJobs(ctx, r)); err != nil {
		return errors.Join(err, r.stop())
	}
	calls, err := r.metric("odyssey_forge_calls_total")
	took, failed := r.metric("odyssey_sweep_duration_seconds_sum")
	err = errors.Join(err, failed, swept(2))
	after, failed := r.metric("odyssey_forge_calls_total")
	sum, also := r.metric("odyssey_sweep_duration_seconds_sum")
	if err := errors.Join(err, failed, also); err != nil {
		return errors.Join(err, r.stop())
	}
	each := (after - calls) / serveRepos
	length := time.Duration((sum - took) * float64(time.Second))
	fmt.Printf("  a sweep of %d repositories with nothing to do: %.1f s, asked for less than %.0f; %.2f calls for each, asked for at most %d\n",
		serveRepos, length.Seconds(), sweepLongest.Seconds(), each, sweepCalls)
	if length > sweepLongest {
		err = fmt.Errorf("a sweep took %.1f s", length.Seconds())
	}
	if each > sweepCalls {
		err = errors.Join(err, fmt.Errorf("a sweep made %.2f calls for each repository", each))
	}
	return errors.Join(err, r.stop())
}
