package pep508

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Version is a version by PEP 440, ready to be compared.
type Version struct {
	raw     string
	epoch   string
	release []string
	pre     string // "a", "b", "rc" or ""
	preN    string
	post    string // number; "" without a post-release
	dev     string // number; "" without a development release
	local   []string
}

// Numbers are kept as text without leading zeros, since they have no bound.
const (
	releaseText = `v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)`
	preText     = `(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?`
	postText    = `(?:-([0-9]+)|([-_.]?(?:post|rev|r)[-_.]?)([0-9]*))?`
	devText     = `(?:([-_.]?dev[-_.]?)([0-9]*))?`
	localText   = `(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?`
)

var versionPattern = regexp.MustCompile(`^\s*` + releaseText + preText + postText + devText + localText + `\s*$`)

// maxVersion is the length of a version in bytes; the longest on the Python
// Package Index have some dozen.
const maxVersion = 256

// ParseVersion parses a version, in any of the spellings that PEP 440 allows.
func ParseVersion(text string) (Version, error) {
	if len(text) > maxVersion {
		return Version{}, fmt.Errorf("a version of %d bytes; %d are allowed", len(text), maxVersion)
	}
	m := versionPattern.FindStringSubmatch(asciiLower(text))
	if m == nil {
		return Version{}, fmt.Errorf("%q is no version as PEP 440 has it", text)
	}
	v := Version{raw: strings.TrimSpace(text), epoch: number(m[1])}
	for part := range strings.SplitSeq(m[2], ".") {
		v.release = append(v.release, number(part))
	}
	if m[3] != "" {
		v.pre, v.preN = preLetter(m[3]), number(m[4])
	}
	if m[5] != "" {
		v.post = number(m[5])
	} else if m[6] != "" {
		v.post = number(m[7])
	}
	if m[8] != "" {
		v.dev = number(m[9])
	}
	if m[10] != "" {
		for part := range strings.FieldsFuncSeq(m[10], func(r rune) bool { return strings.ContainsRune("-_.", r) }) {
			if allDigits(part) {
				part = number(part)
			}
			v.local = append(v.local, part)
		}
	}
	return v, nil
}

// asciiLower is ToLower without the letters beyond ASCII that fold into it.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func preLetter(spelling string) string {
	switch spelling {
	case "a", "alpha":
		return "a"
	case "b", "beta":
		return "b"
	}
	return "rc"
}

// number is digits without leading zeros; "0" for none.
func number(digits string) string {
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return "0"
	}
	return digits
}

func allDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

func (v Version) String() string { return v.raw }

// IsPrerelease reports whether v is an alpha, beta, candidate or development
// release.
func (v Version) IsPrerelease() bool { return v.pre != "" || v.dev != "" }

// Compare returns -1, 0 or 1 as PEP 440 orders a and b; 1.0 and 1.0.0 are equal.
func Compare(a, b Version) int {
	return cmp.Or(comparePublic(a, b), compareLocal(a.local, b.local))
}

func comparePublic(a, b Version) int {
	return cmp.Or(
		compareNumber(a.epoch, b.epoch),
		compareRelease(a.release, b.release),
		compareInt(a.preRank(), b.preRank()),
		compareNumber(a.preN, b.preN),
		compareOptional(a.post, b.post, -1),
		compareOptional(a.dev, b.dev, 1),
	)
}

// preRank orders what follows a release: .dev alone, a, b, rc, nothing.
func (v Version) preRank() int {
	switch {
	case v.pre == "" && v.post == "" && v.dev != "":
		return 0
	case v.pre == "":
		return 4
	}
	return slices.Index([]string{"a", "b", "rc"}, v.pre) + 1
}

// compareOptional compares numbers of which either may be missing; missing
// is how one without sorts against one with.
func compareOptional(a, b string, missing int) int {
	switch {
	case a == "" && b == "":
		return 0
	case a == "":
		return missing
	case b == "":
		return -missing
	}
	return compareNumber(a, b)
}

func compareRelease(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if c := compareNumber(part(a, i), part(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// part is the i-th number of a release, which goes on with zeros.
func part(release []string, i int) string {
	if i < len(release) {
		return release[i]
	}
	return "0"
}

func compareNumber(a, b string) int {
	return cmp.Or(compareInt(len(a), len(b)), strings.Compare(a, b))
}

func compareInt(a, b int) int { return cmp.Compare(a, b) }

// compareLocal: none before any, text before numbers, shorter before longer.
func compareLocal(a, b []string) int {
	return slices.CompareFunc(a, b, func(x, y string) int {
		switch xn, yn := allDigits(x), allDigits(y); {
		case xn && yn:
			return compareNumber(x, y)
		case xn:
			return 1
		case yn:
			return -1
		}
		return strings.Compare(x, y)
	})
}
