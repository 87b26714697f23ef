package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/release"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	source   sourceFlags
	registry registryFlags
	python   pythonFlags
	checkout string
	subdir   string
	platform string
	replace  bool
	packJobs int
	json     bool
}

func (a *app) verify() *cobra.Command {
	var o verifyFlags
	cmd := &cobra.Command{
		Use:   "verify IMAGE@DIGEST",
		Short: "Rebuild a published image and compare it",
		Long: `Fetch the locks of the commit that an image names (its annotations
org.opencontainers.image.source and revision), materialise and build what they say, pack it
without sending it anywhere, and compare the digest. When it is another, print which
layers differ, and which files of them.

The environment is built where the image has it (/opt/odoo/venv), since it holds
its own path; run it in the builder image that the release was made with.

Exit codes: 0 the same, 1 not the same, or failed, 2 wrong usage or invalid input.`,
		Example: `  odoo-build-image verify ghcr.io/acme/odoo@sha256:…
  odoo-build-image verify --checkout . --json ghcr.io/acme/odoo:17.0-py310-trixie-r0007@sha256:…`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runVerify(cmd.Context(), &o, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.checkout, "checkout", "", "`DIR` with the files of the commit, instead of fetching them")
	flags.StringVar(&o.subdir, "directory", ".", "`DIR` of the repository that has the locks")
	flags.StringVar(&o.platform, "platform", "", "`OS/ARCHITECTURE` of the image (default this machine's)")
	flags.BoolVar(&o.replace, "replace-venv", false, "build the environment though there is one at its place")
	flags.StringArrayVar(&o.python.build, "build-constraint", nil, "`FILE` of version bounds for what builds source distributions (repeatable)")
	flags.StringVar(&o.python.tool, "python-tool", "auto", "what installs: uv, pip, or auto for uv where it is on the PATH")
	flags.BoolVar(&o.python.compile, "compile-bytecode", false, "compile the environment's modules, as the release was built with it")
	flags.IntVar(&o.packJobs, "layers-at-once", 2, "layers that are made at once")
	flags.BoolVar(&o.json, "json", false, "print a report as JSON")
	o.source.register(cmd)
	o.registry.register(cmd)
	return cmd
}

func (a *app) runVerify(ctx context.Context, o *verifyFlags, name string) (err error) {
	ref, err := oci.ParsePinned(name)
	if err != nil {
		return err
	}
	platform, err := oci.ParsePlatform(o.platform)
	if err != nil {
		return err
	}
	client := o.registry.client(nil)
	image, err := client.Image(ctx, ref, platform)
	if err != nil {
		return err
	}
	published, err := release.ReadPublished(image)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(published.Venv()); err == nil && !o.replace {
		return cli.Usagef("the environment is built at %s, and something is there: take another machine or container, or let it be replaced by --replace-venv", published.Venv())
	}
	work, err := os.MkdirTemp("", "odyssey-verify-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	status := cli.NewStatus(a.stderr, a.log.Quiet)
	verdict, err := a.rebuild(ctx, status, o, client, published, work)
	status.Finish()
	if err != nil {
		return err
	}
	return a.tellVerdict(o, ref, verdict)
}

// rebuild builds what an image was made of, and compares.
func (a *app) rebuild(ctx context.Context, status *cli.Status, o *verifyFlags, client *oci.Client, published *release.Published, work string) (*release.Verdict, error) {
	checkout, err := a.checkout(ctx, status, o, published, work)
	if err != nil {
		return nil, err
	}
	reposLock, requirements := filepath.Join(checkout, "repos.lock.yaml"), filepath.Join(checkout, "requirements.lock.txt")
	file, err := readReposLock(reposLock, o.source.git.Policy())
	if err != nil {
		return nil, err
	}
	environ := a.environ
	a.environ = slices.Concat(environ, []string{"ODOO_VENV=" + published.Venv()})
	defer func() { a.environ = environ }()
	src := filepath.Join(work, "src")
	if _, err := a.python(ctx, status, &o.python, requirements, nil, src); err != nil {
		return nil, err
	}
	return release.Verify(ctx, published, release.Rebuilt{
		Client: client, Sources: &materializer{a, &o.source, src, status}, Lock: file, Source: src, Venv: published.Venv(),
		RequirementsLock: requirements, Jobs: o.packJobs,
	})
}

// checkout is the directory with the locks of the commit that an image names.
func (a *app) checkout(ctx context.Context, status *cli.Status, o *verifyFlags, published *release.Published, work string) (string, error) {
	if !filepath.IsLocal(o.subdir) {
		return "", cli.Usagef("--directory %s is no directory in a repository", o.subdir)
	}
	if o.checkout != "" {
		return filepath.Join(o.checkout, o.subdir), nil
	}
	if published.Repository == "" || !gitname.IsObjectID(published.Commit) {
		return "", cli.Usagef("the image does not say which commit of which repository it was made from (%s, %s)\n  name a checkout of it with --checkout", oci.AnnotationSource, oci.AnnotationRevision)
	}
	text := fmt.Sprintf("./derived:\n  remotes:\n    origin: %q\n  merges:\n  - origin %s\n", published.Repository, published.Commit)
	file, err := lock.ParseLock("the image's annotation "+oci.AnnotationSource, []byte(text), o.source.git.Policy())
	if err != nil {
		return "", err
	}
	dir := filepath.Join(work, "checkout")
	if _, err := a.sources(ctx, status, &o.source, file, dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, "derived", o.subdir), nil
}

// tellVerdict prints what came of it.
func (a *app) tellVerdict(o *verifyFlags, ref oci.Reference, v *release.Verdict) error {
	if o.json {
		if err := cli.PrintJSON(a.stdout, v); err != nil {
			return err
		}
	} else {
		a.printVerdict(ref, v)
	}
	if v.Same {
		return nil
	}
	return &cli.ExitError{Code: cli.ExitFailed}
}

func (a *app) printVerdict(ref oci.Reference, v *release.Verdict) {
	if v.Same {
		fmt.Fprintf(a.stdout, "same  %s  %s\n", ref, v.Published)
		return
	}
	fmt.Fprintf(a.stdout, "differs  %s\n  published  %s\n  rebuilt    %s\n", ref, v.Published, v.Rebuilt)
	for _, l := range v.Layers {
		switch {
		case l.Published == "":
			fmt.Fprintf(a.stdout, "layer %s: only rebuilt\n", l.Name)
		case l.Rebuilt == "":
			fmt.Fprintf(a.stdout, "layer %s: only published\n", l.Name)
		case len(l.Differences) == 0:
			fmt.Fprintf(a.stdout, "layer %s: the same files, compressed otherwise\n", l.Name)
		default:
			fmt.Fprintf(a.stdout, "layer %s:\n", l.Name)
		}
		for _, d := range l.Differences {
			fmt.Fprintf(a.stdout, "  %q: %s\n", d.Name, d.What)
		}
	}
	for _, other := range v.Other {
		fmt.Fprintln(a.stdout, other)
	}
}
