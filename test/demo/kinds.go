package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/nuobit/odyssey/test/pyindex"
	"github.com/nuobit/odyssey/test/registrytest"
	"github.com/nuobit/odyssey/test/world"
)

// fatal lets registrytest push outside of tests.
type fatal struct{}

func (fatal) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// kinds shows the refreshes of base images and of the Python lock: a registry
// with two releases of the foundation, and a package index where a package has a
// newer version.
func kinds(ctx context.Context, w *world.World) error {
	step("A registry has a new release of the foundation images, and a package index newer packages")
	registry := registrytest.Start(nil)
	defer registry.Stop()
	index := pyindex.Start()
	defer index.Close()
	image := func(name, tag, python string) string {
		at := registry.Host + "/nuobit/" + name + ":" + tag
		return at + "@" + registrytest.Push(fatal{}, at, registrytest.Base{Env: []string{"PYTHON_VERSION=" + python}, Files: map[string]string{"release": name + tag}})
	}
	runtime, builder := image("oci-odoo", "17.0-py310-trixie-r0001", "3.10.19"), image("oci-odoo-builder", "17.0-py310-trixie-r0001", "3.10.19")
	image("oci-odoo", "17.0-py310-trixie-r0002", "3.10.20")
	image("oci-odoo-builder", "17.0-py310-trixie-r0002", "3.10.20")
	for _, p := range [][2]string{{"urllib3", "1.26.5"}, {"urllib3", "1.26.18"}, {"pillow", "9.5"}, {"pillow", "11.0"}} {
		if err := index.Add(p[0], p[1]); err != nil {
			return err
		}
	}
	lock := "urllib3==1.26.5 --hash=sha256:" + strings.Repeat("0", 64) + "\n"
	if _, err := w.Commit(ctx, "Pin the foundation and lock Python", map[string]string{
		"Dockerfile":                  "ARG ODOO_RUNTIME_IMAGE=" + runtime + "\nFROM ${ODOO_RUNTIME_IMAGE}\n",
		"Dockerfile.source-build":     "ARG ODOO_BUILDER_IMAGE=" + builder + "\nFROM ${ODOO_BUILDER_IMAGE}\n",
		"requirements.lock.txt":       lock,
		"requirements.in":             "urllib3\npillow\n",
		"requirements-constraints.in": "# Odoo 17.0 wants ANTIALIAS.\npillow<10\n",
	}); err != nil {
		return err
	}
	before := *w
	defer func() { w.AllowURL, w.More, w.Environ = before.AllowURL, before.More, before.Environ }()
	w.AllowURL, w.More, w.Environ = "http://"+registry.Host, "python:\n  local: true\n  advisories: never\n", []string{"PIP_INDEX_URL=" + index.Simple()}
	for _, kind := range []string{"base", "python"} {
		step("odyssey-bot run --only " + kind)
		if err := runBot(ctx, w, "--only", kind); err != nil {
			return err
		}
		if err := show(ctx, w, "odyssey/"+kind); err != nil {
			return err
		}
	}
	return nil
}

// show prints the open pull request from a branch.
func show(ctx context.Context, w *world.World, branch string) error {
	pr, err := pullRequest(ctx, w, branch)
	if err == nil {
		fmt.Printf("\n%s\n%s\n\n%s\n", pr.URL, pr.Title, indent(pr.Body))
	}
	return err
}

// pullRequest finds the open pull request from a branch.
func pullRequest(ctx context.Context, w *world.World, branch string) (world.PullRequest, error) {
	all, err := w.PullRequests(ctx, "open")
	for _, pr := range all {
		if pr.Head.Ref == branch {
			return pr, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("no pull request from %s is open", branch)
	}
	return world.PullRequest{}, err
}

// runBot runs the program as a user would, output and all.
func runBot(ctx context.Context, w *world.World, args ...string) error {
	config, err := w.Config()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, w.Binary, append([]string{"run", "--config", config}, args...)...)
	cmd.Env = append(os.Environ(), w.Environ...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
