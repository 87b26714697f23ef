package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/python"
	"github.com/nuobit/odyssey/internal/python/requirements"
)

func (a *app) normalize() *cobra.Command {
	var o requirementFlags
	var constraints, report string
	cmd := &cobra.Command{
		Use:   "normalize-requirements -r FILE...",
		Short: "Print the requirements that hold for one Python",
		Long: `Read requirements files with their includes, drop the lines whose markers are
false for $ODOO_PYTHON (python3), put overrides in the place of the lines they
replace, and print what is left. It also answers to odoo-normalize-requirements.`,
		Example: `  odoo-build-image normalize-requirements -r src/odoo/requirements.txt -r requirements.in
  odoo-build-image normalize-requirements -r requirements.in -c requirements-constraints.in \
      --constraints-output constraints.txt --report requirements.md`,
		Args:    cli.Args(cobra.NoArgs),
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(o.requirements) == 0 {
				return cli.Usagef("name at least one requirements file with -r\n  see: %s --help", cmd.CommandPath())
			}
			if err := o.check(); err != nil {
				return err
			}
			interpreter, err := python.Query(cmd.Context(), a.environment().python, a.environ)
			if err != nil {
				return err
			}
			result, err := requirements.Normalize(requirements.Input{
				Files: o.requirements, Constraints: o.constraints, Overrides: o.overrides, Env: interpreter.Markers, Environ: a.environ,
			})
			if err != nil {
				return err
			}
			for file, text := range map[string]string{constraints: result.ConstraintsText(), report: result.Markdown()} {
				if file == "" {
					continue
				}
				if err := writeText(file, text); err != nil {
					return err
				}
			}
			_, err = fmt.Fprint(a.stdout, result.Text())
			return err
		},
	}
	o.register(cmd)
	cmd.Flags().StringVar(&constraints, "constraints-output", "", "`FILE` to write the constraints that hold to")
	cmd.Flags().StringVar(&report, "report", "", "`FILE` to write a Markdown report to")
	return cmd
}

// writeText writes a file by renaming it into place.
func writeText(file, text string) error {
	_, err := lock.WriteFile(file, []byte(text))
	return err
}
