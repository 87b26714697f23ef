package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/python"
)

// requirementFlags name the files that say what to install.
type requirementFlags struct {
	requirements []string
	constraints  []string
	overrides    string
}

func (f *requirementFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.requirements, "requirement", "r", nil, "requirements `FILE`, such as requirements.in (repeatable)")
	flags.StringArrayVarP(&f.constraints, "constraint", "c", nil, "`FILE` of version bounds, which installs nothing (repeatable)")
	flags.StringVar(&f.overrides, "overrides", "", "`FILE` of lines that replace the lines of the same packages")
}

// check finds files that are named and not there.
func (f *requirementFlags) check() error {
	for flag, files := range map[string][]string{"--requirement": f.requirements, "--constraint": f.constraints, "--overrides": {f.overrides}} {
		for _, file := range files {
			if file == "" {
				continue
			}
			if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
				return cli.Usagef("%s, named by %s, does not exist", file, flag)
			}
		}
	}
	return nil
}

// pythonFlags say how the environment is made.
type pythonFlags struct {
	requirementFlags
	refresh bool
	build   []string
	tool    string
	compile bool
	report  string
	cache   string
}

func (f *pythonFlags) register(cmd *cobra.Command) {
	f.requirementFlags.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.refresh, "refresh-requirements-lock", false, "resolve the Python lock anew, with hashes, and write it back")
	flags.StringArrayVar(&f.build, "build-constraint", nil, "`FILE` of version bounds for what builds source distributions (repeatable)")
	flags.StringVar(&f.tool, "python-tool", python.ToolAuto, "what installs: uv, pip, or auto for uv where it is on the PATH")
	flags.BoolVar(&f.compile, "compile-bytecode", false, "compile the environment's modules, reproducibly")
	flags.StringVar(&f.report, "requirements-report", "", "`FILE` to write a Markdown report of the requirements to")
}

// environment are the settings that come by the environment.
type environment struct{ venv, python string }

func (a *app) environment() environment {
	return environment{venv: a.getenv("ODOO_VENV", "/opt/odoo/venv"), python: a.getenv("ODOO_PYTHON", "python3")}
}

func (a *app) pythonEnv() *cobra.Command {
	var o pythonFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "python-env REQUIREMENTS_LOCK",
		Short: "Make the Python environment from its lock",
		Long: `Install what REQUIREMENTS_LOCK names into a new environment, $ODOO_VENV
(/opt/odoo/venv), made by $ODOO_PYTHON (python3), and check that it fits together.

An existing lock is installed as it is, by its hashes when it has them. With
--refresh-requirements-lock it is resolved anew from the requirements files and
written back. It also answers to odoo-build-python-env.`,
		Example: `  odoo-build-image python-env requirements.lock.txt
  odoo-build-image python-env -r src/odoo/requirements.txt -r requirements.in \
      -c requirements-constraints.in --refresh-requirements-lock requirements.lock.txt`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			src, err := a.sourceDir(nil, 0)
			if err != nil {
				return err
			}
			status := cli.NewStatus(a.stderr, a.log.Quiet)
			report, err := a.python(cmd.Context(), status, &o, args[0], o.requirements, src)
			status.Finish()
			if err != nil || !asJSON {
				return err
			}
			return cli.PrintJSON(a.stdout, report)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a report as JSON")
	cmd.Flags().StringVar(&o.cache, "cache", "", "`DIR` that keeps downloaded packages (default: none are kept)")
	o.register(cmd)
	return cmd
}

// python makes the environment and says so. src is the directory of the
// fetched sources.
func (a *app) python(ctx context.Context, status *cli.Status, o *pythonFlags, lockFile string, files []string, src string) (*python.Report, error) {
	env := a.environment()
	report, err := python.Build(ctx, python.Options{
		Python: env.python, Venv: env.venv, Lock: lockFile,
		Requirements: files, Fetched: src, Constraints: o.constraints, Overrides: o.overrides, BuildConstraints: o.build,
		Refresh: o.refresh, CompileBytecode: o.compile, Tool: o.tool, Cache: o.cache, Environ: a.environ,
		Progress: func(phase, detail string) { status.Say("%-8s %-24s %s", "python", phase, detail) },
	})
	if err != nil {
		return nil, err
	}
	if o.report != "" {
		if err := writeText(o.report, report.Markdown); err != nil {
			return nil, err
		}
	}
	for _, warning := range report.Warnings {
		status.Done("warning: %s", warning)
	}
	hashes := "no hashes in the lock"
	if report.Hashed {
		hashes = "hashes verified"
	}
	var seconds float64
	for _, p := range report.Phases {
		seconds += p.Seconds
	}
	status.Done("%-8s %-24s %s, %s, Python %s by %s  %s", "python", filepath.Base(lockFile), plural(report.Packages, "package", "packages"), hashes, report.Python, report.Tool, duration(seconds))
	for _, c := range report.Changes {
		status.Done("%-8s %s", "", changeText(c))
	}
	return report, nil
}

func changeText(c python.Change) string {
	switch {
	case c.Old == "":
		return c.Name + " " + c.New + " is new"
	case c.New == "":
		return c.Name + " " + c.Old + " is gone"
	}
	return c.Name + " " + c.Old + " -> " + c.New
}
