package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/odoo"
)

// addonsReport is what is said of an addons path.
type addonsReport struct {
	File     string   `json:"file"`
	Roots    []string `json:"roots"`
	Modules  int      `json:"modules"`
	Warnings []string `json:"warnings"`
}

func (a *app) addonsPath() *cobra.Command {
	var prefix string
	var files, asJSON bool
	cmd := &cobra.Command{
		Use:   "addons-path REPOS_LOCK SRC_DIR OUT",
		Short: "Write Odoo's addons_path for materialised sources",
		Long: `Find the addon roots of the locked repositories in SRC_DIR, in the order of the
lock, and write them to OUT as one line, the value of Odoo's addons_path.

A module name that is there twice, or a locked repository that is not there, is
an error. It also answers to odoo-generate-addons-path.`,
		Example: `  odoo-build-image addons-path repos.lock.yaml /opt/odoo/src /etc/odoo/addons_path
  odoo-build-image addons-path --prefix /opt/odoo/src repos.lock.yaml src addons_path`,
		Args:    cli.Args(cobra.ExactArgs(3)),
		Version: cli.Version(),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := readReposLock(args[0], gitname.Operator(files))
			if err != nil {
				return err
			}
			dir, err := filepath.Abs(args[1])
			if err != nil {
				return err
			}
			status := cli.NewStatus(a.stderr, a.log.Quiet)
			report, err := writeAddonsPath(status, file, dir, prefix, args[2])
			if err != nil || !asJSON {
				return err
			}
			return cli.PrintJSON(a.stdout, report)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&prefix, "prefix", "", "`DIR` that SRC_DIR will be in the image; default: SRC_DIR itself")
	flags.BoolVar(&files, "allow-file-remotes", false, "allow remotes that are local paths in the lock")
	flags.BoolVar(&asJSON, "json", false, "print a report as JSON")
	return cmd
}

// writeAddonsPath writes the addons path of a materialised lock to a file.
func writeAddonsPath(status *cli.Status, file *lock.File, dir, prefix, out string) (*addonsReport, error) {
	var dests []string
	for i := range file.Destinations {
		dests = append(dests, file.Destinations[i].Path)
	}
	path, err := odoo.AddonsPath(dir, dests)
	if err != nil {
		return nil, err
	}
	line, err := path.Line(prefix)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return nil, err
	}
	if _, err := lock.WriteFile(out, []byte(line+"\n")); err != nil {
		return nil, err
	}
	report := &addonsReport{File: out, Modules: len(path.Modules()), Warnings: append([]string{}, path.Warnings...)}
	for _, root := range path.Roots {
		report.Roots = append(report.Roots, root.Dir)
	}
	for _, warning := range path.Warnings {
		status.Done("warning: %s", warning)
	}
	status.Done("%-8s %-24s %s, %s", "addons", out, plural(len(report.Roots), "root", "roots"), fmt.Sprintf("%s addons", thousands(report.Modules)))
	return report, nil
}
