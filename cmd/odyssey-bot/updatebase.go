package main

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/dockerfile"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/refresh"
)

// exitOutdated is the exit code of --check when the file has another digest.
const exitOutdated = 3

type updateBaseOptions struct {
	dockerfile, image string
	check, insecure   bool
}

func (a *app) updateBase() *cobra.Command {
	var o updateBaseOptions
	cmd := &cobra.Command{
		Use:   "update-base-image-digest",
		Short: "Pin the image that a Dockerfile builds on to what its tag stands for",
		Long: `Ask the registry which image a tag stands for, and write its digest into a
Dockerfile: where FROM names the image, or where the ARG does that FROM names. The
tag is changed with it when it is of the same line (3.10, 3.10.19 for 3.10.20), and
so is the comment right above that has a tag and a day. Nothing else of the file
changes. It answers to the name update-base-image-digest, too.

Credentials are those of docker login.

Environment: DOCKERFILE, and BASE_IMAGE_REPOSITORY with BASE_IMAGE_TAG, stand in
for the two flags.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input; with --check also 3
when the file has another digest.`,
		Example: `  odyssey-bot update-base-image-digest --dockerfile images/runtime/Dockerfile \
    --image docker.io/library/python:3.10.20-slim-trixie
  BASE_IMAGE_REPOSITORY=library/python BASE_IMAGE_TAG=3.10.20-slim-trixie update-base-image-digest --check`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runUpdateBase(cmd.Context(), &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dockerfile, "dockerfile", "", "`FILE` to change (default images/runtime/Dockerfile)")
	flags.StringVar(&o.image, "image", "", "the image, `NAME:TAG`; NAME alone is one on Docker Hub")
	flags.BoolVar(&o.check, "check", false, "write nothing; exit 3 when the file has another digest")
	flags.BoolVar(&o.insecure, "insecure-registry", false, "let the registry be one that speaks plain HTTP")
	return cmd
}

func (a *app) runUpdateBase(ctx context.Context, o *updateBaseOptions) error {
	file := cmp.Or(o.dockerfile, a.variable("DOCKERFILE"), "images/runtime/Dockerfile")
	text := o.image
	if text == "" && a.variable("BASE_IMAGE_REPOSITORY") != "" {
		text = a.variable("BASE_IMAGE_REPOSITORY") + ":" + a.variable("BASE_IMAGE_TAG")
	}
	if text == "" {
		return cli.Usagef("--image says which image it is to be: docker.io/library/python:3.10.20-slim-trixie")
	}
	image, err := oci.ParseReference(text)
	if err != nil {
		return err
	}
	if image.Tag == "" || image.Digest != "" {
		return cli.Usagef("--image: %s must have a tag, and no digest: the registry is asked for that", text)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return cli.Usagef("%w", err)
	}
	if _, err := observed(data, file, image, image.WithDigest(unknownDigest)); err != nil {
		return err // before anybody is asked
	}
	client := oci.New(oci.Options{UserAgent: userAgent, Insecure: o.insecure})
	digest, err := client.Resolve(ctx, image)
	if err != nil {
		return err
	}
	next, err := observed(data, file, image, image.WithDigest(digest))
	if err != nil {
		return err
	}
	switch {
	case string(next) == string(data):
		a.say("%s has %s at %s already", file, image, digest)
		return nil
	case o.check:
		a.say("%s has another digest than %s at %s", file, image, digest)
		return &cli.ExitError{Code: exitOutdated}
	}
	if _, err := lock.WriteFile(file, next); err != nil {
		return err
	}
	a.say("%s: %s is %s", file, image, digest)
	return nil
}

// variable returns a variable of the environment, "" when there is none.
func (a *app) variable(name string) string {
	for _, v := range slices.Backward(a.environ) {
		if value, is := strings.CutPrefix(v, name+"="); is {
			return value
		}
	}
	return ""
}

const unknownDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// observed returns a Dockerfile with an image's digest in every place that names
// the image. Places with that digest stay as they are, with their comment.
func observed(data []byte, file string, image, pinned oci.Reference) ([]byte, error) {
	bases := dockerfile.Bases(data)
	var others []string
	found, out := false, data
	for _, b := range slices.Backward(bases) { // what is above in the file stays where it is
		ref, err := oci.ParseReference(b.Image)
		if err != nil || ref.Repository != image.Repository {
			others = append(others, b.Image)
			continue
		}
		tag := ref.Tag
		if note, is := dockerfile.NoteOf(data, b); is && tag == "" {
			seen, _ := oci.ParseReference(note.Image)
			tag = seen.Tag
		}
		if tag != "" && !sameLine(tag, image.Tag) {
			others = append(others, b.Image)
			continue
		}
		found = true
		if ref.Digest == pinned.Digest && (ref.Tag == "" || ref.Tag == image.Tag) {
			continue
		}
		name, _, _ := strings.Cut(b.Image, "@")
		if ref.Tag != "" {
			name = strings.TrimSuffix(name, ":"+ref.Tag) + ":" + image.Tag
		}
		out = dockerfile.Observe(out, b, name+"@"+pinned.Digest, refresh.ImageName(image.Repository)+":"+image.Tag, time.Now())
	}
	if found {
		return out, nil
	}
	if len(others) == 0 {
		return nil, cli.Usagef("%s: no FROM, and no ARG that a FROM names, has an image", file)
	}
	slices.Reverse(others)
	return nil, cli.Usagef("%s builds on no image of the line of %s; there are: %s", file, image, strings.Join(others, ", "))
}

// sameLine reports whether a tag may be put in another's place: it is the same,
// differs in one number, or is the one without that number: 3.10-slim.
func sameLine(old, next string) bool {
	if old == next {
		return true
	}
	series, _, is := dockerfile.SeriesOf(next)
	if !is {
		return false
	}
	_, in := series.Number(old)
	before, after, _ := strings.Cut(series.String(), "*")
	return in || old == strings.TrimRight(before, ".-")+after
}
