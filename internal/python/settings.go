package python

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/internal/python/requirements"
)

// settings are pip's settings that say where packages come from and how they
// are fetched. Both pip and uv are given these and no others, so that they do
// the same; uv reads neither pip.conf nor PIP_*.
type settings struct {
	indexURL         string // pip's own default when empty
	extraIndexURLs   []string
	noIndex          bool
	findLinks        []string
	trustedHosts     []string
	format           formatControl
	pre              bool
	preferBinary     bool
	constraints      []string // files
	buildConstraints []string // files

	cert, clientCert, proxy, timeout, retries, keyring string

	ignored []string // names of settings that are not followed, sorted
}

// listing prints pip's merged configuration as JSON. pip prints values as
// Python literals. PIP_QUIET overrules what a file says of it.
const listing = `
import ast, json, subprocess, sys
pip = [sys.executable, "-I", "-B", "-m", "pip", "config", "list"]
out = subprocess.run(pip, stdout=subprocess.PIPE, check=False)
if out.returncode:
    sys.exit(out.returncode)
lines = (line.split("=", 1) for line in out.stdout.decode().splitlines())
print(json.dumps([[key, ast.literal_eval(value)] for key, value in lines]))
`

// readSettings asks the pip of an environment what it is set to, by the
// caller's PIP_* variables and the files that pip reads.
func readSettings(ctx context.Context, r *runner, environ []string, python string) (*settings, error) {
	asking := *r
	for _, kv := range environ {
		if strings.HasPrefix(kv, "PIP_") {
			asking.env = append(slices.Clip(asking.env), kv)
		}
	}
	asking.env = append(slices.Clip(asking.env), "PIP_QUIET=0", "PIP_VERBOSE=0", "PIP_LOG=", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1")
	out, err := asking.output(ctx, "read pip's settings", python, "-I", "-B", "-c", listing)
	if err != nil {
		return nil, err
	}
	var pairs [][2]string
	if err := json.Unmarshal(out, &pairs); err != nil {
		return nil, fmt.Errorf("read pip's settings: %w", err)
	}
	values := map[string]string{}
	for _, section := range []string{"global.", "install.", ":env:."} { // the later wins, as in pip
		for _, pair := range pairs {
			if key, ok := strings.CutPrefix(pair[0], section); ok {
				values[strings.ReplaceAll(key, "_", "-")] = pair[1]
			}
		}
	}
	s := &settings{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		s.set(key, values[key], variable(environ, "HOME"))
	}
	slices.Sort(s.ignored)
	return s, nil
}

// set takes over one of pip's settings. Of lists, an entry stands between
// white space; of package names, also between commas.
func (s *settings) set(key, value, home string) {
	switch key {
	case "index-url", "pypi-url":
		s.indexURL = locate(strings.TrimSpace(value), home)
	case "extra-index-url":
		s.extraIndexURLs = locateAll(value, home)
	case "no-index":
		s.noIndex = isTrue(value)
	case "find-links":
		s.findLinks = locateAll(value, home)
	case "trusted-host":
		s.trustedHosts = strings.Fields(value)
	case "no-binary":
		s.format.noBinary(value)
	case "only-binary":
		s.format.onlyBinary(value)
	case "pre":
		s.pre = isTrue(value)
	case "prefer-binary":
		s.preferBinary = isTrue(value)
	case "constraint":
		s.constraints = locateAll(value, home)
	case "build-constraint":
		s.buildConstraints = locateAll(value, home)
	case "cert":
		s.cert = locate(value, home)
	case "client-cert":
		s.clientCert = locate(value, home)
	case "proxy":
		s.proxy = value
	case "timeout", "default-timeout":
		s.timeout = value
	case "retries":
		s.retries = value
	case "keyring-provider":
		s.keyring = value
	default:
		if !slices.Contains(harmless(), key) {
			s.ignored = append(s.ignored, key)
		}
	}
}

// harmless are pip's settings that say nothing about what is installed here:
// what is shown, where to, and what an environment of its own settles.
func harmless() []string {
	return []string{
		"quiet", "verbose", "log", "no-color", "no-input", "progress-bar", "disable-pip-version-check", "cache-dir", "no-cache-dir",
		"config-file", "user", "break-system-packages", "root-user-action", "no-warn-script-location", "require-virtualenv",
		"compile", "no-compile", "python-version-warning", "no-python-version-warning", "format", "exists-action",
	}
}

// locateAll splits a list of URLs and paths.
func locateAll(value, home string) []string {
	var all []string
	for _, field := range strings.Fields(value) {
		all = append(all, locate(field, home))
	}
	return all
}

// locate makes a path absolute, as tools run in a directory of their own, and
// leaves a URL as it is.
func locate(value, home string) string {
	if value == "" || strings.Contains(value, "://") || strings.HasPrefix(value, "file:") {
		return value
	}
	if rest, ok := strings.CutPrefix(value, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	if path, err := filepath.Abs(value); err == nil {
		return path
	}
	return value
}

func isTrue(value string) bool {
	return slices.Contains([]string{"y", "yes", "t", "true", "on", "1"}, strings.ToLower(strings.TrimSpace(value)))
}

// formatControl says which packages may not come as wheels, and which only as
// such; ":all:" stands for all that are not named. The zero value allows both.
type formatControl struct{ no, only []string }

func (f *formatControl) noBinary(value string)   { f.no, f.only = restrict(value, f.no, f.only) }
func (f *formatControl) onlyBinary(value string) { f.only, f.no = restrict(value, f.only, f.no) }

// restrict adds names to one list and takes them out of the other, as pip does:
// what is said last of a name counts.
func restrict(value string, list, other []string) (restricted, rest []string) {
	for _, name := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		switch name {
		case ":all:":
			list, other = []string{":all:"}, nil
		case ":none:":
			list = nil
		default:
			if name = pep508.Normalize(name); !slices.Contains(list, name) {
				list = append(slices.Clip(list), name)
			}
			other = slices.DeleteFunc(slices.Clone(other), func(s string) bool { return s == name })
		}
	}
	return list, other
}

// apply takes over an option of a requirements file, as pip does: an index
// there replaces all others.
func (s *settings) apply(option requirements.Option) {
	switch value := option.Value; option.Name {
	case "--index-url":
		s.indexURL, s.extraIndexURLs = value, nil
	case "--extra-index-url":
		s.extraIndexURLs = append(s.extraIndexURLs, value)
	case "--no-index":
		s.noIndex = true
	case "--find-links":
		s.findLinks = append(s.findLinks, locate(value, ""))
	case "--trusted-host":
		s.trustedHosts = append(s.trustedHosts, value)
	case "--no-binary":
		s.format.noBinary(value)
	case "--only-binary":
		s.format.onlyBinary(value)
	case "--pre":
		s.pre = true
	case "--prefer-binary":
		s.preferBinary = true
	case "--require-hashes": // follows from the lock
	default:
		s.ignored = append(s.ignored, option.Name)
	}
}

// secrets tells a redactor the passwords of all URLs.
func (s *settings) secrets(r *redactor) {
	for _, url := range slices.Concat([]string{s.indexURL, s.proxy}, s.extraIndexURLs, s.findLinks) {
		r.addURLs(url)
	}
}
