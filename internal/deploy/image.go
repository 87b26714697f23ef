package deploy

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// Image is an image in a registry.
type Image struct {
	Name   string `json:"name"`             // as it was written: "ghcr.io/acme/odoo", "odoo"
	Tag    string `json:"tag,omitempty"`    // without a colon
	Digest string `json:"digest,omitempty"` // "sha256:" and 64 hexadecimal digits
}

var (
	validTag    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	validDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// ParseImage parses "NAME:TAG@sha256:DIGEST". All three are there, or it is an
// error.
func ParseImage(s string) (Image, error) {
	image, ok := split(s)
	switch {
	case !ok:
		return Image{}, fmt.Errorf("%q is no image; write NAME:TAG@sha256:DIGEST", s)
	case image.Digest == "":
		return Image{}, fmt.Errorf("the image %s has no digest; a deployment names one: %s@sha256:…", s, s)
	case image.Tag == "":
		return Image{}, fmt.Errorf("the image %s has no tag, so that people would not see which it is; write %s:TAG@%s", s, image.Name, image.Digest)
	}
	return image, nil
}

// seriesOf matches the Odoo series that a tag begins with.
var seriesOf = regexp.MustCompile(`^(\d+\.\d+)(?:-|$)`)

// series is the Odoo series that a tag says: 18.0 of 18.0-py312-trixie-r0007,
// "" when it says none.
func series(tag string) string {
	if parts := seriesOf.FindStringSubmatch(tag); parts != nil {
		return parts[1]
	}
	return ""
}

// split takes an image reference apart. It is none when a part is not as it
// should be.
func split(s string) (Image, bool) {
	var i Image
	rest, digest, pinned := strings.Cut(s, "@")
	if pinned {
		if i.Digest = digest; !validDigest.MatchString(digest) {
			return Image{}, false
		}
	}
	i.Name = rest
	if at := strings.LastIndexByte(rest, ':'); at > strings.LastIndexByte(rest, '/') {
		i.Name, i.Tag = rest[:at], rest[at+1:]
		if !validTag.MatchString(i.Tag) {
			return Image{}, false
		}
	}
	return i, normal(i.Name) != ""
}

// normal is the full name of a repository: "docker.io/library/odoo" of "odoo".
// It is "" for what is no name.
func normal(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil || !reference.IsNameOnly(named) {
		return ""
	}
	return named.Name()
}

// Repository is the image's registry and repository, written out:
// "docker.io/library/odoo".
func (i Image) Repository() string { return normal(i.Name) }

func (i Image) String() string {
	s := i.Name
	if i.Tag != "" {
		s += ":" + i.Tag
	}
	if i.Digest != "" {
		s += "@" + i.Digest
	}
	return s
}

// runs reports whether an image as a file names it is another: by its digest,
// or its tag if it has none.
func (i Image) runs(other Image) bool {
	if i.Digest != "" {
		return i.Digest == other.Digest
	}
	return i.Tag != "" && i.Tag == other.Tag
}

// says reports whether an image as a file names it is pinned as another is.
func (i Image) says(other Image) bool {
	return i.Digest == other.Digest && (i.Tag == "" || i.Tag == other.Tag)
}

// rewritten is a reference as text with another tag and digest. One that names
// a digest alone stays like that.
func (i Image) rewritten(to Image) string {
	next := Image{Name: i.Name, Tag: to.Tag, Digest: to.Digest}
	if i.Tag == "" && i.Digest != "" {
		next.Tag = ""
	}
	return next.String()
}
