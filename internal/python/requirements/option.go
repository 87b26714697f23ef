package requirements

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/near"
)

// scope is where an option belongs.
type scope int

const (
	global  scope = iota // a line of its own
	include              // -r, -c, -e: a line of its own, with one value
	perLine              // after a requirement
)

// optionSpec is an option of pip's requirements files.
type optionSpec struct {
	long   string
	short  string // one letter; "" for none
	flag   bool   // it takes no value
	scope  scope
	isList bool // the value is an index or a place with files: a URL
}

func optionSpecs() []optionSpec {
	return []optionSpec{
		{long: "--index-url", short: "i", isList: true},
		{long: "--extra-index-url", isList: true},
		{long: "--no-index", flag: true},
		{long: "--find-links", short: "f", isList: true},
		{long: "--no-binary"},
		{long: "--only-binary"},
		{long: "--prefer-binary", flag: true},
		{long: "--require-hashes", flag: true},
		{long: "--no-require-hashes", flag: true},
		{long: "--pre", flag: true},
		{long: "--all-releases"},
		{long: "--only-final"},
		{long: "--trusted-host"},
		{long: "--use-feature"},
		{long: "--requirement", short: "r", scope: include},
		{long: "--constraint", short: "c", scope: include},
		{long: "--editable", short: "e", scope: include},
		{long: "--hash", scope: perLine},
		{long: "--config-settings", short: "C", scope: perLine},
	}
}

// given is an option of a line.
type given struct {
	optionSpec
	value string
}

// splitOptions splits a line where pip does: at the first word after a blank
// that begins with a dash.
func splitOptions(text string) (requirement, options string) {
	if strings.HasPrefix(text, "-") {
		return "", text
	}
	if i := strings.Index(text, " -"); i >= 0 {
		return strings.TrimSpace(text[:i]), text[i+1:]
	}
	return text, ""
}

// parseOptions parses the options of a line.
func parseOptions(l logical, text string) ([]given, error) {
	words, err := splitWords(text)
	if err != nil {
		return nil, fmt.Errorf("%w in the options %s", err, l.shown(text))
	}
	var all []given
	for len(words) > 0 {
		one, rest, err := nextOption(l, words)
		if err != nil {
			return nil, err
		}
		all, words = append(all, one), rest
	}
	return all, nil
}

// nextOption takes an option and its value off words.
func nextOption(l logical, words []string) (given, []string, error) {
	word, rest := words[0], words[1:]
	name, value, hasValue := strings.Cut(word, "=")
	var short bool
	if !strings.HasPrefix(word, "--") {
		if short = len(word) > 1 && word[0] == '-'; !short {
			return given{}, nil, fmt.Errorf("%s stands after an option; pip would ignore it", l.shown(word))
		}
		name, value, hasValue = word[1:2], word[2:], len(word) > 2
	}
	specs := optionSpecs()
	i := slices.IndexFunc(specs, func(s optionSpec) bool {
		if short {
			return s.short == name
		}
		return s.long == name || name == "--pypi-url" && s.long == "--index-url"
	})
	if i < 0 {
		return given{}, nil, unknownOption(l, word, name, short)
	}
	spec := specs[i]
	switch {
	case spec.flag && hasValue:
		return given{}, nil, fmt.Errorf("%s takes no value", spec.long)
	case !spec.flag && !hasValue && len(rest) == 0:
		return given{}, nil, fmt.Errorf("%s needs a value", spec.long)
	case !spec.flag && !hasValue:
		value, rest = rest[0], rest[1:]
	}
	if !spec.flag && strings.TrimSpace(value) == "" {
		return given{}, nil, fmt.Errorf("%s has an empty value", spec.long)
	}
	return given{spec, value}, rest, nil
}

func unknownOption(l logical, word, name string, short bool) error {
	hint := "the options of requirements files are described in pip's documentation"
	if !short {
		var names []string
		for _, spec := range optionSpecs() {
			names = append(names, spec.long)
		}
		if meant := near.Names(name, names); len(meant) > 0 {
			hint = "did you mean " + strings.Join(meant, ", ") + "? Options are written in full"
		}
	}
	return advise(fmt.Sprintf("%s is no option of a requirements file", l.shown(word)), hint)
}

var featureText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:*,/-]*$`)

// option checks a global option and returns it as it goes into the output.
func (g given) option(l logical, origin Origin) (Option, error) {
	o := Option{Origin: origin, Name: g.long, Value: g.value, Text: g.long}
	if g.flag {
		return o, nil
	}
	if g.isList {
		if err := checkIndex(l, g); err != nil {
			return Option{}, err
		}
	} else if !featureText.MatchString(strings.Trim(g.value, ":[]")) {
		return Option{}, fmt.Errorf("%s is no value for %s", l.shown(g.value), g.long)
	}
	o.Text += " " + g.value
	return o, nil
}

var hashText = regexp.MustCompile(`^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)

// checkHash refuses what can be no hash of a file.
func checkHash(l logical, value string) error {
	if !hashText.MatchString(value) {
		return advise(fmt.Sprintf("%s is no hash", l.shown(value)), "a hash is written --hash=sha256: and 64 small hexadecimal digits; sha384 and sha512 are possible, too")
	}
	return nil
}
