package main

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// app is what the commands share: the outside world, read once.
type app struct {
	stdout, stderr io.Writer
	environ        []string
	log            cli.LogFlags
}

func (a *app) root() *cobra.Command {
	root := a.build()
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		_, err := a.log.Logger(a.stderr)
		return err
	}
	a.log.Register(root)
	root.AddCommand(a.materialize(), a.addonsPath(), a.pythonEnv(), a.normalize(), a.pack(), a.verify(), a.sbomCommand(), a.provenanceCommand(), a.systemBaseCommand())
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		cli.Parent(completion).Example = `  source <(odoo-build-image completion bash)`
	}
	return root
}

// getenv returns a variable of the environment, or else.
func (a *app) getenv(name, otherwise string) string {
	value := ""
	for _, kv := range a.environ {
		if key, v, _ := strings.Cut(kv, "="); key == name {
			value = v
		}
	}
	return cmp.Or(value, otherwise)
}

// sourceDir is where sources go, unless an argument says otherwise.
func (a *app) sourceDir(args []string, at int) (string, error) {
	dir := a.getenv("ODOO_SRC", "/opt/odoo/src")
	if len(args) > at {
		dir = args[at]
	}
	return filepath.Abs(dir)
}

// readReposLock reads a repos.lock.yaml, which must exist and name something.
func readReposLock(path string, policy gitname.Policy) (*lock.File, error) {
	data, err := yamldoc.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usagef("%s does not exist\n  odyssey-bot lock-repos writes it from repos.yaml", path)
	}
	if err != nil {
		return nil, err
	}
	file, err := lock.ParseLock(path, data, policy)
	if err != nil {
		return nil, err
	}
	if len(file.Destinations) == 0 {
		return nil, &yamldoc.Error{Path: path, Line: 1, Msg: "locks no destination", Hint: "odyssey-bot lock-repos writes it from repos.yaml"}
	}
	return file, nil
}

// duration is a time in seconds for people.
func duration(seconds float64) string {
	switch {
	case seconds < 0.05:
		return ""
	case seconds < 10:
		return formatFloat(seconds, 1) + "s"
	}
	return formatFloat(seconds, 0) + "s"
}
