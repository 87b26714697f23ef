package pep508

import (
	"fmt"
	"regexp"
	"strings"
)

// Specifier is one bound of a version, such as >=1.2 or ==3.*.
type Specifier struct {
	Op      string // "===", "==", "!=", "~=", "<=", ">=", "<" or ">"
	Version string // as written, with a final .* of == and !=

	version Version // of Version without .*; zero for ===
}

// Specifiers are bounds that all hold. None means any version.
type Specifiers []Specifier

const (
	loosePre   = `(?:[-_.]?(?:alpha|beta|preview|pre|a|b|c|rc)[-_.]?[0-9]*)?`
	loosePost  = `(?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?`
	looseDev   = `(?:[-_.]?dev[-_.]?[0-9]*)?`
	looseLocal = `(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?`
	looseEnd   = loosePre + loosePost + looseDev
	epochText  = `\s*v?(?:[0-9]+!)?`
	numbers    = `[0-9]+(?:\.[0-9]+)*`

	specifierText = `(?i:===\s*[^\s;)]*` +
		`|(?:==|!=)` + epochText + numbers + `(?:\.\*|` + looseEnd + looseLocal + `)` +
		`|~=` + epochText + `[0-9]+(?:\.[0-9]+)+` + looseEnd +
		`|(?:<=|>=|<|>)` + epochText + numbers + looseEnd + `)`
)

var specifierPattern = regexp.MustCompile(`^\s*` + specifierText + `\s*$`)

func parseSpecifier(text string) (Specifier, error) {
	if !specifierPattern.MatchString(text) {
		return Specifier{}, fmt.Errorf("%q is no version specifier", text)
	}
	text = strings.TrimSpace(text)
	rest := strings.TrimLeft(text, "=<>!~")
	if strings.HasPrefix(text, "===") {
		rest = text[3:] // an arbitrary version may begin with =
	}
	s := Specifier{Op: strings.TrimSuffix(text, rest), Version: strings.TrimSpace(rest)}
	if s.Op == "===" {
		return s, nil
	}
	version, err := ParseVersion(strings.TrimSuffix(s.Version, ".*"))
	if err != nil {
		return Specifier{}, err
	}
	s.version = version
	return s, nil
}

// parseSpecifiers parses bounds with commas between them.
func parseSpecifiers(text string) (Specifiers, error) {
	var all Specifiers
	for one := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		s, err := parseSpecifier(one)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (s Specifier) String() string { return s.Op + s.Version }

func (s Specifiers) String() string {
	texts := make([]string, len(s))
	for i, one := range s {
		texts[i] = one.String()
	}
	return strings.Join(texts, ",")
}

// Pin returns the version that s allows alone: that of its only ==, without
// .*, or ===.
func (s Specifiers) Pin() (version string, ok bool) {
	for _, one := range s {
		if one.Op == "===" || one.Op == "==" && !strings.HasSuffix(one.Version, ".*") {
			if ok {
				return "", false
			}
			version, ok = one.Version, true
		}
	}
	return version, ok
}

// Contains reports whether version is within all bounds. Pre-releases are
// versions like others. What is no version (PEP 440) is in none but ===.
func (s Specifiers) Contains(version string) bool {
	for _, one := range s {
		if !one.Contains(version) {
			return false
		}
	}
	return true
}

// Contains is Specifiers.Contains for one bound.
func (s Specifier) Contains(version string) bool {
	if s.Op == "===" {
		return strings.EqualFold(version, s.Version)
	}
	v, err := ParseVersion(version)
	return err == nil && s.matches(v)
}

func (s Specifier) matches(v Version) bool {
	public := comparePublic(v, s.version)
	switch s.Op {
	case ">=":
		return Compare(v, s.version) >= 0
	case "<=":
		return public <= 0
	case "==":
		return s.equal(v)
	case "!=":
		return !s.equal(v)
	case "~=":
		return Compare(v, s.version) >= 0 && s.version.epoch == v.epoch &&
			hasPrefix(v.release, s.version.release[:len(s.version.release)-1])
	case ">":
		return public > 0 && !(s.version.post == "" && s.version.dev == "" && s.version.sameRelease(v) && s.version.pre == v.pre && s.version.preN == v.preN)
	}
	bound := s.version // <
	if !bound.IsPrerelease() {
		bound.dev = "0" // <1.0 leaves out what leads to 1.0
	}
	return Compare(v, bound) < 0
}

func (s Specifier) equal(v Version) bool {
	switch {
	case strings.HasSuffix(s.Version, ".*"):
		return s.version.epoch == v.epoch && hasPrefix(v.release, s.version.release)
	case s.version.local == nil:
		return comparePublic(v, s.version) == 0
	}
	return Compare(v, s.version) == 0
}

// sameRelease reports whether v and w differ only in what follows the release.
func (v Version) sameRelease(w Version) bool {
	return v.epoch == w.epoch && compareRelease(v.release, w.release) == 0
}

func hasPrefix(release, prefix []string) bool {
	for i, n := range prefix {
		if part(release, i) != n {
			return false
		}
	}
	return true
}
