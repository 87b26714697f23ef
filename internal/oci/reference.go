package oci

import (
	"errors"
	"net"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// The grammar of the OCI distribution specification, to which go-containerregistry does not hold names.
var (
	hostName = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$`)
	repoName = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	errName  = errors.New("a name is [HOST[:PORT]/]NAME[/NAME...], where names have lower case letters, digits and single . _ - between them")
)

// Reference names a repository, and in it a tag or a digest or both.
type Reference struct {
	Repository string // with the registry, such as "ghcr.io/acme/odoo"
	Tag        string
	Digest     string // "sha256:…"
}

// ParseReference reads REPOSITORY[:TAG][@DIGEST]. A name without a registry is one
// on Docker Hub; a tag is not made up where there is none.
func ParseReference(text string) (Reference, error) {
	rest, digest, pinned := strings.Cut(text, "@")
	tag := ""
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		rest, tag = rest[:colon], rest[colon+1:]
		if tag == "" {
			return Reference{}, invalid("%q is no image reference: there is nothing after the colon", text)
		}
	}
	repository, err := name.NewRepository(rest)
	if err == nil && (!hostName.MatchString(repository.RegistryStr()) || !repoName.MatchString(repository.RepositoryStr())) {
		err = errName
	}
	if err != nil {
		return Reference{}, invalid("%q is no image reference: %v", text, err)
	}
	r := Reference{Repository: repository.Name(), Tag: tag, Digest: digest}
	if tag != "" && !tagName.MatchString(tag) {
		return Reference{}, invalid("%q is no image reference: a tag has letters, digits and . _ - behind the first, 128 at most", text)
	}
	if pinned && !isDigest(digest) {
		return Reference{}, invalid("%q is no image reference: %q is no digest (sha256: and 64 hexadecimal digits)", text, digest)
	}
	return r, nil
}

// ParsePinned is ParseReference of an image that must be named by its digest.
func ParsePinned(text string) (Reference, error) {
	r, err := ParseReference(text)
	if err == nil && r.Digest == "" {
		err = invalid("%s is not pinned: a tag may stand for another image tomorrow\n  add its digest: %s@sha256:…", text, text)
	}
	return r, err
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

func (r Reference) String() string {
	s := r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// identifier is what a registry is asked for: the digest, where it is known.
func (r Reference) identifier() string {
	switch {
	case r.Digest != "":
		return r.Digest
	case r.Tag != "":
		return r.Tag
	}
	return "latest"
}

// WithDigest is the reference with another digest.
func (r Reference) WithDigest(digest string) Reference {
	r.Digest = digest
	return r
}

// WithTag is the repository's reference with a tag and no digest.
func (r Reference) WithTag(tag string) Reference {
	return Reference{Repository: r.Repository, Tag: tag}
}

// IsLoopback reports whether an image's name is of a registry on this machine.
func IsLoopback(reference string) bool {
	host, _, _ := strings.Cut(reference, "/")
	if bare, _, err := net.SplitHostPort(host); err == nil {
		host = bare
	}
	return isLoopback(strings.Trim(host, "[]"))
}

// ParsePlatform reads OS/ARCHITECTURE[/VARIANT]; "" is Linux on this machine's processor.
func ParsePlatform(text string) (Platform, error) {
	if text == "" {
		return Platform{OS: "linux", Architecture: runtime.GOARCH}, nil
	}
	words := strings.Split(text, "/")
	if len(words) < 2 || len(words) > 3 || slices.Contains(words, "") {
		return Platform{}, invalid("%q is no platform; write such as linux/arm64", text)
	}
	p := Platform{OS: words[0], Architecture: words[1]}
	if len(words) == 3 {
		p.Variant = words[2]
	}
	return p, nil
}
