package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/deploy"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/release"
)

type bumpOptions struct {
	image, previous  string
	dir              string
	config, forge    string
	repo             string
	files, instances []string
	inOrder          bool
	anySeries        bool
	dryRun, json     bool
	insecureRegistry bool
}

func (a *app) bumpDeployment() *cobra.Command {
	var o bumpOptions
	cmd := &cobra.Command{
		Use:   "bump-deployment",
		Short: "Move an image in deployment files, here or by pull request",
		Long: `Move an image to another tag and digest wherever deployment files name it:
Kubernetes manifests, kustomizations, Helm values, compose files, Podman
quadlets and env files. Nothing else changes in them, byte for byte.

With --dir the files of a directory are changed. With --repo a pull request in
that repository is opened or brought up to date, or one for each --instance;
forge and token are those of --config. Without either, the deployments of the
.odyssey.yaml in this directory say where. Who closes such a pull request, or
reverts it, holds that image: it is proposed again when there is a newer one.

What names an image of another Odoo series, by a tag such as
17.0-py310-trixie-r0007, is left and told of, as is a place where the image is
named and nothing is changed.

The registry must have the image under this tag and digest; its credentials are
docker's.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input.`,
		Example: `  odyssey-bot bump-deployment --image ghcr.io/acme/odoo:18.0-py312-trixie-r0008@sha256:… --dir .
  odyssey-bot bump-deployment --image "$IMAGE" --repo acme/deployment --config odyssey.yaml
  odyssey-bot bump-deployment --image "$IMAGE"    # where .odyssey.yaml says
  odyssey-bot bump-deployment --image "$IMAGE" --repo acme/deployment --in-order \
    --instance 'staging=overlays/staging/**' --instance 'production=overlays/production/**'`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runBumpDeployment(cmd.Context(), &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.image, "image", "", "the image to be run, `NAME:TAG@sha256:DIGEST`")
	flags.StringVar(&o.previous, "previous", "", "change only what names this `IMAGE`, by its digest, or its tag where there is none")
	flags.StringVar(&o.dir, "dir", "", "change the files of this directory")
	flags.StringVar(&o.repo, "repo", "", "open pull requests in the repository `OWNER/NAME`")
	flags.StringVar(&o.config, "config", config.ServerFile, "configuration of the bot, for --repo")
	flags.StringVar(&o.forge, "forge", "", "`name` of the forge in the configuration, when there are several")
	flags.StringArrayVar(&o.files, "files", nil, "keep to files that match the `GLOB`, such as overlays/production/** (repeatable)")
	flags.StringArrayVar(&o.instances, "instance", nil, "give the files that match a glob a pull request of their own, `NAME=GLOB`; the same name may be given again (repeatable)")
	flags.BoolVar(&o.anySeries, "any-series", false, "change what names an image of another series, such as 17.0 for 18.0, too")
	flags.BoolVar(&o.inOrder, "in-order", false, "propose an instance only when those before it run the image")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, with --dir as a diff, and write nothing")
	flags.BoolVar(&o.json, "json", false, "print what was done as JSON")
	flags.BoolVar(&o.insecureRegistry, "insecure-registry", false, "let the registry be one that speaks plain HTTP")
	return cmd
}

func (a *app) runBumpDeployment(ctx context.Context, o *bumpOptions) error {
	d, err := o.deployment()
	if err != nil {
		return err
	}
	client := oci.New(oci.Options{Insecure: o.insecureRegistry, UserAgent: "odyssey-bot"})
	d.Registry = registry{client}
	if err := published(ctx, client, d.Image); err != nil {
		return err
	}
	switch {
	case o.dir != "":
		return a.bumpDir(o, d)
	case o.repo != "":
		return a.bumpRepo(ctx, o, []declared{{o.repo, d}})
	}
	all, err := declarations(d)
	if err != nil {
		return err
	}
	return a.bumpRepo(ctx, o, all)
}

// deployment reads the flags.
func (o *bumpOptions) deployment() (d bot.Deployment, err error) {
	switch {
	case o.image == "":
		return d, cli.Usagef("--image says which image is to be run: NAME:TAG@sha256:DIGEST")
	case o.dir != "" && o.repo != "":
		return d, cli.Usagef("one of --dir DIR and --repo OWNER/NAME says where the image is named")
	case o.declared() && len(o.files)+len(o.instances) > 0, o.declared() && o.inOrder:
		return d, cli.Usagef("--files, --instance and --in-order are for --repo; without it the deployments of %s say that", config.RepoFile)
	case o.dir != "" && len(o.instances) > 0:
		return d, cli.Usagef("--instance is for pull requests, with --repo; with --dir use --files GLOB")
	case len(o.files) > 0 && len(o.instances) > 0:
		return d, cli.Usagef("--files is for a repository that is one instance; with --instance NAME=GLOB there is a glob already")
	}
	if d.Image, err = deploy.ParseImage(o.image); err != nil {
		return d, cli.Usagef("--image: %w", err)
	}
	if o.previous != "" {
		previous, err := deploy.ParseImage(o.previous)
		if err != nil {
			return d, cli.Usagef("--previous: %w", err)
		}
		if previous.Repository() != d.Image.Repository() {
			return d, cli.Usagef("--previous: it is of %s, and --image of %s", previous.Repository(), d.Image.Repository())
		}
		d.Previous = &previous
	}
	d.AnySeries = o.anySeries
	if d.InOrder = o.inOrder; d.InOrder && len(o.instances) < 2 {
		return d, cli.Usagef("--in-order: there is no order without two instances; add --instance NAME=GLOB")
	}
	d.Instances, err = o.parts()
	return d, err
}

// parts are the instances that have a pull request each.
func (o *bumpOptions) parts() (instances []bot.Instance, err error) {
	if len(o.files) > 0 {
		instances = []bot.Instance{{Files: o.files}}
	}
	known := map[string]int{}
	for _, text := range o.instances {
		name, glob, ok := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !ok || name == "" || glob == "" || len(name) > 100 {
			return nil, cli.Usagef("--instance: %q is none; write NAME=GLOB", text)
		}
		at, twice := known[name]
		if !twice {
			at = len(instances)
			known[name], instances = at, append(instances, bot.Instance{Name: name})
		}
		instances[at].Files = append(instances[at].Files, glob)
	}
	for _, i := range instances {
		if err := deploy.CheckPatterns(i.Files); err != nil {
			return nil, cli.Usagef("%w", err)
		}
	}
	return instances, nil
}

// registry describes images by what is in their registry.
type registry struct{ client *oci.Client }

// published refuses an image that the registry does not have under its tag.
func published(ctx context.Context, client *oci.Client, image deploy.Image) error {
	pinned, err := oci.ParsePinned(image.String())
	if err != nil {
		return err
	}
	if _, err := client.Image(ctx, pinned, oci.Platform{}); err != nil {
		return err
	}
	tagged := pinned
	tagged.Digest = ""
	digest, err := client.Resolve(ctx, tagged)
	if err != nil {
		return err
	}
	if digest != image.Digest {
		return cli.Usagef("--image: %s is %s, and not %s\n  who reads the tag would take it for another image", tagged, digest, image.Digest)
	}
	return nil
}

// Describe implements bot.Registry.
func (r registry) Describe(ctx context.Context, image deploy.Image) (content deploy.Content, err error) {
	ref, err := oci.ParseReference(image.String())
	if err != nil {
		return content, err
	}
	found, err := r.client.Image(ctx, ref, oci.Platform{})
	if err != nil {
		return content, err
	}
	says := func(name string) string {
		if text := found.Label(name); text != "" {
			return text
		}
		return found.Annotations[name]
	}
	content = deploy.Content{Source: says(oci.AnnotationSource), Revision: says(oci.AnnotationRevision)}
	for _, p := range release.Parts(found) {
		content.Parts = append(content.Parts, deploy.Part{Name: p.Name, Key: p.Key})
	}
	return content, nil
}

// bumped is a reference that was moved, for --json.
type bumped struct {
	deploy.Reference
	New     deploy.Image `json:"new"`
	Changed bool         `json:"changed"`
}

func (a *app) bumpDir(o *bumpOptions, d bot.Deployment) error {
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return cli.Usagef("--dir: %w", err)
	}
	defer root.Close()
	all, err := deploy.Paths(root.FS())
	if err != nil {
		return err
	}
	paths, files := deploy.Select(all, o.files), map[string][]byte{}
	for _, p := range paths {
		info, err := root.Lstat(p)
		if err != nil {
			return err
		}
		if info.Size() <= deploy.MaxFile {
			if files[p], err = root.ReadFile(p); err != nil {
				return err
			}
		}
	}
	found, changes, err := deploy.Bump{To: d.Image, Previous: d.Previous, AnySeries: d.AnySeries}.Files(files, paths)
	if err != nil {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: fmt.Errorf("nothing was changed\n%w", err)}
	}
	left := 0
	for _, ref := range found {
		if ref.Left != "" {
			left++
			a.say("left: %s:%d: %s", ref.File, ref.Line, ref.Left)
		}
	}
	if len(found) == left {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: fmt.Errorf("nothing in the %d files that were looked at is to be changed to %s\n  --files GLOB looks at others", len(paths), d.Image.Repository())}
	}
	for _, c := range changes {
		if o.dryRun {
			if !o.json {
				_, _ = a.stdout.Write(diff.Diff("a/"+c.Path, c.Old, "b/"+c.Path, c.New))
			}
		} else if _, err := lock.WriteFile(filepath.Join(o.dir, filepath.FromSlash(c.Path)), c.New); err != nil {
			return err
		}
	}
	return a.printBumped(o, d.Image, found)
}

func (a *app) printBumped(o *bumpOptions, to deploy.Image, found []deploy.Reference) error {
	all := []bumped{}
	for _, ref := range found {
		all = append(all, bumped{ref, to, ref.Left == "" && (ref.Old.Digest != to.Digest || ref.Old.Tag != "" && ref.Old.Tag != to.Tag)})
	}
	if o.json {
		return cli.PrintJSON(a.stdout, all)
	}
	if o.dryRun {
		return nil
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "where\tfrom\tto")
	for _, b := range all {
		to := "unchanged"
		if b.Changed {
			to = brief(b.New)
		}
		fmt.Fprintf(table, "%s:%d\t%s\t%s\n", b.File, b.Line, brief(b.Old), to)
	}
	return table.Flush()
}

// brief is an image's tag and the beginning of its digest.
func brief(i deploy.Image) string {
	text := i.Tag
	if i.Digest != "" {
		text += "@" + i.Digest[:min(len(i.Digest), len("sha256:")+7)]
	}
	if text == "" {
		return "-"
	}
	return text
}

func (a *app) bumpRepo(ctx context.Context, o *bumpOptions, all []declared) error {
	var names []forge.Name
	for _, d := range all {
		name, err := forge.ParseName(d.repo)
		if err != nil {
			return cli.Usagef("--repo: %w", err)
		}
		names = append(names, name)
	}
	log, err := a.log.Logger(a.stderr)
	if err != nil {
		return err
	}
	server, err := config.LoadServer(o.config)
	if err != nil {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	b, err := a.newBot(&server, o.config, 1, log, nil)
	if err != nil {
		return err
	}
	forges, err := openForges(&server, log, nil)
	if err != nil {
		return err
	}
	at, err := chooseForge(forges, o.forge, o.config)
	if err != nil {
		return err
	}
	var driver bot.Forge = at.driver
	if o.dryRun {
		driver = bot.DryRun(driver)
	}
	outcomes := []bot.Outcome{}
	var failures []error
	for i, d := range all {
		done, err := b.Deploy(ctx, driver, names[i], d.Deployment)
		for _, outcome := range done {
			outcomes = append(outcomes, conditional(outcome, o.dryRun))
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w%s", names[i], err, hint(err)))
		}
	}
	printed := a.printOutcomes(outcomes, o.json)
	if len(failures) > 0 {
		return &cli.ExitError{Code: cli.ExitFailed, Err: errors.Join(errors.Join(failures...), printed)}
	}
	return printed
}

// chooseForge is the forge of a name, or the only one.
func chooseForge(forges []openForge, name, file string) (openForge, error) {
	var names []string
	for _, f := range forges {
		if f.config.Name == name || name == "" && len(forges) == 1 {
			return f, nil
		}
		names = append(names, f.config.Name)
	}
	if name == "" {
		return openForge{}, cli.Usagef("%s has several forges; add --forge NAME: %s", file, strings.Join(names, ", "))
	}
	return openForge{}, cli.Usagef("--forge: %s has none called %s; there are: %s", file, name, strings.Join(names, ", "))
}
