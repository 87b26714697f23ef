package refresh

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/dockerfile"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/outward"
)

// ErrTransient says that something beside the forge and the upstreams does not
// answer as it should: a later attempt may succeed.
var ErrTransient = errors.New("a server does not answer as it should")

// Registry is what a refresh of base images asks registries; *oci.Client is one.
type Registry interface {
	Tags(ctx context.Context, repository string) ([]string, error)
	Resolve(ctx context.Context, ref oci.Reference) (digest string, err error)
	Image(ctx context.Context, ref oci.Reference, p oci.Platform) (*oci.Image, error)
}

// BaseImages makes the refreshes of the images that Dockerfiles build on. It is
// a Source.
type BaseImages struct {
	Registry Registry
	// Packages reads the packages of an image from the list that is published
	// with it; nil, or oci.ErrNotFound: there is none.
	Packages func(ctx context.Context, ref oci.Reference) ([]Package, error)
	Now      func() time.Time
	Memory   Memory // nil: nobody remembers since when images are known
}

// Package is a package in an image or an environment.
type Package struct {
	Type    string // of its purl: "deb", "pypi"
	Name    string
	Version string
}

// baseBranch is the branch of the one pull request: what one Dockerfile builds
// and the next runs moves together.
const baseBranch = BranchPrefix + string(Base)

// mostDockerfiles is how many Dockerfiles of a repository are looked at.
const mostDockerfiles = 100

// Kind implements Source.
func (*BaseImages) Kind() Kind { return Base }

// Mine implements Source.
func (*BaseImages) Mine(branch string) bool { return branch == baseBranch }

// pin is a place that pins an image, and where it is to go.
type pin struct {
	file string
	dockerfile.Base
	ref  oci.Reference // with tag and digest
	note bool          // the tag is only in a note above
	next oci.Reference // the same, when it stays
}

// Offer implements Source.
func (b *BaseImages) Offer(ctx context.Context, r Repository) (Offer, error) {
	files, pins, err := readPins(ctx, r.Tree)
	if err != nil {
		return Offer{}, err
	}
	if len(pins) == 0 {
		return Offer{Idle: "no Dockerfile pins an image by tag and digest"}, nil
	}
	offer := Offer{Idle: "every base image is at the newest of its line"}
	var passing []error
	silent := map[string]error{} // by registry
	for _, together := range companions(pins) {
		held, err := "", silent[together[0].registry()]
		if err == nil { // it is not waited for once for each image
			held, err = b.advance(ctx, r, together)
		}
		switch {
		case err != nil && (ctx.Err() != nil || !errors.Is(err, ErrTransient)):
			return Offer{}, err
		case err != nil: // the others do not wait for it
			if !slices.Contains(passing, err) {
				passing = append(passing, err)
			}
			if unanswered(err) {
				silent[together[0].registry()] = err
			}
			held = "the registry of " + ImageName(together[0].ref.Repository) + " does not answer now; it is asked again"
		}
		if held != "" {
			offer.Held = append(offer.Held, Held{Group: groupName(together), Reason: held})
		}
	}
	moved := slices.DeleteFunc(pins, func(p *pin) bool { return p.next == p.ref })
	switch {
	case len(moved) > 0:
		offer.Drafts, offer.Passing = []Draft{b.draft(files, moved, r.Commands)}, errors.Join(passing...)
	case len(passing) > 0: // nothing is lost by another attempt, and what is open stays
		return Offer{}, errors.Join(passing...)
	case len(offer.Held) > 0:
		offer.Waiting = map[string]string{baseBranch: offer.Held[0].Reason}
	}
	return offer, nil
}

// readPins finds the images that the Dockerfiles of a tree pin by tag and
// digest.
func readPins(ctx context.Context, tree Tree) (files map[string][]byte, pins []*pin, err error) {
	paths, err := tree.Paths(ctx)
	if err != nil {
		return nil, nil, err
	}
	paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return !dockerfile.IsName(p) })
	slices.Sort(paths)
	paths = paths[:min(len(paths), mostDockerfiles)]
	if len(paths) == 0 {
		return nil, nil, nil
	}
	if files, err = tree.Files(ctx, paths); err != nil {
		return nil, nil, err
	}
	for _, name := range paths {
		for _, base := range dockerfile.Bases(files[name]) {
			ref, err := oci.ParsePinned(base.Image)
			if err != nil {
				continue // not pinned: what it is, its owner leaves to each build
			}
			p := &pin{file: name, Base: base, ref: ref}
			if note, is := dockerfile.NoteOf(files[name], base); is && ref.Tag == "" {
				if seen, err := oci.ParseReference(note.Image); err == nil && seen.Repository == ref.Repository {
					p.ref.Tag, p.note = seen.Tag, true
				}
			}
			if p.next = p.ref; p.ref.Tag != "" {
				pins = append(pins, p)
			}
		}
	}
	return files, pins, nil
}

// companions groups the pins that move together or not at all: those of one
// image's line, and those of images whose releases have the same name and that
// lie beside each other: the builder and the runtime.
func companions(pins []*pin) (groups [][]*pin) {
	at := map[string]int{}
	for _, p := range pins {
		key := p.ref.Repository + ":" + p.ref.Tag
		if series, _, is := dockerfile.SeriesOf(p.ref.Tag); is {
			key = p.ref.Repository + ":" + series.String()
			if series.Kind == dockerfile.Revision {
				key = path.Dir(p.ref.Repository) + "/:" + series.String()
			}
		}
		i, known := at[key]
		if !known {
			i, groups = len(groups), append(groups, nil)
			at[key] = i
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

// groupName names a group for people.
func groupName(together []*pin) string { return ImageName(together[0].ref.Repository) }

// advance finds where a group goes. It returns why it stays, when it should not.
func (b *BaseImages) advance(ctx context.Context, r Repository, together []*pin) (held string, err error) {
	tag := ""
	if r.Policy.Base.Follow == config.FollowLine {
		if tag, held, err = b.newest(ctx, together); err != nil || held != "" {
			return held, err
		}
	}
	next := map[oci.Reference]string{}
	for _, p := range together {
		at := p.ref.WithTag(cmp.Or(tag, p.ref.Tag))
		if next[at] != "" {
			continue
		}
		digest, err := b.Registry.Resolve(ctx, at)
		if err != nil {
			return b.trouble(ImageName(at.String()), err)
		}
		next[at] = digest
	}
	if held = settle(together, tag, next); held != "" {
		return held, nil
	}
	return b.ripen(ctx, r, together)
}

// settle sets where each of a group goes, or returns why none does.
func settle(together []*pin, tag string, next map[oci.Reference]string) (held string) {
	changed, same := 0, 0
	for _, p := range together {
		at := p.ref.WithTag(cmp.Or(tag, p.ref.Tag))
		p.next = at.WithDigest(next[at])
		if p.next == p.ref {
			same++
			continue
		}
		changed++
		series, _, is := dockerfile.SeriesOf(p.ref.Tag)
		if is && series.Kind == dockerfile.Revision && at.Tag == p.ref.Tag && p.ref.Digest != noDigest {
			held = ImageName(at.String()) + " stands for another image than the one that is pinned, and tags of releases are not rewritten; look before you trust it"
		}
	}
	if held == "" && changed > 0 && same > 0 && tag == "" && several(together) {
		held = "not all that move together have a new build under their tag yet"
	}
	if held != "" {
		stay(together)
	}
	return held
}

// ImageName is a repository of images as people write it.
func ImageName(repository string) string {
	if name, is := strings.CutPrefix(repository, "index.docker.io/"); is {
		return "docker.io/" + name
	}
	return repository
}

// noDigest is what a scaffold has in the place of a digest.
const noDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// several reports whether a group is of more than one image.
func several(together []*pin) bool {
	return slices.ContainsFunc(together, func(p *pin) bool { return p.ref.Repository != together[0].ref.Repository })
}

// newest returns the newest tag of the group's series that all of its images
// have; "" when its tags are of none.
func (b *BaseImages) newest(ctx context.Context, together []*pin) (tag, held string, err error) {
	series, _, is := dockerfile.SeriesOf(together[0].ref.Tag)
	if !is {
		return "", "", nil
	}
	least := 0
	common := map[string]int{} // how many images have a tag
	images := map[string]bool{}
	for _, p := range together {
		n, _ := series.Number(p.ref.Tag)
		least = max(least, n)
		if images[p.ref.Repository] {
			continue
		}
		images[p.ref.Repository] = true
		tags, err := b.Registry.Tags(ctx, p.ref.Repository)
		if err != nil {
			held, err := b.trouble(ImageName(p.ref.Repository), err)
			return "", held, err
		}
		for _, t := range tags {
			common[t]++
		}
	}
	best := -1
	for t, n := range common {
		number, in := series.Number(t)
		if in && n == len(images) && number >= least && (number > best || number == best && t > tag) {
			tag, best = t, number
		}
	}
	if tag == "" {
		return "", fmt.Sprintf("no tag %s from %d on is there of all that move together", series, least), nil
	}
	return tag, "", nil
}

// trouble sorts a registry's errors: what may pass is returned, and what is for
// somebody to mend is said.
func (b *BaseImages) trouble(what string, err error) (held string, failure error) {
	switch {
	case refusedThroughout(err):
		return what + " is not on the public internet, and git.allow of the bot's odyssey.yaml does not name its registry", nil
	case errors.Is(err, oci.ErrTransient):
		return "", fmt.Errorf("%w: %w", ErrTransient, err)
	case errors.Is(err, oci.ErrDenied):
		return "the registry does not let me read " + what + "; its credentials are for the operator of this bot to give", nil
	case errors.Is(err, oci.ErrNotFound):
		return "the registry has no " + what, nil
	}
	refused := (*oci.RegistryError)(nil)
	if errors.As(err, &refused) {
		return "the registry does not answer for " + what + " as it should", nil
	}
	return "", err
}

// refusedThroughout reports whether nothing else is at fault than that an address
// is not allowed. A client that may speak plain HTTP tries that after TLS, and
// joins both faults in a text: where one is allowed, and the other one failed, the
// registry is out of reach.
func refusedThroughout(err error) bool {
	if answered := (*oci.RegistryError)(nil); errors.As(err, &answered) && answered.Status != 0 {
		return false
	}
	for _, attempt := range strings.Split(err.Error(), `; Get "http://`) {
		if !strings.Contains(attempt, outward.ErrRefused.Error()) {
			return false
		}
	}
	return true
}

// unanswered reports whether a registry did not say a word.
func unanswered(err error) bool {
	failed := (*oci.RegistryError)(nil)
	return errors.As(err, &failed) && failed.Status == 0
}

// registry is the host that serves the image.
func (p *pin) registry() string {
	host, _, _ := strings.Cut(p.ref.Repository, "/")
	return host
}

// draft is the pull request that moves the pins.
func (b *BaseImages) draft(files map[string][]byte, moved []*pin, commands bool) Draft {
	d := Draft{Group: string(Base), Branch: baseBranch, Target: baseTarget(moved), Newer: "a newer image"}
	for _, p := range slices.Backward(moved) { // what is above in a file stays where it is
		i := slices.IndexFunc(d.Files, func(f File) bool { return f.Path == p.file })
		if i < 0 {
			i, d.Files = len(d.Files), append(d.Files, File{Path: p.file, Old: files[p.file], New: files[p.file]})
		}
		if p.note {
			d.Files[i].New = dockerfile.Observe(d.Files[i].New, p.Base, p.renamed(), ImageName(p.next.Repository)+":"+p.next.Tag, b.Now())
		} else {
			d.Files[i].New = dockerfile.Apply(d.Files[i].New, []dockerfile.Change{{Base: p.Base, Image: p.renamed()}})
		}
	}
	for _, p := range moved {
		if line := Code(ImageName(p.ref.Repository)) + " at " + Code(p.next.Tag) + " `" + p.next.Digest + "`"; !slices.Contains(d.List, line) {
			d.List = append(d.List, line)
		}
	}
	d.Describe = func(ctx context.Context) (Text, error) { return b.describe(ctx, moved, d.Target, commands) }
	return d
}

// renamed is the image as the file is to name it, with the name that it has
// there.
func (p *pin) renamed() string {
	name, _, _ := strings.Cut(p.Image, "@")
	if p.note {
		return name + "@" + p.next.Digest
	}
	return strings.TrimSuffix(name, ":"+p.ref.Tag) + ":" + p.next.Tag + "@" + p.next.Digest
}

// baseTarget is a digest of the images that pins lead to.
func baseTarget(moved []*pin) string {
	var to []string
	for _, p := range moved {
		to = append(to, p.next.String())
	}
	slices.Sort(to)
	sum := sha256.Sum256([]byte("base\n" + strings.Join(slices.Compact(to), "\n")))
	return hex.EncodeToString(sum[:])
}
