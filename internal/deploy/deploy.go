// Package deploy moves image references in the files of a deployment
// repository: it changes the tag and the digest of one image, byte for byte
// nothing else. It reads plain Kubernetes manifests, kustomizations, Helm
// values, compose files, Podman quadlets and env files, and runs nothing.
package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// MaxFile is the size in bytes above which a file is not read.
const MaxFile = 1 << 20

// Error is a fault in a file.
type Error struct {
	File string // slash-separated path
	Line int    // from 1; 0 when it is about the whole file
	Msg  string
	Hint string // what to do about it; may be empty
}

func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Hint != "" {
		return where + ": " + e.Msg + "\n  " + e.Hint
	}
	return where + ": " + e.Msg
}

// Reference is a place where a file names the image.
type Reference struct {
	File string `json:"file"`           // slash-separated path
	Line int    `json:"line"`           // from 1
	Old  Image  `json:"old"`            // as it was; Tag or Digest may be empty
	Left string `json:"left,omitempty"` // why it is left as it is; "" when it names the new image now
}

// Bump says which image files are to name, and which references are meant.
type Bump struct {
	To       Image
	Previous *Image // only references to its digest, or without a digest to its tag; nil: all
	// AnySeries is for references whose tag says another series, such as 17.0 of
	// 17.0-py310-trixie-r0007, too. They are left without it.
	AnySeries bool
}

// File returns a file with the references to the image's repository at the
// image's tag and digest, and all those references, with those that are left.
// Faults in the file are *Error.
func (b Bump) File(name string, data []byte) (out []byte, refs []Reference, err error) {
	to := b.To
	if !mentions(data, to) {
		return data, nil, nil
	}
	if len(data) > MaxFile {
		return nil, nil, &Error{File: name, Msg: fmt.Sprintf("is larger than %d KiB", MaxFile>>10)}
	}
	sites, err := find(name, data, to)
	if err != nil {
		return nil, nil, err
	}
	var moved []site
	for _, s := range sites {
		left := b.leaves(s.was)
		if refs = append(refs, Reference{File: name, Line: s.line, Old: s.was, Left: left}); left == "" {
			moved = append(moved, s)
		}
	}
	out, err = apply(name, data, moved, to)
	if err == nil {
		err = check(name, out, moved, to)
	}
	if err != nil {
		return nil, nil, err
	}
	return out, append(refs, elsewhere(name, data, to, sites)...), nil
}

// leaves says why a reference is left as it is, "" when it is not.
func (b Bump) leaves(was Image) string {
	switch old, now := series(was.Tag), series(b.To.Tag); {
	case b.Previous != nil && !was.runs(*b.Previous):
		return "it is not the previous image"
	case old != "" && now != "" && old != now && !b.AnySeries:
		return "it is of series " + old
	}
	return ""
}

// elsewhere finds lines that name the image where no reference is looked for.
// Comments count for nothing.
func elsewhere(name string, data []byte, to Image, sites []site) (refs []Reference) {
	known := map[int]bool{}
	for _, s := range sites {
		known[s.line] = true
	}
	for i, line := range strings.Split(string(data), "\n") {
		at := strings.Index(line, to.Name)
		if at < 0 || known[i+1] || strings.Contains(line[:at], "#") {
			continue
		}
		if rest := line[at+len(to.Name):]; strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "@") {
			refs = append(refs, Reference{File: name, Line: i + 1, Old: Image{Name: to.Name}, Left: "it names the image where nothing is changed"})
		}
	}
	return refs
}

// mentions is a quick look: no file that names the repository lacks the last
// part of its name.
func mentions(data []byte, to Image) bool {
	return bytes.Contains(data, []byte(path.Base(to.Repository())))
}

// find returns the references to an image's repository, in the order of the
// file.
func find(name string, data []byte, to Image) (sites []site, err error) {
	switch base := path.Base(name); {
	case hasSuffix(base, ".yaml", ".yml", ".json") || base == "Kustomization":
		sites, err = findYAML(name, data, to)
	case hasSuffix(base, ".container", ".image", ".volume", ".kube", ".build", ".pod"):
		sites = findLines(data, to, quadletKey)
	case base == ".env" || hasSuffix(base, ".env"):
		sites = findLines(data, to, anyKey)
	default:
		return nil, &Error{File: name, Msg: "is no file that can name an image", Hint: "there are " + strings.Join(Patterns(), ", ")}
	}
	for i, s := range sites { // as editors count them; YAML has line breaks of its own
		edits := s.edits(to)
		sites[i].line = 1 + bytes.Count(data[:edits[len(edits)-1].start], []byte("\n"))
	}
	slices.SortStableFunc(sites, func(a, b site) int { return a.line - b.line })
	return sites, err
}

func hasSuffix(name string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// Patterns are the globs, in doublestar's syntax, of the files that may name an
// image.
func Patterns() []string {
	return []string{"**/*.{yaml,yml,json}", "**/Kustomization", "**/*.{container,image,volume,kube,build,pod}", "**/{,*}.env"}
}

// site is a reference and how it is changed.
type site struct {
	line int // from 1; find sets it
	was  Image
	// edits are what makes it another image; each is of bytes that lie on one
	// line.
	edits func(to Image) []edit
}

// edit replaces data[start:end] with text.
type edit struct {
	start, end int
	text       string
}

// apply makes the edits of all sites.
func apply(name string, data []byte, sites []site, to Image) ([]byte, error) {
	var edits []edit
	for _, s := range sites {
		edits = append(edits, s.edits(to)...)
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	edits = slices.Compact(edits) // what an anchor stands for is found once for each alias
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		if e.start < at {
			return nil, &Error{File: name, Line: 1 + bytes.Count(data[:e.start], []byte("\n")), Msg: "the same text stands for two different things", Hint: "write the image out in both places"}
		}
		out.Write(data[at:e.start])
		out.WriteString(e.text)
		at = e.end
	}
	out.Write(data[at:])
	return out.Bytes(), nil
}

// check reads the result again: what was changed is the image now, and nothing
// else became a reference.
func check(name string, out []byte, sites []site, to Image) error {
	again, err := find(name, out, to)
	if err != nil {
		return err
	}
	at := map[int]bool{}
	for _, s := range again {
		if s.was.says(to) {
			at[s.line] = true
		}
	}
	var failures []error
	for _, s := range sites {
		if !at[s.line] {
			failures = append(failures, &Error{File: name, Line: s.line, Msg: "cannot be changed in place", Hint: "write the image on one line, without escapes"})
		}
	}
	return errors.Join(failures...)
}
