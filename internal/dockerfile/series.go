package dockerfile

import (
	"regexp"
	"strconv"
)

// Series is a line of tags that follow each other: they differ in one number.
type Series struct {
	Kind          SeriesKind
	before, after string
}

// SeriesKind says which number of a tag grows.
type SeriesKind int

// The kinds of series.
const (
	Revision SeriesKind = iota + 1 // "17.0-py310-trixie-r0002": of a release, whose tags are never rewritten
	Dated                          // "trixie-20261116-slim": a day
	Patch                          // "3.12.11-slim-trixie": the third number of a version
)

var (
	revisionForm = regexp.MustCompile(`^(.*-r)(\d{1,9})()$`)
	datedForm    = regexp.MustCompile(`^((?:.*-)?)(20\d{6})((?:-.*)?)$`)
	patchForm    = regexp.MustCompile(`^(v?\d+\.\d+\.)(\d{1,9})((?:-.*)?)$`)
)

// SeriesOf returns the series that a tag belongs to, and its number in it; false
// when the tag is of none: "latest", "3.12-slim".
func SeriesOf(tag string) (Series, int, bool) {
	for i, form := range []*regexp.Regexp{revisionForm, datedForm, patchForm} {
		if parts := form.FindStringSubmatch(tag); parts != nil {
			n, err := strconv.Atoi(parts[2])
			return Series{SeriesKind(i + 1), parts[1], parts[3]}, n, err == nil
		}
	}
	return Series{}, 0, false
}

// Number returns the number of a tag of the series; false of another.
func (s Series) Number(tag string) (int, bool) {
	other, n, ok := SeriesOf(tag)
	return n, ok && other == s
}

// String is the series with a star for the number.
func (s Series) String() string { return s.before + "*" + s.after }
