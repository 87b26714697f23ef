package changelog

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/odoo"
	"github.com/nuobit/odyssey/internal/python/pep508"
)

// Present is an addon of a destination. Manifest is nil when it cannot be read.
type Present struct {
	Place
	At       string // "DEST/DIR"
	Manifest *odoo.Manifest
}

// NewPresent returns the addon of a place of the destination dest.
func NewPresent(dest string, p Place, m *odoo.Manifest) Present {
	return Present{p, path.Join(dest, p.Dir), m}
}

// Source is a destination with its addons. One that several merges have with
// other manifests is there with each.
type Source struct {
	Addons []Present
	Quiet  bool // nothing in it may be named
}

// Environment is what surrounds the addons.
type Environment struct {
	Series string // of Odoo, such as 17.0; "" when that is not known
	// Python are the normalised names of the packages that are locked; nil when
	// there is no lock.
	Python map[string]bool
	// Installed are the addons that databases have; nil when that is not known.
	Installed map[string]bool
}

// Fault is a kind of problem.
type Fault string

// The faults.
const (
	Duplicate   Fault = "duplicate" // the addon is in several places
	NoDepends   Fault = "depends"   // an addon that it depends on is nowhere
	NotLocked   Fault = "python"    // a Python package that it asks for is not locked
	OtherSeries Fault = "series"    // its version is of another series of Odoo
	Unreadable  Fault = "manifest"  // its manifest cannot be read
)

// Problem is something that keeps an addon from working.
type Problem struct {
	Fault Fault
	Addon string
	Where []string // "DEST/DIR" of each place, sorted
	What  string   // the module, package or version that it is about; "" otherwise
}

func (p Problem) key() string {
	return strings.Join(append([]string{string(p.Fault), p.Addon, p.What}, p.Where...), "\x00")
}

// Check lists what is wrong with all addons together, those that are not
// installable left out, and those that are not installed where that is known.
// Problems are sorted by addon.
func Check(sources []Source, env Environment) []Problem {
	count := 0
	for _, s := range sources {
		count += len(s.Addons)
	}
	places, quiet := make(map[string][]string, count), map[string]bool{}
	for _, s := range sources {
		for i := range s.Addons {
			a := &s.Addons[i]
			if !slices.Contains(places[a.Name], a.At) {
				places[a.Name] = append(places[a.Name], a.At)
			}
			if s.Quiet {
				quiet[a.Name] = true
			}
		}
	}
	var all []Problem
	for _, s := range sources {
		for i := range s.Addons {
			a := &s.Addons[i]
			if quiet[a.Name] || env.Installed != nil && !env.Installed[a.Name] {
				continue
			}
			all = append(all, check(a, places, env)...)
		}
	}
	for name, at := range places {
		if len(at) > 1 && !quiet[name] {
			slices.Sort(at)
			all = append(all, Problem{Fault: Duplicate, Addon: name, Where: at})
		}
	}
	slices.SortFunc(all, func(a, b Problem) int {
		return strings.Compare(a.Addon+"\x00"+a.key(), b.Addon+"\x00"+b.key())
	})
	return slices.CompactFunc(all, func(a, b Problem) bool { return a.key() == b.key() })
}

// check looks at one addon.
func check(a *Present, places map[string][]string, env Environment) (all []Problem) {
	note := func(f Fault, what string) {
		all = append(all, Problem{Fault: f, Addon: a.Name, Where: []string{a.At}, What: what})
	}
	m := a.Manifest
	if m == nil {
		note(Unreadable, "")
		return all
	}
	if !m.Installable {
		return nil
	}
	for _, name := range m.Depends {
		if places[name] == nil {
			note(NoDepends, name)
		}
	}
	if env.Series != "" && !strings.HasPrefix(m.Version, env.Series+".") {
		if series := SeriesOf(m.Version); series != "" && series != env.Series {
			note(OtherSeries, m.Version)
		}
	}
	if env.Python != nil {
		for _, name := range m.ExternalPython {
			if !env.Locks(name) {
				note(NotLocked, name)
			}
		}
	}
	return all
}

// ofSeries matches versions that begin with a series, of which 6.1 is the oldest.
var ofSeries = regexp.MustCompile(`^((?:saas~)?(?:[6-9]|[1-9][0-9])\.[0-9])\.[0-9]+\.[0-9]+(?:\.[0-9]+)?$`)

// SeriesOf returns the series that a manifest's version begins with, "" when it
// has none: "17.0" of 17.0.1.2.0, and of 1.2 nothing.
func SeriesOf(version string) string {
	m := ofSeries.FindStringSubmatch(version)
	if m == nil {
		return ""
	}
	return m[1]
}

// Locks reports whether the lock has what an addon asks for: a requirement, or the
// name of a module that is imported, as addons of older series have it. Markers
// are not looked at.
func (e Environment) Locks(asked string) bool {
	name := asked
	if r, err := pep508.Parse(asked); err == nil {
		name = r.Name
	}
	if e.Python[pep508.Normalize(name)] {
		return true
	}
	return slices.ContainsFunc(distributions()[name], func(d string) bool { return e.Python[d] })
}

// distributions are the packages that have modules of other names, by what is
// imported.
func distributions() map[string][]string {
	return map[string][]string{
		"Crypto": {"pycryptodome", "pycrypto"}, "Cryptodome": {"pycryptodomex"}, "MySQLdb": {"mysqlclient"}, "OpenSSL": {"pyopenssl"}, "PIL": {"pillow"},
		"barcode": {"python-barcode"}, "bs4": {"beautifulsoup4"}, "cv2": {"opencv-python", "opencv-python-headless"}, "dateutil": {"python-dateutil"},
		"dns": {"dnspython"}, "docx": {"python-docx"}, "facebook": {"facebook-sdk"}, "fitz": {"pymupdf"}, "git": {"gitpython"}, "jose": {"python-jose"}, "jwt": {"pyjwt"},
		"ldap": {"python-ldap"}, "magic": {"python-magic"}, "pptx": {"python-pptx"}, "psycopg2": {"psycopg2-binary"}, "serial": {"pyserial"},
		"sklearn": {"scikit-learn"}, "slugify": {"python-slugify"}, "stdnum": {"python-stdnum"}, "usb": {"pyusb"}, "yaml": {"pyyaml"}, "zmq": {"pyzmq"},
	}
}

// Introduced returns the problems of after that before does not have.
func Introduced(before, after []Problem) []Problem {
	had := map[string]bool{}
	for _, p := range before {
		had[p.key()] = true
	}
	return slices.DeleteFunc(slices.Clone(after), func(p Problem) bool { return had[p.key()] })
}

// String is for logs.
func (p Problem) String() string {
	return fmt.Sprintf("%s: %s %s in %s", p.Addon, p.Fault, p.What, strings.Join(p.Where, ", "))
}
