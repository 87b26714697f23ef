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
	File string `json:"file"` // slash-separated path
	Line int    `json:"line"` // from 1
	Old  Image  `json:"old"`  // as it was; Tag or Digest may be empty
}

// Bump returns a file with every reference to the image's repository at the
// image's tag and digest, and those references. With a previous image, only
// references to that digest, or without a digest to that tag, are changed.
// Faults in the file are *Error.
func Bump(name string, data []byte, to Image, previous *Image) (out []byte, refs []Reference, err error) {
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
	sites = slices.DeleteFunc(sites, func(s site) bool { return previous != nil && !s.was.runs(*previous) })
	out, err = apply(name, data, sites, to)
	if err != nil {
		return nil, nil, err
	}
	if err := check(name, out, sites, to); err != nil {
		return nil, nil, err
	}
	for _, s := range sites {
		refs = append(refs, Reference{File: name, Line: s.line, Old: s.was})
	}
	return out, refs, nil
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
	case hasSuffix(base, ".yaml", ".yml") || base == "Kustomization":
		sites, err = findYAML(name, data, to)
	case hasSuffix(base, ".container", ".image", ".volume", ".kube", ".build", ".pod"):
		sites = findLines(data, to, quadletKey)
	case base == ".env" || hasSuffix(base, ".env"):
		sites = findLines(data, to, anyKey)
	default:
		return nil, &Error{File: name, Msg: "is no file that can name an image", Hint: "there are " + strings.Join(Patterns(), ", ")}
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
	return []string{"**/*.{yaml,yml}", "**/Kustomization", "**/*.{container,image,volume,kube,build,pod}", "**/{,*}.env"}
}

// site is a reference and how it is changed.
type site struct {
	line int
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
