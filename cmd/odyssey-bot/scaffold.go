package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/scaffold"
)

// scaffoldOptions are the flags of both scaffold commands.
type scaffoldOptions struct {
	values                          scaffold.Values
	kind                            scaffold.Kind
	forge                           string
	overwrite, dryRun, commit, json bool
}

func (a *app) scaffold() *cobra.Command {
	cmd := cli.Parent(&cobra.Command{
		Use:   "scaffold",
		Short: "Begin the repository of an image, or of a deployment",
		Long: `Copy the files that a repository begins with, and fill in names. A derived-image
repository is what an image of Odoo is made from; a deployment repository says
how it runs.`,
		Example: `  odyssey-bot scaffold derived-image --series 18.0 --image ghcr.io/acme/odoo odoo-image
  odyssey-bot scaffold deployment --kind k8s --series 18.0 odoo-deployment`,
	})
	cmd.AddCommand(a.scaffoldImage(), a.scaffoldDeployment())
	return cmd
}

func (a *app) scaffoldImage() *cobra.Command {
	o := scaffoldOptions{kind: scaffold.DerivedImage}
	cmd := &cobra.Command{
		Use:   "derived-image DIR",
		Short: "Begin the repository that an image of Odoo is made from",
		Long: `Copy to DIR what an image of Odoo is made from: repos.yaml with Odoo itself, files
for what else is wanted, Dockerfiles, workflows for the forge, and .odyssey.yaml.

DIR may be there when it is empty, or a repository without files. The files are
put there all or none.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input.`,
		Example: `  odyssey-bot scaffold derived-image --series 18.0 --image ghcr.io/acme/odoo odoo-image
  odyssey-bot scaffold derived-image --series 17.0 --image git.example.com/acme/odoo --forge gitea --branch main \
      --builder-image ghcr.io/nuobit/oci-odoo-builder:17.0-py310-trixie-r0001@sha256:… \
      --runtime-image ghcr.io/nuobit/oci-odoo:17.0-py310-trixie-r0001@sha256:… --commit odoo-image`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			o.values.Forge = scaffold.Forge(o.forge)
			return a.runScaffold(args[0], &o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.values.Series, "series", "", "`SERIES` of Odoo, such as 18.0 (default: what the runtime image's tag says)")
	flags.StringVar(&o.values.Image, "image", "", "`REPOSITORY` that releases are pushed to, such as ghcr.io/acme/odoo")
	flags.StringVar(&o.values.BuilderImage, "builder-image", "", "builder image, pinned: `NAME:TAG@sha256:DIGEST`")
	flags.StringVar(&o.values.RuntimeImage, "runtime-image", "", "runtime image, pinned: `NAME:TAG@sha256:DIGEST`")
	flags.StringVar(&o.forge, "forge", string(scaffold.GitHub), "whose workflows to copy: github, gitea or forgejo")
	flags.StringVar(&o.values.Branch, "branch", "", "`BRANCH` whose merges make releases (default: the series)")
	o.register(cmd)
	return cmd
}

func (a *app) scaffoldDeployment() *cobra.Command {
	var o scaffoldOptions
	var kind string
	cmd := &cobra.Command{
		Use:   "deployment DIR",
		Short: "Begin the repository that says how an image of Odoo runs",
		Long: `Copy to DIR what runs an image of Odoo, on Kubernetes (kustomize), by compose, or
by podman and systemd (quadlets): the server, the jobs that make a database and
update it, and odoo.conf.

DIR may be there when it is empty, or a repository without files. The files are
put there all or none.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input.`,
		Example: `  odyssey-bot scaffold deployment --kind k8s --series 18.0 --host odoo.example.com odoo-deployment
  odyssey-bot scaffold deployment --kind compose --image ghcr.io/acme/odoo:18.0-py312-trixie-r0001@sha256:… odoo-deployment`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			o.kind = scaffold.Kind(kind)
			if !slices.Contains(scaffold.Deployments(), o.kind) {
				return cli.Usagef("--kind: %q is none of k8s, compose, podman", kind)
			}
			return a.runScaffold(args[0], &o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&kind, "kind", string(scaffold.Kubernetes), "what runs the image: k8s, compose or podman")
	flags.StringVar(&o.values.Series, "series", "", "`SERIES` of Odoo, such as 18.0 (default: what the image's tag says)")
	flags.StringVar(&o.values.Image, "image", "", "image that runs, pinned: `NAME:TAG@sha256:DIGEST`")
	flags.StringVar(&o.values.Host, "host", "", "`HOST` by which production is reached, of k8s only; staging is staging.HOST")
	o.register(cmd)
	return cmd
}

func (o *scaffoldOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&o.overwrite, "overwrite", false, "write to a directory that is not empty, and replace files of the same names")
	flags.BoolVar(&o.dryRun, "dry-run", false, "write nothing; print what would be written, and how it differs from what is there")
	flags.BoolVar(&o.commit, "commit", false, "commit the files; DIR becomes a repository unless it belongs to one")
	flags.BoolVar(&o.json, "json", false, "print a report as JSON")
}

// scaffoldFlags are the flags of the fields of scaffold.Values.
func scaffoldFlags() map[string]string {
	return map[string]string{
		"Series": "--series", "Image": "--image", "BuilderImage": "--builder-image", "RuntimeImage": "--runtime-image",
		"Forge": "--forge", "Branch": "--branch", "Host": "--host",
	}
}

// scaffoldReport is what --json prints.
type scaffoldReport struct {
	Directory string           `json:"directory"`
	Kind      scaffold.Kind    `json:"kind"`
	DryRun    bool             `json:"dryRun"`
	Files     []scaffoldedFile `json:"files"`
	Commit    string           `json:"commit,omitempty"`
	Next      []string         `json:"next"`
}

type scaffoldedFile struct {
	Path   string          `json:"path"`
	Action scaffold.Action `json:"action"`
	Mode   string          `json:"mode"`
}

func (a *app) runScaffold(dir string, o *scaffoldOptions) error {
	files, err := scaffold.Render(o.kind, &o.values)
	if err != nil {
		return namedByFlags(err)
	}
	changes, err := scaffold.Plan(dir, files, o.overwrite)
	switch {
	case errors.Is(err, scaffold.ErrNotEmpty):
		return cli.Usagef("%w\n  name another directory; or see with --overwrite --dry-run what would be replaced", err)
	case errors.Is(err, scaffold.ErrNoDirectory):
		return cli.Usagef("%w\n  name another one", err)
	case err != nil:
		return err
	}
	var repository *scaffold.Repository
	if o.commit {
		if repository, err = scaffold.OpenRepository(dir, o.values.Branch); err != nil {
			return &cli.NoteError{Err: err, Note: "nothing was written"}
		}
	}
	report := scaffoldReport{Directory: dir, Kind: o.kind, DryRun: o.dryRun, Next: []string{}}
	if slices.ContainsFunc(changes, func(c scaffold.Change) bool { return c.Action != scaffold.Keep }) {
		report.Next = o.next(dir)
	}
	for _, c := range changes {
		report.Files = append(report.Files, scaffoldedFile{c.File.Path, c.Action, fmt.Sprintf("%04o", c.File.Mode.Perm())})
	}
	if !o.dryRun {
		if err := scaffold.Place(dir, changes); err != nil {
			return err
		}
		if repository != nil {
			if report.Commit, err = repository.Commit(files, "Begin with Odyssey's scaffold\n", time.Now()); err != nil {
				return &cli.NoteError{Err: err, Note: "the files are there, but not committed"}
			}
		}
	}
	return a.printScaffold(&report, changes, o.json)
}

// namedByFlags says of each value that is wrong by which flag it came.
func namedByFlags(err error) error {
	var all []error
	for _, e := range cli.Each(err) {
		if wrong := (*scaffold.InvalidError)(nil); errors.As(e, &wrong) {
			e = fmt.Errorf("%s: %s", scaffoldFlags()[wrong.Value], wrong.Reason)
		}
		all = append(all, e)
	}
	return &cli.ExitError{Code: cli.ExitInvalid, Err: errors.Join(all...)}
}

func (a *app) printScaffold(report *scaffoldReport, changes []scaffold.Change, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(a.stdout, report)
	}
	written := 0
	for _, c := range changes {
		fmt.Fprintf(a.stdout, "%-8s %s\n", c.Action, c.File.Path)
		if c.Action != scaffold.Keep {
			written++
		}
	}
	if report.DryRun {
		for _, c := range changes {
			if c.Action == scaffold.Replace {
				text := string(diff.Diff("a/"+c.File.Path, c.Old, "b/"+c.File.Path, c.File.Content))
				_, unified, _ := strings.Cut(text, "\n") // the first line repeats the names
				fmt.Fprintf(a.stdout, "\n%s", unified)
			}
		}
		a.say("would write %d of %d files to %s", written, len(changes), report.Directory)
		return nil
	}
	a.say("wrote %d of %d files to %s", written, len(changes), report.Directory)
	if report.Commit != "" {
		a.say("committed as %s", shortID(report.Commit))
	}
	if len(report.Next) > 0 {
		a.say("next:\n  %s", strings.Join(report.Next, "\n  "))
	}
	return nil
}

// next says what is left to do.
func (o *scaffoldOptions) next(dir string) []string {
	steps := []string{}
	add := func(is bool, format string, args ...any) {
		if is {
			steps = append(steps, fmt.Sprintf(format, args...))
		}
	}
	if o.kind != scaffold.DerivedImage {
		add(o.values.Image == "", "name the image that runs, in %s; or, as long as nothing else is changed: %s", o.kind.Pins(), o.again(dir))
		add(true, "read README.md, and fill in odoo.conf")
		add(true, "let the image's repository propose new releases here: set its variable DEPLOYMENT_REPO to this repository's OWNER/NAME, and its secret DEPLOYMENT_TOKEN")
		return steps
	}
	add(o.values.BuilderImage == "", "pin ODOO_BUILDER_IMAGE in Dockerfile.source-build")
	add(o.values.RuntimeImage == "", "pin ODOO_RUNTIME_IMAGE in Dockerfile")
	add(o.values.Image == "", "name the image in the release workflow: IMAGE")
	add(true, "say in repos.yaml what you want, then: cd %s && odyssey-bot lock-repos", shellWord(dir))
	add(true, "make the Python lock: README.md says how")
	add(!o.commit, "commit, and push to the branch %s, whose merges make releases; of a new repository: git init -b %s %s", o.values.Branch, o.values.Branch, shellWord(dir))
	add(o.commit, "push to the branch %s, whose merges make releases", o.values.Branch)
	return steps
}

// again is the command that fills in the image of a deployment.
func (o *scaffoldOptions) again(dir string) string {
	words := []string{"odyssey-bot scaffold deployment --kind", string(o.kind), "--series", o.values.Series}
	if o.values.Host != "" {
		words = append(words, "--host", o.values.Host)
	}
	return strings.Join(append(words, "--overwrite --image NAME:TAG@sha256:DIGEST", shellWord(dir)), " ")
}

var plainWordRE = regexp.MustCompile(`^[A-Za-z0-9_./,:@%+=][A-Za-z0-9_./,:@%+=-]*$`)

// shellWord writes a path as one word of a shell's command that is no flag.
func shellWord(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	if plainWordRE.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
