package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/test/gitserver"
)

// The size of the lock that is measured.
const (
	destinations = 60
	merges       = 3 // of each destination
	remotes      = 20
	refs         = 3000 // of each remote
	rounds       = 5    // of which the median counts
	leastRatio   = 10   // that is asked for
)

// lockRepos compares lock-repos --refresh-all with a shell script that asks
// git ls-remote for one merge after another.
func lockRepos(ctx context.Context, dir string) error {
	fmt.Printf("lock-repos --refresh-all: %d destinations, %d merges each, %d remotes of %d refs each\n", destinations, merges, remotes, refs)
	binary, err := buildProgram(ctx, dir, "odyssey-bot")
	if err != nil {
		return err
	}
	server, err := gitserver.Start(filepath.Join(dir, "server"))
	if err != nil {
		return err
	}
	defer server.Stop()
	if err := makeRemotes(server); err != nil {
		return err
	}
	if err := writeInput(dir, server.URL); err != nil {
		return err
	}
	if err := bytesPerRemote(ctx, dir, binary, server); err != nil {
		return err
	}
	script, program, err := race(ctx, dir, binary)
	if err != nil {
		return err
	}
	ratio := script.Seconds() / program.Seconds()
	fmt.Printf("  git ls-remote, %3d one after another   %6.2f s\n", destinations*merges, script.Seconds())
	fmt.Printf("  lock-repos --refresh-all               %6.2f s\n", program.Seconds())
	fmt.Printf("  ratio                                  %6.1f times faster (asked: %d)\n", ratio, leastRatio)
	if ratio < leastRatio {
		return fmt.Errorf("lock-repos is %.1f times faster, asked are %d", ratio, leastRatio)
	}
	return nil
}

func name(i int) string { return fmt.Sprintf("remote-%02d", i) }

// fatal ends the making of a remote by a panic, which makeRemotes recovers.
type fatal struct{}

func (fatal) Fatalf(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

func makeRemotes(server *gitserver.Server) (err error) {
	defer func() {
		if failed, ok := recover().(error); ok {
			err = failed
		}
	}()
	for i := range remotes {
		if err := makeRemote(server, name(i), refs); err != nil {
			return err
		}
	}
	return makeRemote(server, "small", merges)
}

// makeRemote makes a repository whose refs are the wanted branches and, up to
// n, branches as a busy upstream has them; packed, as forges keep them.
func makeRemote(server *gitserver.Server, name string, n int) error {
	tb := fatal{}
	repo := server.Repo(tb, name)
	commit := repo.Commit(tb, "17.0", map[string]string{"README": name})
	packed := []string{commit + " refs/heads/17.0"}
	for i := range n - 1 {
		branch := fmt.Sprintf("refs/heads/wip-%04d", i)
		if i < merges-1 {
			branch = fmt.Sprintf("refs/heads/17.0-fix-%d", i+1)
		}
		packed = append(packed, commit+" "+branch)
	}
	text := "# pack-refs with: peeled fully-peeled sorted \n" + strings.Join(packed, "\n") + "\n"
	return os.WriteFile(filepath.Join(repo.Dir, "packed-refs"), []byte(text), 0o600)
}

// writeInput writes a repos.yaml, a script that does lock-repos' asking, and
// what bytesPerRemote needs.
func writeInput(dir, url string) error {
	var repos, script strings.Builder
	script.WriteString("set -e\n")
	for d := range destinations {
		remote := url + "/" + name(d%remotes) + ".git"
		fmt.Fprintf(&repos, "./addons/%02d:\n  remotes:\n    up: %s\n  merges:\n", d, remote)
		for m := range merges {
			ref := "17.0"
			if m > 0 {
				ref = fmt.Sprintf("17.0-fix-%d", m)
			}
			fmt.Fprintf(&repos, "    - up %s\n", ref)
			fmt.Fprintf(&script, "git ls-remote %s refs/heads/%s\n", remote, ref)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "repos.yaml"), []byte(repos.String()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "script.sh"), []byte(script.String()), 0o600)
}

// race runs both in turn and returns the median of each.
func race(ctx context.Context, dir, binary string) (script, program time.Duration, err error) {
	var scripts, programs []time.Duration
	for range rounds {
		s, err := clock(ctx, dir, "sh", "script.sh")
		if err != nil {
			return 0, 0, err
		}
		p, err := clock(ctx, dir, binary, "lock-repos", "--refresh-all", "--quiet")
		if err != nil {
			return 0, 0, err
		}
		scripts, programs = append(scripts, s), append(programs, p)
	}
	return median(scripts), median(programs), nil
}

func clock(ctx context.Context, dir, program string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	cmd.Stderr = os.Stderr
	start := time.Now()
	err := cmd.Run()
	return time.Since(start), err
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// bytesPerRemote shows that what a remote sends does not grow with its refs.
func bytesPerRemote(ctx context.Context, dir, binary string, server *gitserver.Server) error {
	sent := func(remote, program string, args ...string) (int64, error) {
		before := len(server.Requests())
		work := filepath.Join(dir, "bytes-"+remote+filepath.Base(program))
		if err := os.Mkdir(work, 0o700); err != nil {
			return 0, err
		}
		repos := fmt.Sprintf("./a:\n  remotes:\n    up: %s/%s.git\n  merges:\n    - up 17.0\n    - up 17.0-fix-1\n", server.URL, remote)
		if err := os.WriteFile(filepath.Join(work, "repos.yaml"), []byte(repos), 0o600); err != nil {
			return 0, err
		}
		if _, err := clock(ctx, work, program, args...); err != nil {
			return 0, err
		}
		var n int64
		for _, r := range server.Requests()[before:] {
			n += r.Sent
		}
		return n, nil
	}
	few, err := sent("small", binary, "lock-repos", "--quiet")
	if err != nil {
		return err
	}
	many, err := sent(name(0), binary, "lock-repos", "--quiet")
	if err != nil {
		return err
	}
	git, err := sent(name(1), "git", "ls-remote", server.URL+"/"+name(1)+".git", "refs/heads/17.0")
	if err != nil {
		return err
	}
	fmt.Printf("  bytes from a remote of %4d refs        %6d\n", merges, few)
	fmt.Printf("  bytes from a remote of %4d refs        %6d (git ls-remote: %d)\n", refs, many, git)
	if many != few {
		return fmt.Errorf("a remote of %d refs sent %d bytes, one of %d refs %d", refs, many, merges, few)
	}
	return nil
}
