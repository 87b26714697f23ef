package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Values are filled into a scaffold. What is empty stays as in the example,
// but for the series, which must be known.
type Values struct {
	Series string // of Odoo, such as 18.0; "": that of the tag of Image or RuntimeImage
	Forge  Forge  // of a derived image; "": GitHub
	Branch string // whose merges make releases; "": the series
	// Image is for a derived image the repository that releases are pushed to, and for a
	// deployment the release that runs, pinned: NAME:TAG@sha256:DIGEST.
	Image string
	// BuilderImage and RuntimeImage are what a derived image is made by and of, pinned.
	BuilderImage, RuntimeImage string
	Host                       string // that a deployment on Kubernetes is reached by; of no other kind
}

// What stands in the scaffolds.
const (
	exampleSeries   = "18.0"
	examplePrefix   = "18.0-py312-trixie-r"
	exampleImage    = "registry.example.com/acme/odoo"
	exampleRegistry = "registry.example.com"
	exampleHost     = "odoo.example.com"
	exampleBranch   = `branches: ["18.0"]`
	exampleRelease  = exampleImage + ":" + examplePrefix + "0001@" + noDigest
	exampleBuilder  = "ghcr.io/nuobit/oci-odoo-builder:" + examplePrefix + "0001@" + noDigest
	exampleRuntime  = "ghcr.io/nuobit/oci-odoo:" + examplePrefix + "0001@" + noDigest
	exampleMerge    = "the branch `18.0`"
	noDigest        = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

// lines are the foundation images' series, with the Python minor and the Debian
// release of each, as images/README.md has them.
func lines() map[string]string {
	return map[string]string{"16.0": "py310-trixie", "17.0": "py310-trixie", "18.0": "py312-trixie", "19.0": "py312-trixie"}
}

// packages is what a derived image says of Python packages for its series, instead
// of the examples that stand in the scaffold.
type packages struct{ constraints, overrides string }

const (
	exampleConstraints = "#\n# cryptography<43\n"
	exampleOverrides   = "#\n# Odoo asks for a version that has no wheel for this Python.\n# gevent==24.11.1\n"
)

// needed are the packages without which Odoo's own requirements cannot be had, by
// how the tags of releases begin.
func needed() map[string]packages {
	python310 := packages{
		constraints: `
# gevent asks for setuptools without a bound, and Odoo uses pkg_resources, which
# newer ones do not have.
setuptools<81
`,
		overrides: `
# Odoo asks for gevent 21.8.0, which has no wheel for Python 3.10 and is not
# built with Cython 3. This one goes with Odoo's greenlet 1.1.2.
gevent==21.12.0
#
# PyPDF2 1.26.0 comes in an archive of a kind of tar that uv does not read. This
# is the version that Odoo 17.0 asks for on newer Pythons.
pypdf2==2.12.1
`,
	}
	return map[string]packages{"16.0-py310-": python310, "17.0-py310-": python310}
}

var (
	seriesRE = regexp.MustCompile(`^[1-9][0-9]\.0$`)
	branchRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)
	// tagRE are the tags of foundation images and releases.
	tagRE  = regexp.MustCompile(`^(([1-9][0-9]\.0)-py3[0-9]{1,2}-[a-z]+-r)[0-9]{4,}$`)
	hostRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`)
)

// InvalidError is a value that cannot be filled in. Value is the field of Values.
type InvalidError struct{ Value, Reason string }

func (e *InvalidError) Error() string { return e.Value + ": " + e.Reason }

// InvalidInput marks an error that the caller can mend.
func (*InvalidError) InvalidInput() {}

func invalid(value, format string, args ...any) error {
	return &InvalidError{Value: value, Reason: fmt.Sprintf(format, args...)}
}

// replacer fills the values in. It fails with all that is wrong with them, each
// an *InvalidError.
func (v *Values) replacer(kind Kind) (*strings.Replacer, error) {
	prefix, err := v.prefix(kind)
	errs := []error{err}
	check := func(err error) { errs = append(errs, err) }
	v.Forge = cmp.Or(v.Forge, GitHub)
	if !slices.Contains(Forges(), v.Forge) {
		check(invalid("Forge", "%q is none of %v", v.Forge, Forges()))
	}
	v.Branch = cmp.Or(v.Branch, v.Series)
	if err := gitname.CheckRef(v.Branch); v.Branch != "" && (err != nil || !branchRE.MatchString(v.Branch)) {
		check(invalid("Branch", "%q is no name of a branch that a workflow can name", v.Branch))
	}
	check(v.checkHost(kind))
	for _, image := range []struct {
		field, value string
		pinned       bool
	}{{"Image", v.Image, kind != DerivedImage}, {"BuilderImage", v.BuilderImage, true}, {"RuntimeImage", v.RuntimeImage, true}} {
		check(checkImage(image.field, image.value, image.pinned))
	}
	if builder, _ := split(v.BuilderImage); kind == DerivedImage && tagRE.MatchString(builder.tag) && !strings.HasPrefix(builder.tag, prefix) {
		check(invalid("BuilderImage", "its tag is %s, and the runtime image's tags begin with %s; the two must be of one line", builder.tag, prefix))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return strings.NewReplacer(v.pairs(kind, prefix)...), nil
}

func (v *Values) checkHost(kind Kind) error {
	_, notAddress := netip.ParseAddr(v.Host)
	switch {
	case v.Host == "":
		return nil
	case kind != Kubernetes:
		return invalid("Host", "nothing of %s has it; name the host in the proxy in front, and leave this out", kind)
	case notAddress == nil:
		return invalid("Host", "%s is an address, and an Ingress takes only names in the DNS, such as odoo.example.com", v.Host)
	case !hostRE.MatchString(v.Host) || len(v.Host) > 240:
		return invalid("Host", "%q is no name of a host in the DNS, such as odoo.example.com", v.Host)
	}
	return nil
}

// pairs are what stands in the scaffolds and what is to stand there, the longer
// before what it has in it.
func (v *Values) pairs(kind Kind, prefix string) []string {
	var pairs []string
	add := func(example, value string) {
		if value != "" {
			pairs = append(pairs, example, value)
		}
	}
	if kind == DerivedImage {
		add(exampleBuilder, v.BuilderImage)
		add(exampleRuntime, v.RuntimeImage)
		add(exampleImage, v.Image)
		if v.Forge == Forgejo {
			add("kind: gitea", "kind: forgejo")
		}
		add(exampleBranch, `branches: ["`+v.Branch+`"]`)
		add(exampleMerge, "the branch `"+v.Branch+"`")
		for line, packages := range needed() {
			if strings.HasPrefix(prefix, line) {
				add(exampleConstraints, packages.constraints)
				add(exampleOverrides, packages.overrides)
			}
		}
	} else if v.Image != "" {
		named, _ := split(v.Image)
		add(exampleRelease, v.Image)
		add("newName: "+exampleImage, "newName: "+named.name)
		add("newTag: "+examplePrefix+"0001", "newTag: "+named.tag)
		add("digest: "+noDigest, "digest: "+named.digest)
		registry, _, _ := strings.Cut(named.name, "/")
		add(exampleRegistry, registry)
	}
	add("staging."+exampleHost, prefixed("staging.", v.Host))
	add(exampleHost, v.Host)
	add(examplePrefix, prefix)
	add(exampleSeries, v.Series)
	add(strings.ReplaceAll(exampleSeries, ".", "-"), strings.ReplaceAll(v.Series, ".", "-"))
	return pairs
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// prefix finds the series, and how the tags of releases begin.
func (v *Values) prefix(kind Kind) (string, error) {
	from := v.RuntimeImage
	if kind != DerivedImage {
		from = v.Image
	}
	named, _ := split(from)
	tag := tagRE.FindStringSubmatch(named.tag)
	if v.Series == "" && tag != nil {
		v.Series = tag[2]
	}
	switch line := lines()[v.Series]; {
	case v.Series == "":
		return "", invalid("Series", "it is missing; which Odoo is it for: 16.0, 17.0, 18.0 or 19.0?")
	case !seriesRE.MatchString(v.Series):
		return "", invalid("Series", "%q is no series of Odoo, such as 18.0", v.Series)
	case tag != nil && tag[2] != v.Series:
		return "", invalid("Series", "it is %s, and the image's tag says %s", v.Series, tag[2])
	case tag != nil:
		return tag[1], nil
	case line != "":
		return v.Series + "-" + line + "-r", nil
	}
	which := "an image"
	if kind == DerivedImage {
		which = "a runtime image"
	}
	return "", invalid("Series", "there is no foundation image for %s known; name %s whose tag says its Python, such as %s-py312-trixie-r0001", v.Series, which, v.Series)
}

// image is an image reference in its parts, each "" when it has none.
type image struct{ name, tag, digest string }

func split(ref string) (image, error) {
	parsed, err := reference.Parse(ref)
	if err != nil {
		return image{}, err
	}
	var i image
	if named, ok := parsed.(reference.Named); ok {
		i.name = named.Name()
	}
	if tagged, ok := parsed.(reference.Tagged); ok {
		i.tag = tagged.Tag()
	}
	if digested, ok := parsed.(reference.Digested); ok {
		i.digest = digested.Digest().String()
	}
	return i, nil
}

func checkImage(field, ref string, pinned bool) error {
	if ref == "" {
		return nil
	}
	i, err := split(ref)
	registry, _, _ := strings.Cut(i.name, "/")
	switch {
	case err != nil:
		return invalid(field, "%q is no image: %v", ref, err)
	case registry == i.name || !strings.ContainsAny(registry, ".:") && registry != "localhost":
		return invalid(field, "%q does not begin with a registry, such as ghcr.io/acme/odoo", ref)
	case pinned && (i.tag == "" || !strings.HasPrefix(i.digest, "sha256:")):
		return invalid(field, "%q is not pinned; write NAME:TAG@sha256:DIGEST", ref)
	case !pinned && ref != i.name:
		return invalid(field, "%q has a tag or a digest; name only the repository that releases are pushed to, such as %s", ref, i.name)
	}
	return nil
}
