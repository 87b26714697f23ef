package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/release"
	"github.com/nuobit/odyssey/internal/source"
)

// exitTaken: a tag is there already, and stands for another image.
const exitTaken = 4

// packFlags are the flags of pack.
type packFlags struct {
	source      sourceFlags
	registry    registryFlags
	base        string
	output      string
	tags        []string
	next        string
	annotations []string
	previous    string
	epoch       string
	digestFile  string
	languages   []string
	compression string
	platform    string
	system      string
	lock        string
	imageSource string
	imageVenv   string
	join        []string
	packJobs    int
	documents   documentFlags
	json        bool
}

func (a *app) pack() *cobra.Command {
	var o packFlags
	cmd := &cobra.Command{
		Use:   "pack REPOS_LOCK [SRC_DIR]",
		Short: "Assemble a build into an image and publish it",
		Long: `Assemble the sources below SRC_DIR ($ODOO_SRC, /opt/odoo/src), the environment
in $ODOO_VENV (/opt/odoo/venv) and the addons path into an image on --base, and
write it to --output, without a daemon: one layer for each repository of the
lock, one for the environment, one for /etc/odoo. The same inputs give the same digest.

Where the previous image has a repository with the same tree, its layer is taken:
nothing is fetched, packed or sent. Other repositories are brought to what the
lock says first, as materialize does. The previous image is the newest of the
series of --next-tag, unless --previous names one.

In a registry, a bill of materials (CycloneDX) and the provenance (SLSA) hang on the
image as referrers, which does not change its digest; see odoo-build-image sbom.

Registries are asked with the credentials of docker login. The image's name with
its digest is printed.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input, 4 a tag is there
already, and stands for another image.`,
		Example: `  odoo-build-image pack --base ghcr.io/nuobit/oci-odoo:17.0-py310-trixie-r0001@sha256:… \
      --output docker://ghcr.io/acme/odoo --next-tag 17.0-py310-trixie-r repos.lock.yaml
  odoo-build-image pack --base … --output oci-archive:odoo.tar --tag test repos.lock.yaml src
  odoo-build-image pack --output docker://ghcr.io/acme/odoo --tag 17.0-py310-trixie-r0007 \
      --join ghcr.io/acme/odoo@sha256:… --join ghcr.io/acme/odoo@sha256:…`,
		Args:    cli.Args(cobra.RangeArgs(0, 2)),
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.runPack(cmd.Context(), &o, args)
			if taken := (*oci.TagError)(nil); errors.As(err, &taken) {
				return &cli.ExitError{Code: exitTaken, Err: err}
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.base, "base", "", "`IMAGE@DIGEST` to build upon")
	flags.StringVar(&o.output, "output", "", "where to: `docker://REPOSITORY[:TAG]`, oci:DIR or oci-archive:FILE")
	flags.StringArrayVar(&o.tags, "tag", nil, "`TAG` of the image (repeatable)")
	flags.StringVar(&o.next, "next-tag", "", "tag the image with `PREFIX` and the next free number, unless it has the newest already")
	flags.StringArrayVar(&o.annotations, "annotation", nil, "`KEY=VALUE` of image and index, a label as well (repeatable)")
	flags.StringVar(&o.previous, "previous", "", "`IMAGE@DIGEST` whose layers are taken where nothing moved, newest:PREFIX for the newest of a series of tags, or none")
	flags.StringVar(&o.epoch, "source-date-epoch", "", "`SECONDS` since 1970 that the image says it was made at (default $SOURCE_DATE_EPOCH, or 0)")
	flags.StringVar(&o.digestFile, "digest-file", "", "`FILE` to write the image's digest to")
	flags.StringSliceVar(&o.languages, "languages", nil, "keep the translations of these `LANGUAGES` alone, such as es,pt_BR")
	flags.StringVar(&o.compression, "compression", string(oci.Gzip), "of layers: gzip, or zstd, which old engines do not read")
	flags.StringVar(&o.platform, "platform", "", "`OS/ARCHITECTURE` of the image (default this machine's)")
	flags.StringVar(&o.system, "system-packages", "", "`FILE` with the Debian packages that the image needs beyond its base")
	flags.StringVar(&o.lock, "requirements-lock", "requirements.lock.txt", "`FILE` that the environment was made from; empty: it must be there")
	flags.StringVar(&o.imageSource, "image-src", "/opt/odoo/src", "`DIR` of the sources in the image")
	flags.StringVar(&o.imageVenv, "image-venv", "/opt/odoo/venv", "`DIR` of the environment in the image")
	flags.StringArrayVar(&o.join, "join", nil, "publish these images, `IMAGE@DIGEST` of one architecture each, under one index; packs nothing (repeatable)")
	flags.IntVar(&o.packJobs, "layers-at-once", 3, "layers that are made and sent at once")
	flags.BoolVar(&o.json, "json", false, "print a report as JSON")
	o.documents.register(cmd)
	o.source.register(cmd)
	o.registry.register(cmd)
	return cmd
}

// registryFlags say how registries are asked.
type registryFlags struct{ insecure bool }

func (f *registryFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.insecure, "insecure-registry", false, "allow registries without TLS on other machines")
}

func (f *registryFlags) client(progress func(string, int64)) *oci.Client {
	return oci.New(oci.Options{Insecure: f.insecure, UserAgent: "odyssey/" + strings.Fields(cli.Version())[0], Progress: progress})
}

// destination is where the image goes, and what it is to be called.
func (f *packFlags) destination() (oci.Target, oci.Tags, error) {
	tags := oci.Tags{Names: f.tags, Next: f.next}
	if f.output == "" {
		return oci.Target{}, tags, cli.Usagef("say where to with --output docker://REPOSITORY, oci:DIR or oci-archive:FILE")
	}
	t, err := oci.ParseTarget(f.output)
	if err != nil {
		return t, tags, err
	}
	if t.Reference.Tag != "" {
		tags.Names = append([]string{t.Reference.Tag}, tags.Names...)
	}
	for _, tag := range tags.Names {
		if _, err := oci.ParseReference("localhost/x:" + tag); err != nil || tag == "" {
			return t, tags, cli.Usagef("%q is no tag", tag)
		}
	}
	return t, tags, nil
}

func (a *app) runPack(ctx context.Context, o *packFlags, args []string) error {
	t, tags, err := o.destination()
	if err != nil {
		return err
	}
	status := cli.NewStatus(a.stderr, a.log.Quiet)
	defer status.Finish()
	client := o.registry.client(func(layer string, _ int64) { status.Say("%-8s %-24s", "send", layer) })
	if len(o.join) > 0 {
		return a.runJoin(ctx, o, args, client, t, tags)
	}
	if len(args) == 0 {
		return cli.Usagef("name the lock: odoo-build-image pack … repos.lock.yaml\n  see: odoo-build-image pack --help")
	}
	options, err := a.packOptions(ctx, o, args, client, t, status)
	if err != nil {
		return err
	}
	start := time.Now()
	report, err := release.Pack(ctx, *options, t, tags)
	if err != nil {
		return err
	}
	reused := 0
	for _, l := range report.Layers {
		if l.Reused {
			reused++
		}
	}
	status.Done("%-8s %-24s %s, %d taken over, %s written  %s", "pack", t.Name("", ""), plural(len(report.Layers), "layer", "layers"), reused,
		source.Size(report.Written), duration(time.Since(start).Seconds()))
	if o.documents.sbom != "" {
		if err := writeText(o.documents.sbom, string(report.SBOM)); err != nil {
			return err
		}
	}
	return a.published(o, t, report.Result, report)
}

// published prints what came out.
func (a *app) published(o *packFlags, t oci.Target, result *oci.Result, report any) error {
	if o.digestFile != "" {
		if err := writeText(o.digestFile, result.Digest+"\n"); err != nil {
			return err
		}
	}
	if o.json {
		return cli.PrintJSON(a.stdout, report)
	}
	tag := ""
	if len(result.Tags) > 0 {
		tag = result.Tags[len(result.Tags)-1]
	}
	_, err := fmt.Fprintln(a.stdout, t.Name(tag, result.Digest))
	return err
}

func (a *app) runJoin(ctx context.Context, o *packFlags, args []string, client *oci.Client, t oci.Target, tags oci.Tags) error {
	if len(args) > 0 || o.base != "" || o.documents.sbom != "" {
		return cli.Usagef("--join publishes images that are packed already: leave out REPOS_LOCK, --base and --sbom")
	}
	var refs []oci.Reference
	for _, text := range o.join {
		ref, err := oci.ParsePinned(text)
		if err != nil {
			return err
		}
		refs = append(refs, ref)
	}
	docs, err := o.documents.options(t, "")
	if err != nil {
		return err
	}
	result, err := release.Join(ctx, client, refs, docs, t, tags)
	if err != nil {
		return err
	}
	return a.published(o, t, result, result)
}

// materializer materialises destinations with the flags of a command.
type materializer struct {
	a      *app
	flags  *sourceFlags
	dir    string
	status *cli.Status
}

// Materialize implements release.Materializer.
func (m *materializer) Materialize(ctx context.Context, file *lock.File, only []string) (*source.Report, error) {
	return m.a.someSources(ctx, m.status, m.flags, file, m.dir, only)
}

// packOptions reads flags, lock and registry.
func (a *app) packOptions(ctx context.Context, o *packFlags, args []string, client *oci.Client, t oci.Target, status *cli.Status) (*release.Options, error) {
	if o.base == "" {
		return nil, cli.Usagef("name the image to build upon, with its digest: --base IMAGE@sha256:…")
	}
	base, err := oci.ParsePinned(o.base)
	if err != nil {
		return nil, err
	}
	file, err := readReposLock(args[0], o.source.git.Policy())
	if err != nil {
		return nil, err
	}
	dir, err := a.sourceDir(args, 1)
	if err != nil {
		return nil, err
	}
	venv, err := filepath.Abs(a.environment().venv)
	if err != nil {
		return nil, err
	}
	options := &release.Options{
		Client: client, Lock: file, Source: dir, Venv: venv, RequirementsLock: requirementsLock(o.lock, args[0]), ImageSource: o.imageSource, ImageVenv: o.imageVenv,
		Sources: &materializer{a, &o.source, dir, status}, Base: base, Jobs: o.packJobs, Languages: o.languages,
		Done: func(m oci.Made) {
			if !m.Reused {
				status.Done("%-8s %-24s %s", "layer", m.Name, source.Size(m.Size))
			}
		},
	}
	if options.Documents, err = o.documents.options(t, args[0]); err != nil {
		return nil, err
	}
	if options.Platform, err = oci.ParsePlatform(o.platform); err != nil {
		return nil, err
	}
	if options.Compression, err = oci.ParseCompression(o.compression); err != nil {
		return nil, err
	}
	if options.Annotations, err = annotations(o.annotations); err != nil {
		return nil, err
	}
	if options.Created, err = a.epoch(o.epoch); err != nil {
		return nil, err
	}
	if options.SystemBase, err = a.systemBase(ctx, o, options, t, status); err != nil {
		return nil, err
	}
	options.Previous, err = previous(ctx, o, client, t, options.Platform)
	return options, err
}

// annotations reads KEY=VALUE.
func annotations(words []string) (map[string]string, error) {
	all := map[string]string{}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" {
			return nil, cli.Usagef("--annotation %q is not KEY=VALUE", word)
		}
		all[key] = value
	}
	return all, nil
}

// requirementsLock is the file of that name beside REPOS_LOCK where the working
// directory has none.
func requirementsLock(name, reposLock string) string {
	if _, err := os.Stat(name); err == nil || name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(reposLock), name)
}
