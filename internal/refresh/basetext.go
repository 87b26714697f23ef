package refresh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/oci"
)

// exchange is one image in the place of another, and where.
type exchange struct {
	old, new oci.Reference
	places   []string
	was, is  *oci.Image // nil when it could not be read
	packages *difference
}

// describe writes the text. What the images do not tell is left out.
func (b *BaseImages) describe(ctx context.Context, moved []*pin, target string, commands bool) (Text, error) {
	var all []*exchange
	for _, p := range moved {
		i := slices.IndexFunc(all, func(x *exchange) bool { return x.old == p.ref && x.new == p.next })
		if i < 0 {
			i, all = len(all), append(all, &exchange{old: p.ref, new: p.next})
		}
		all[i].places = append(all[i].places, fmt.Sprintf("%s:%d", p.file, p.Line))
	}
	for _, x := range all {
		if err := b.compare(ctx, x); err != nil {
			return Text{}, err
		}
	}
	title := cut(baseTitle(all), maxTitle)
	text := Text{Title: title, Message: baseMessage(title, all, target)}
	for rows := 200; ; rows /= 2 {
		if text.Body = baseBody(all, rows, commands); len(text.Body) <= maxBody || rows == 0 {
			return text, nil
		}
	}
}

// compare reads what the two images say of themselves. The old one may be gone.
func (b *BaseImages) compare(ctx context.Context, x *exchange) error {
	var err error
	if x.is, err = b.Registry.Image(ctx, x.new, oci.Platform{}); err != nil {
		return notRead(err)
	}
	if x.old.Digest == noDigest {
		return nil
	}
	if x.was, err = b.Registry.Image(ctx, x.old, oci.Platform{}); err != nil {
		x.was = nil
		return notRead(err)
	}
	if b.Packages == nil {
		return nil
	}
	before, err := b.Packages(ctx, x.old)
	if err == nil {
		var now []Package
		if now, err = b.Packages(ctx, x.new); err == nil {
			x.packages = differ(before, now)
		}
	}
	return notRead(err)
}

// notRead returns errors that may pass: without them, the text would say more.
func notRead(err error) error {
	if errors.Is(err, oci.ErrTransient) {
		return fmt.Errorf("%w: %w", ErrTransient, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func baseTitle(all []*exchange) string {
	tags, names := []string{}, []string{}
	for _, x := range all {
		tags, names = append(tags, x.new.Tag), append(names, "`"+plain(path.Base(x.new.Repository))+"`")
	}
	slices.Sort(tags)
	if tags = slices.Compact(tags); len(tags) > 1 {
		return "Move " + count(len(all), "base image")
	}
	what := "base images"
	if len(all) == 1 {
		what = "base image " + names[0]
	}
	if slices.ContainsFunc(all, func(x *exchange) bool { return x.old.Tag != x.new.Tag || x.old.Digest == noDigest }) {
		return "Move " + what + " to " + plain(tags[0])
	}
	return "Move " + what + " to the newest build of " + plain(tags[0])
}

func baseMessage(title string, all []*exchange, target string) string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(title, "`", "") + "\n\n")
	for _, x := range all {
		fmt.Fprintf(&b, "%s\n  from %s %s\n  to   %s %s\n", plain(ImageName(x.new.Repository)), plain(x.old.Tag), x.old.Digest, plain(x.new.Tag), x.new.Digest)
	}
	fmt.Fprintf(&b, "\n%s%s\n", Trailer, target)
	return b.String()
}

// baseBody lists at most so many rows of each table.
func baseBody(all []*exchange, rows int, commands bool) string {
	var out strings.Builder
	out.WriteString("| image | from | to | in |\n|---|---|---|---|\n")
	for _, x := range all[:min(rows, len(all))] {
		var places []string
		for _, place := range x.places {
			places = append(places, Code(place))
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", Code(ImageName(x.new.Repository)), pinned(x.old.Tag, x.old.Digest), pinned(x.new.Tag, x.new.Digest), strings.Join(places, ", "))
	}
	if more := len(all) - rows; more > 0 {
		fmt.Fprintf(&out, "| … and %s | | | |\n", count(more, "more image"))
	}
	out.WriteString("\nNothing but tags and digests changes.")
	if len(all) > 1 {
		out.WriteString(" Images of one line move together or not at all.")
	}
	out.WriteString("\n\n")
	for _, x := range all[:min(rows, len(all))] {
		x.write(&out, rows)
	}
	out.WriteString("**Try it:** build the image and run its tests; a base image is nothing that a diff shows.\n")
	text := "Close this pull request and it stays closed until there is a newer image. `base` in `" + ConfigFile + "` says what is followed."
	if commands {
		text += " Commands, in a comment: `/refresh` · `/rebase` · `/help`."
	}
	return out.String() + "\n<sub>" + text + "</sub>\n"
}

// write writes what is known of an exchange.
func (x *exchange) write(out *strings.Builder, rows int) {
	name := "**" + inline(path.Base(x.new.Repository)) + "**"
	if x.is == nil {
		fmt.Fprintf(out, "%s: the new image says nothing of itself that I could read.\n\n", name)
		return
	}
	var said []string
	say := func(what, was, is string) {
		switch {
		case is == "":
		case was != "" && was != is:
			said = append(said, what+" "+was+" → "+is)
		case was == "":
			said = append(said, what+" "+is)
		}
	}
	was := x.was
	if was == nil {
		was = &oci.Image{}
	}
	say("built", day(was.Created), day(x.is.Created))
	oldPython, newPython := was.Env("PYTHON_VERSION"), x.is.Env("PYTHON_VERSION")
	say("Python", inline(oldPython), inline(newPython))
	say("version", inline(was.Label(versionLabel)), inline(x.is.Label(versionLabel)))
	if revision := x.revision(was); revision != "" {
		said = append(said, revision)
	}
	if x.was == nil && x.old.Digest != noDigest {
		said = append(said, "the image before cannot be read any more")
	}
	if len(said) == 0 {
		said = append(said, "it says nothing of itself that differs")
	}
	fmt.Fprintf(out, "%s: %s.\n\n", name, strings.Join(said, " · "))
	if minor(oldPython) != minor(newPython) && oldPython != "" && newPython != "" {
		fmt.Fprintf(out, "⚠️ **Another Python**: %s is not %s. The Python lock is to be resolved anew for it.\n\n", inline(minor(newPython)), inline(minor(oldPython)))
	}
	if x.packages != nil {
		x.packages.fold(out, rows)
	}
}

// revision says which commits of which repository the images were built from.
func (x *exchange) revision(was *oci.Image) string {
	is := x.is.Label(oci.AnnotationRevision)
	if !isCommit(is) {
		return ""
	}
	web := newUpstream(x.is.Label(oci.AnnotationSource))
	old := was.Label(oci.AnnotationRevision)
	if isCommit(old) && old != is {
		return "revision " + web.commit(old) + " → " + web.commit(is) + " (" + web.compare("compare", old, is) + ")"
	}
	return "revision " + web.commit(is)
}

func isCommit(s string) bool { return len(s) == 40 && strings.Trim(s, "0123456789abcdef") == "" }

func day(t time.Time) string {
	if t.Unix() <= 0 { // reproducible images have no time
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// minor is a Python version without its patch: "3.12".
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// difference is what two lists of packages have otherwise.
type difference struct {
	before, now int
	changes     []PackageChange
}

// PackageChange is a package of which there is another version.
type PackageChange struct {
	Type, Name string
	Old, New   string // "" when it is not there
}

// differ compares lists of packages. Of a package that is there several times,
// all versions count as one.
func differ(before, now []Package) *difference {
	type key struct{ kind, name string }
	versions := func(all []Package) map[key]string {
		list := map[key][]string{}
		for _, p := range all {
			k := key{p.Type, p.Name}
			list[k] = append(list[k], p.Version)
		}
		joined := map[key]string{}
		for k, v := range list {
			slices.Sort(v)
			joined[k] = strings.Join(slices.Compact(v), ", ")
		}
		return joined
	}
	was, is := versions(before), versions(now)
	d := &difference{before: len(was), now: len(is)}
	for k, v := range is {
		if was[k] != v {
			d.changes = append(d.changes, PackageChange{k.kind, k.name, was[k], v})
		}
	}
	for k, v := range was {
		if _, still := is[k]; !still {
			d.changes = append(d.changes, PackageChange{k.kind, k.name, v, ""})
		}
	}
	slices.SortFunc(d.changes, func(a, b PackageChange) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return d
}

// fold lists the packages, at most so many, folded.
func (d *difference) fold(out *strings.Builder, rows int) {
	if len(d.changes) == 0 {
		fmt.Fprintf(out, "The %s in it are the same.\n\n", count(d.now, "package"))
		return
	}
	fmt.Fprintf(out, "<details><summary>%s</summary>\n\n| package | from | to |\n|---|---|---|\n", strings.Replace(count(len(d.changes), "package"), "package", "changed package", 1))
	for _, c := range d.changes[:min(rows, len(d.changes))] {
		fmt.Fprintf(out, "| %s | %s | %s |\n", inline(c.Name), orDash(inline(c.Old)), orDash(inline(c.New)))
	}
	if more := len(d.changes) - rows; more > 0 {
		fmt.Fprintf(out, "| … and %s | | |\n", count(more, "more package"))
	}
	out.WriteString("\n</details>\n\n")
}

func orDash(text string) string { return cmp.Or(text, "–") }

// versionLabel is where an image says which version of its content it is.
const versionLabel = "org.opencontainers.image.version"
