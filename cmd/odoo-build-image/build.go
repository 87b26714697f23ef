package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/near"
	"github.com/nuobit/odyssey/internal/odoo"
	"github.com/nuobit/odyssey/internal/python"
	"github.com/nuobit/odyssey/internal/source"
)

// buildOptions are the flags of a whole build.
type buildOptions struct {
	source sourceFlags
	python pythonFlags
	json   bool
}

// buildReport is what --json prints.
type buildReport struct {
	Sources *source.Report `json:"sources"`
	Addons  *addonsReport  `json:"addonsPath"`
	Python  *python.Report `json:"python"`
	Odoo    *odooReport    `json:"odoo"` // null when no destination is Odoo
	Seconds float64        `json:"seconds"`
}

func (a *app) build() *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "odoo-build-image REPOS_LOCK REQUIREMENTS_LOCK [SRC_DIR]",
		Short: "Build the source tree and the Python environment of an Odoo image",
		Long: `Odoo-build-image turns the locks of a derived-image repository into what an image
is made of: every locked source materialised once below SRC_DIR ($ODOO_SRC,
/opt/odoo/src), the addons path in $ODOO_ADDONS_PATH_FILE
(/etc/odoo/addons_path), and the Python environment in $ODOO_VENV
(/opt/odoo/venv), made by $ODOO_PYTHON (python3). Then it runs pip check and
odoo-bin --version.

Odoo's own requirements.txt is always the first of the requirements files. An
existing Python lock is installed as it is; an empty one needs
--refresh-requirements-lock.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input.`,
		Example: `  odoo-build-image repos.lock.yaml requirements.lock.txt
  odoo-build-image -r requirements.in -c requirements-constraints.in \
      --overrides requirements-overrides.in --refresh-requirements-lock \
      repos.lock.yaml requirements.lock.txt src`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return cli.Usagef("name the Python lock, too: odoo-build-image %s requirements.lock.txt\n  see: %s --help", args[0], cmd.CommandPath())
			}
			return cli.Args(cobra.RangeArgs(0, 3))(cmd, args)
		},
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return nearCommand(cmd, args[0], a.runBuild(cmd.Context(), &o, args))
		},
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print a report as JSON")
	o.source.register(cmd)
	o.python.register(cmd)
	return cmd
}

// nearCommand adds to an error the command that may have been meant by a first
// argument that is no file.
func nearCommand(cmd *cobra.Command, word string, err error) error {
	if _, failed := os.Stat(word); err == nil || failed == nil {
		return err
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if meant := near.Names(word, names); len(meant) > 0 {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: &cli.NoteError{Err: err, Note: "or was a command meant? near: " + strings.Join(meant, ", ")}}
	}
	return err
}

func (a *app) runBuild(ctx context.Context, o *buildOptions, args []string) error {
	file, err := readReposLock(args[0], o.source.git.Policy())
	if err != nil {
		return err
	}
	dir, err := a.sourceDir(args, 2)
	if err != nil {
		return err
	}
	if err := a.precheck(ctx, o, args[1]); err != nil {
		return err
	}
	start := time.Now()
	status := cli.NewStatus(a.stderr, a.log.Quiet)
	report, err := a.buildAll(ctx, status, o, file, dir, args[1])
	status.Finish()
	if err != nil {
		return err
	}
	report.Seconds = time.Since(start).Seconds()
	if o.json {
		return cli.PrintJSON(a.stdout, report)
	}
	return nil
}

// precheck finds what is wrong with the Python side before minutes go into
// fetching.
func (a *app) precheck(ctx context.Context, o *buildOptions, lockFile string) error {
	if err := o.python.check(); err != nil {
		return err
	}
	return python.Precheck(ctx, python.Options{
		Python: a.environment().python, Lock: lockFile, Refresh: o.python.refresh, Tool: o.python.tool, Environ: a.environ,
		Requirements: o.python.requirements, Constraints: o.python.constraints, Overrides: o.python.overrides, Venv: a.environment().venv,
	})
}

func (a *app) buildAll(ctx context.Context, status *cli.Status, o *buildOptions, file *lock.File, dir, lockFile string) (*buildReport, error) {
	var report buildReport
	var err error
	if report.Sources, err = a.sources(ctx, status, &o.source, file, dir); err != nil {
		return nil, err
	}
	if report.Addons, err = writeAddonsPath(status, file, dir, "", a.getenv("ODOO_ADDONS_PATH_FILE", "/etc/odoo/addons_path")); err != nil {
		return nil, err
	}
	checkout := filepath.Join(dir, "odoo")
	files := o.python.requirements
	odooFile := filepath.Join(checkout, "requirements.txt")
	if info, err := os.Lstat(odooFile); err == nil && info.Mode().IsRegular() && file.Find("odoo") != nil {
		files = append([]string{odooFile}, files...)
	}
	o.python.cache = o.source.cache
	if o.python.cache != "" {
		o.python.cache = filepath.Join(o.python.cache, "python")
	}
	if report.Python, err = a.python(ctx, status, &o.python, lockFile, files, dir); err != nil {
		return nil, err
	}
	if file.Find("odoo") != nil {
		if report.Odoo, err = a.checkOdoo(ctx, status, checkout); err != nil {
			return nil, err
		}
	}
	return &report, sweep(dir)
}

// odooReport is what Odoo says of itself.
type odooReport struct {
	Series  string `json:"series"`
	Version string `json:"version"`
}

// checkOdoo has Odoo start far enough to say its version.
func (a *app) checkOdoo(ctx context.Context, status *cli.Status, checkout string) (*odooReport, error) {
	start := time.Now()
	series, err := odoo.Series(checkout)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is the destination ./odoo, and holds no Odoo: %w", checkout, err)
	}
	if err != nil {
		return nil, err
	}
	version, err := python.RunScript(ctx, a.environment().venv, filepath.Join(checkout, "odoo-bin"), []string{"--version"}, a.environ)
	if err != nil {
		return nil, fmt.Errorf("Odoo does not start in this environment: %w", err) //nolint:staticcheck // a name
	}
	line := string(bytes.TrimSpace(version))
	status.Done("%-8s %-24s %s  %s", "check", "pip check, odoo-bin", line, duration(time.Since(start).Seconds()))
	return &odooReport{Series: series, Version: line}, nil
}

// sweep removes what running Odoo may have left, and refuses a tree that is a
// work tree.
func sweep(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var repositories []error
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "__pycache__":
			if err := root.RemoveAll(name); err != nil {
				return err
			}
			return fs.SkipDir
		case e.Name() == ".git":
			repositories = append(repositories, fmt.Errorf("%s is no part of a build; remove it", filepath.Join(dir, name)))
			if e.IsDir() {
				return fs.SkipDir
			}
		}
		return nil
	})
	return errors.Join(append(repositories, err)...)
}
