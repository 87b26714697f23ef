package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nuobit/odyssey/test/gitserver"
)

// The size of the plan that is measured.
const (
	planAddons  = 40               // of each destination
	planCommits = 12               // by which each moves
	planPast    = 100              // that each has before: more than are fetched
	planLongest = 10 * time.Second // that is asked for
	planFetches = 1                // of a remote that moved, for its history; its manifests are one more where they changed
	planRuns    = 6                // of git for a remote, at most
)

// plan compares plan, which fetches what is new of each destination and writes
// the texts of all pull requests, with git: a fetch without files into a clone
// that is there, and a log with the names of files, for each destination.
func (s *suite) plan(ctx context.Context) error {
	dir := filepath.Join(s.dir, "plan")
	binary, err := buildProgram(ctx, s.dir, "odyssey-bot")
	if err != nil {
		return err
	}
	server, err := gitserver.Start(filepath.Join(dir, "server"))
	if err != nil {
		return err
	}
	defer server.Stop()
	p := &planBench{dir: dir, checkout: filepath.Join(dir, "checkout"), binary: binary, server: server, repos: map[string]*gitserver.Repo{}}
	if err := os.MkdirAll(p.checkout, 0o755); err != nil {
		return err
	}
	if err := caught(p.make); err != nil {
		return err
	}
	return p.run(ctx)
}

// planBench is sixty repositories of addons.
type planBench struct {
	dir, checkout, binary string
	server                *gitserver.Server
	repos                 map[string]*gitserver.Repo
	moves                 int
}

// caught runs what ends by a panic of fatal.
func caught(do func()) (err error) {
	defer func() {
		if failed, ok := recover().(error); ok {
			err = failed
		}
	}()
	do()
	return nil
}

func (p *planBench) make() {
	var repos, clones strings.Builder
	clones.WriteString("set -e\n")
	for d := range destinations {
		repo := p.server.Repo(fatal{}, name(d))
		p.repos[name(d)] = repo
		files := map[string]string{"README.md": name(d)}
		for a := range planAddons {
			addon := fmt.Sprintf("r%02d_addon%02d", d, a)
			files[addon+"/__manifest__.py"] = fmt.Sprintf("{'name': '%s', 'version': '17.0.1.0.0', 'license': 'AGPL-3', 'depends': []}\n", addon)
			files[addon+"/models/model.py"] = strings.Repeat("x = 1\n", 400)
			files[addon+"/views/view.xml"] = strings.Repeat("<odoo/>\n", 200)
		}
		repo.Commit(fatal{}, "17.0", files)
		past := make([]gitserver.Commit, planPast)
		for c := range past {
			past[c] = gitserver.Commit{Branch: "17.0", Files: map[string]string{"README.md": fmt.Sprint(name(d), c)}, When: time.Unix(1_600_000_000+int64(c), 0)}
		}
		repo.Add(fatal{}, past...)
		fmt.Fprintf(&repos, "./addons/%02d:\n  remotes:\n    up: %s\n  merges:\n    - up 17.0\n", d, repo.URL)
		fmt.Fprintf(&clones, "git clone --quiet --bare --filter=blob:none %s %s\n", repo.URL, name(d))
	}
	for file, content := range map[string]string{
		"checkout/repos.yaml": repos.String(), "checkout/.odyssey.yaml": "version: 1\npullRequests: {limit: 100}\n",
		"clones.sh": clones.String(), "peer.sh": peerScript,
	} {
		if err := os.WriteFile(filepath.Join(p.dir, file), []byte(content), 0o600); err != nil {
			panic(err)
		}
	}
}

// peerScript is what one would do by hand in the clones of the destinations.
const peerScript = `set -e
for d in remote-??; do
	old=$(git -C $d rev-parse refs/heads/17.0)
	git -C $d fetch --quiet --filter=blob:none origin +17.0:refs/heads/17.0
	git -C $d log --no-renames --name-only $old..refs/heads/17.0 >$d.txt
done
`

// move puts commits on all repositories; every other one of them also has a new
// version of an addon.
func (p *planBench) move() {
	p.moves++
	for d := range destinations {
		var commits []gitserver.Commit
		for c := range planCommits {
			addon := fmt.Sprintf("r%02d_addon%02d", d, (c+p.moves)%planAddons)
			files := map[string]string{addon + "/models/model.py": fmt.Sprint(p.moves, c)}
			if c == 0 && d%2 == 0 {
				files[addon+"/__manifest__.py"] = fmt.Sprintf("{'name': '%s', 'version': '17.0.1.%d.0', 'license': 'AGPL-3', 'depends': []}\n", addon, p.moves)
			}
			commits = append(commits, gitserver.Commit{Branch: "17.0", Message: fmt.Sprintf("[FIX] %s: %d", addon, c), Files: files, When: time.Unix(1_700_000_000+int64(100*p.moves+c), 0)})
		}
		p.repos[name(d)].Add(fatal{}, commits...)
	}
}

func (p *planBench) run(ctx context.Context) error {
	plan := []string{"plan", "--quiet", "--cache", filepath.Join(p.dir, "cache")}
	if _, err := clock(ctx, p.checkout, p.binary, "lock-repos", "--quiet"); err != nil {
		return err
	}
	if _, err := clock(ctx, p.dir, "sh", "clones.sh"); err != nil {
		return err
	}
	var peers, ours []time.Duration
	most := 0
	for round := range rounds + 1 {
		if err := caught(p.move); err != nil {
			return err
		}
		peer, err := clock(ctx, p.dir, "sh", "peer.sh")
		if err != nil {
			return err
		}
		p.server.Requests()
		own, err := clock(ctx, p.checkout, p.binary, plan...)
		if err != nil {
			return err
		}
		fetched := p.fetches()
		if _, err := clock(ctx, p.checkout, p.binary, "lock-repos", "--refresh-all", "--quiet"); err != nil {
			return err
		}
		if round == 0 {
			fmt.Printf("  plan, nothing kept yet                 %6.2f s\n", own.Seconds())
			continue
		}
		peers, ours, most = append(peers, peer), append(ours, own), max(most, fetched)
	}
	peer, own := median(peers), median(ours)
	fmt.Printf("  git fetch and git log, one by one      %6.2f s\n", peer.Seconds())
	fmt.Printf("  plan with changelogs of %d             %6.2f s (asked: %.0f s at most)\n", destinations, own.Seconds(), planLongest.Seconds())
	fmt.Printf("  ratio                                  %6.1f times faster\n", peer.Seconds()/own.Seconds())
	runs, err := p.count(ctx, plan)
	if err != nil {
		return err
	}
	fmt.Printf("  runs of git                            %6d, %.1f for each remote (asked: %d at most)\n", runs, float64(runs)/destinations, planRuns)
	fmt.Printf("  fetches of histories of one remote     %6d (asked: %d at most; one more of manifests where these changed)\n", most, planFetches)
	if own > planLongest || most > planFetches || runs > planRuns*destinations {
		return fmt.Errorf("a plan took %v, %d fetches of a remote and %d runs of git; asked are %v, %d and %d", own, most, runs, planLongest, planFetches, planRuns*destinations)
	}
	return nil
}

// count is how often one more plan runs git, which a script writes down.
func (p *planBench) count(ctx context.Context, plan []string) (int, error) {
	if err := caught(p.move); err != nil {
		return 0, err
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return 0, err
	}
	dir := filepath.Join(p.dir, "counting")
	script := fmt.Sprintf("#!/bin/sh\necho >>'%s/runs'\nexec '%s' \"$@\"\n", dir, git)
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o700)); err != nil {
		return 0, err
	}
	if _, err := clock(ctx, p.checkout, "env", append([]string{"PATH=" + dir + ":" + os.Getenv("PATH"), p.binary}, plan...)...); err != nil {
		return 0, err
	}
	runs, err := os.ReadFile(filepath.Join(dir, "runs"))
	return len(runs), err
}

// fetches is how many packs with commits were asked for of the remote that was
// asked most, among those without changed manifests.
func (p *planBench) fetches() (most int) {
	count := map[string]int{}
	for _, r := range p.server.Requests() {
		if r.Method == http.MethodPost {
			count[r.Path]++
		}
	}
	for d := 1; d < destinations; d += 2 {
		most = max(most, count["/"+name(d)+".git/git-upload-pack"]-1) // one asks for the refs
	}
	return most
}
