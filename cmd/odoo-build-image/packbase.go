package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/release"
)

// baseFlags are the flags of base.
type baseFlags struct {
	registry                             registryFlags
	base, output, system, platform, tool string
}

func (a *app) systemBaseCommand() *cobra.Command {
	var o baseFlags
	cmd := &cobra.Command{
		Use:   "base",
		Short: "Make a base image with the Debian packages of a deployment",
		Long: `Make an image that adds the Debian packages of --system-packages to --base, and push
it to the repository of --output under a tag that is made of both. If it is
there already, that one is taken: Debian's archive gives other versions another
day. pack with the same files finds it.

It needs buildah or docker, and is for machines where pack has neither. The image's
name with its digest is printed; that of --base itself when no package is listed.`,
		Example: `  odoo-build-image base --base ghcr.io/nuobit/oci-odoo:17.0-py310-trixie-r0001@sha256:… \
      --system-packages system-runtime-packages.txt --output docker://ghcr.io/acme/odoo`,
		Args:    cli.Args(cobra.NoArgs),
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runBase(cmd.Context(), &o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.base, "base", "", "`IMAGE@DIGEST` to build upon")
	flags.StringVar(&o.output, "output", "", "`docker://REPOSITORY` to keep it in")
	flags.StringVar(&o.system, "system-packages", "", "`FILE` with Debian packages, one a line")
	flags.StringVar(&o.platform, "platform", "", "`OS/ARCHITECTURE` of the image (default this machine's)")
	flags.StringVar(&o.tool, "tool", "", "`PROGRAM` that builds, buildah or docker (default the first of them that is there)")
	o.registry.register(cmd)
	return cmd
}

func (a *app) runBase(ctx context.Context, o *baseFlags) error {
	if o.base == "" || o.system == "" || o.output == "" {
		return cli.Usagef("--base, --system-packages and --output are needed\n  see: odoo-build-image base --help")
	}
	base, err := oci.ParsePinned(o.base)
	if err != nil {
		return err
	}
	t, err := oci.ParseTarget(o.output)
	if err == nil && !t.Registry() {
		err = cli.Usagef("--output is %s; such a base is kept in a registry: docker://REPOSITORY", o.output)
	}
	if err != nil {
		return err
	}
	platform, err := oci.ParsePlatform(o.platform)
	if err != nil {
		return err
	}
	status := cli.NewStatus(a.stderr, a.log.Quiet)
	ref, err := a.findBase(ctx, status, o, base, platform, t)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, ref)
	return err
}

// findBase returns the base with the packages of a list; the base itself when it is empty.
func (a *app) findBase(ctx context.Context, status *cli.Status, o *baseFlags, base oci.Reference, platform oci.Platform, t oci.Target) (oci.Reference, error) {
	packages, err := release.ReadSystemPackages(o.system)
	if err != nil || len(packages) == 0 {
		return base, err
	}
	start := time.Now()
	s := &release.System{
		Client: o.registry.client(nil), Base: base, Platform: platform, Packages: packages, Repository: t.Reference.Repository, Tool: o.tool, Environ: a.environ,
		Log: func(line string) { status.Say("%-8s %s", "base", line) },
	}
	ref, built, err := s.Find(ctx)
	status.Finish()
	if err == nil && built {
		status.Done("%-8s %-24s %s  %s", "base", ref.Tag, plural(len(packages), "package", "packages"), duration(time.Since(start).Seconds()))
	}
	return ref, err
}

// systemBase is the base with Debian packages for pack; the zero value when it needs none.
func (a *app) systemBase(ctx context.Context, o *packFlags, options *release.Options, t oci.Target, status *cli.Status) (oci.Reference, error) {
	if o.system == "" {
		return oci.Reference{}, nil
	}
	if packages, err := release.ReadSystemPackages(o.system); err != nil || len(packages) == 0 {
		return oci.Reference{}, err
	}
	if !t.Registry() {
		return oci.Reference{}, cli.Usagef("--system-packages names packages, and a base with them is kept in a registry\n  make it by: odoo-build-image base; then give what it prints as --base")
	}
	return a.findBase(ctx, status, &baseFlags{registry: o.registry, system: o.system}, options.Base, options.Platform, t)
}

// series finds the prefix of a tag that ends in the number of a release.
var series = regexp.MustCompile(`^(.+-r)[0-9]{4,}$`)

// previous is the image that layers are taken from; nil for none.
func previous(ctx context.Context, o *packFlags, client *oci.Client, t oci.Target, platform oci.Platform) (*oci.Image, error) {
	switch {
	case o.previous == "none":
		return nil, nil //nolint:nilnil // none, as asked for
	case strings.HasPrefix(o.previous, newestOf) && t.Registry():
		return newest(ctx, client, t, strings.TrimPrefix(o.previous, newestOf), platform)
	case o.previous != "":
		ref, err := oci.ParsePinned(o.previous)
		if err != nil {
			return nil, err
		}
		return client.Image(ctx, ref, platform)
	case !t.Registry():
		return nil, nil //nolint:nilnil // there is no series
	}
	prefix := o.next
	for _, tag := range append([]string{t.Reference.Tag}, o.tags...) {
		if m := series.FindStringSubmatch(tag); m != nil && prefix == "" {
			prefix = m[1]
		}
	}
	if prefix == "" {
		return nil, nil //nolint:nilnil // as before
	}
	return newest(ctx, client, t, prefix, platform)
}

// newestOf stands before the prefix of a series whose newest image is the previous one.
const newestOf = "newest:"

// newest is the newest image of a series; nil when there is none for the platform.
func newest(ctx context.Context, client *oci.Client, t oci.Target, prefix string, platform oci.Platform) (*oci.Image, error) {
	tag, err := client.Newest(ctx, t.Reference.Repository, prefix)
	if err != nil || tag == "" {
		return nil, err
	}
	image, err := client.Image(ctx, t.Reference.WithTag(tag), platform)
	if input := (*oci.InputError)(nil); errors.As(err, &input) {
		return nil, nil //nolint:nilnil // the newest is for another platform, or no image
	}
	return image, err
}

// epoch is the time that the image says it was made at.
func (a *app) epoch(text string) (time.Time, error) {
	if text == "" {
		text = a.getenv("SOURCE_DATE_EPOCH", "0")
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<37 {
		return time.Time{}, cli.Usagef("%q is no time in seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
