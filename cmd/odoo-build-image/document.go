package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/provenance"
	"github.com/nuobit/odyssey/internal/release"
	"github.com/nuobit/odyssey/internal/sbom"
)

// documentFlags say what is written of an image beside it.
type documentFlags struct {
	sbom    string
	attest  string
	builder string
	run     string
}

func (f *documentFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.sbom, "sbom", "", "`FILE` to write the bill of materials to, in CycloneDX")
	flags.StringVar(&f.attest, "attest", "auto", "hang bill of materials and provenance on the image: yes, no, or auto for yes in a registry")
	flags.StringVar(&f.builder, "builder-id", "", "`URI` of what builds, such as the workflow, for the provenance")
	flags.StringVar(&f.run, "invocation-id", "", "`URI` of this run of it, for the provenance")
}

// options are what release is told; nil when nothing is to be written.
func (f *documentFlags) options(t oci.Target, locksFile string) (*release.Documents, error) {
	if !slices.Contains([]string{"yes", "no", "auto"}, f.attest) {
		return nil, cli.Usagef("--attest is %q; say yes, no or auto", f.attest)
	}
	d := &release.Documents{
		Attach: f.attest == "yes" || f.attest == "auto" && t.Registry(), LocksFile: locksFile,
		By: provenance.By{Builder: f.builder, Run: f.run, Version: strings.Fields(cli.Version())[0]},
	}
	if err := d.By.Check(); err != nil {
		return nil, cli.Usagef("%v", err)
	}
	if !d.Attach && f.sbom == "" {
		return nil, nil //nolint:nilnil // nothing to write
	}
	return d, nil
}

// readFlags are the flags of sbom and provenance.
type readFlags struct {
	registry  registryFlags
	platform  string
	builder   string
	predicate bool
	json      bool
}

func (a *app) sbomCommand() *cobra.Command {
	var o readFlags
	cmd := &cobra.Command{
		Use:   "sbom IMAGE@DIGEST",
		Short: "Print what is in a published image",
		Long: `Print the bill of materials that hangs on an image: the base, each repository with
its commits and the licences of its addons, and how many Python packages there are. With
--json it is the document itself, in CycloneDX, for other programs.

What hangs on an image says who may write to its repository. Where the release is signed, cosign
verify-attestation --type cyclonedx tells whether it is the workflow's; odoo-build-image verify
makes the image again.`,
		Example: `  odoo-build-image sbom ghcr.io/acme/odoo@sha256:…
  odoo-build-image sbom --json ghcr.io/acme/odoo@sha256:… >sbom.cdx.json`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runSBOM(cmd.Context(), &o, args[0])
		},
	}
	cmd.Flags().StringVar(&o.platform, "platform", "", "`OS/ARCHITECTURE` of the image, where it has several (default this machine's)")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the document itself, in CycloneDX")
	o.registry.register(cmd)
	return cmd
}

func (a *app) provenanceCommand() *cobra.Command {
	var o readFlags
	cmd := &cobra.Command{
		Use:   "provenance IMAGE@DIGEST",
		Short: "Print what a published image was made from, and by whom",
		Long: `Print the provenance that hangs on an image: who built it, from which commit of the
derived-image repository, which locks, base and repositories. With --json it is the document itself,
an in-toto statement with SLSA's provenance; with --predicate the provenance without the statement
around it, as cosign attest --type slsaprovenance1 takes it.`,
		Example: `  odoo-build-image provenance ghcr.io/acme/odoo@sha256:…
  odoo-build-image provenance --json ghcr.io/acme/odoo@sha256:…`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runProvenance(cmd.Context(), &o, args[0])
		},
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print the document itself, an in-toto statement")
	cmd.Flags().StringVar(&o.builder, "builder-id", "", "print what the builder of this `URI` says alone")
	cmd.Flags().BoolVar(&o.predicate, "predicate", false, "print the provenance without the statement around it, as JSON")
	o.registry.register(cmd)
	return cmd
}

func (a *app) runSBOM(ctx context.Context, o *readFlags, name string) error {
	ref, err := oci.ParsePinned(name)
	if err != nil {
		return err
	}
	platform := oci.Platform{}
	if o.platform != "" {
		if platform, err = oci.ParsePlatform(o.platform); err != nil {
			return err
		}
	}
	data, err := release.ReadSBOM(ctx, o.registry.client(nil), ref, platform)
	if err != nil {
		return err
	}
	document, err := sbom.Parse(data)
	if err != nil {
		return err
	}
	if o.json {
		_, err := a.stdout.Write(data)
		return err
	}
	return a.printSBOM(ref, document.Content())
}

// printSBOM prints a bill for people. Whoever wrote it may have written anything.
func (a *app) printSBOM(ref oci.Reference, c sbom.Content) error {
	fmt.Fprintf(a.stdout, "image   %s  %s\n", ref, printable(c.Image.Platform))
	if c.Image.Source != "" || c.Image.Revision != "" {
		fmt.Fprintf(a.stdout, "source  %s at %s\n", printable(c.Image.Source), printable(c.Image.Revision))
	}
	for _, b := range c.Bases {
		fmt.Fprintf(a.stdout, "base    %s@%s\n", printable(b.Repository), printable(b.Digest))
	}
	fmt.Fprintln(a.stdout)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "repository\tcommits\taddons\tlicences")
	for _, r := range c.Repositories {
		var commits, licences []string
		for _, commit := range r.Commits {
			commits = append(commits, printable(commit.ID[:min(7, len(commit.ID))]))
		}
		for _, addon := range r.Addons {
			if license := printable(addon.License); license != "" && !slices.Contains(licences, license) {
				licences = append(licences, license)
			}
		}
		slices.Sort(licences)
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", printable(r.Path), strings.Join(commits, " "), len(r.Addons), strings.Join(licences, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	hashed := 0
	for _, p := range c.Packages {
		if len(p.Hashes) > 0 {
			hashed++
		}
	}
	_, err := fmt.Fprintf(a.stdout, "\n%s, %d of them locked by hash\n", plural(len(c.Packages), "Python package", "Python packages"), hashed)
	return err
}

func (a *app) runProvenance(ctx context.Context, o *readFlags, name string) error {
	ref, err := oci.ParsePinned(name)
	if err != nil {
		return err
	}
	all, err := release.ReadProvenance(ctx, o.registry.client(nil), ref, o.builder)
	if err != nil {
		return err
	}
	if o.predicate && len(all) > 1 {
		return cli.Usagef("%d builders say what %s was made from; choose one by --builder-id", len(all), ref)
	}
	for i, one := range all {
		statement, err := provenance.Parse(one)
		switch {
		case err != nil:
			return err
		case o.predicate:
			err = cli.PrintJSON(a.stdout, statement.Predicate)
		case o.json:
			_, err = a.stdout.Write(one)
		default:
			if i > 0 {
				fmt.Fprintln(a.stdout)
			}
			err = a.printProvenance(ref, statement)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printProvenance prints a statement for people. Whoever wrote it may have written anything.
func (a *app) printProvenance(ref oci.Reference, s *provenance.Statement) error {
	fmt.Fprintf(a.stdout, "image    %s\n", ref)
	builder := printable(s.Predicate.Run.Builder.ID)
	if builder == provenance.UnknownBuilder {
		builder = "not told"
	}
	fmt.Fprintf(a.stdout, "builder  %s\n", builder)
	if m := s.Predicate.Run.Metadata; m != nil && m.InvocationID != "" {
		fmt.Fprintf(a.stdout, "run      %s\n", printable(m.InvocationID))
	}
	fmt.Fprintf(a.stdout, "build    %s\n\n", printable(s.Predicate.Build.Type))
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "made from\tdigest\twhere")
	for _, r := range s.Predicate.Build.Resolved {
		digest := r.Digest["gitCommit"]
		if digest == "" && r.Digest["sha256"] != "" {
			digest = "sha256:" + r.Digest["sha256"]
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", printable(r.Name), printable(digest), printable(r.URI))
	}
	return w.Flush()
}

// printable is foreign text without what a terminal would obey.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
