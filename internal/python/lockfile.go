package python

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/internal/python/requirements"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// maxLock bounds a lock, in bytes: some thousand packages with all their
// hashes.
const maxLock = 8 << 20

const refreshHint = "make it with --refresh-requirements-lock, and commit it"

// readLock reads and parses a lock that is to be installed.
func readLock(o Options, python *Interpreter) (*requirements.Lock, []byte, error) {
	data, err := readLockFile(o.Lock)
	if err != nil {
		return nil, nil, err
	}
	lock, err := requirements.ParseLock(o.Lock, data)
	switch {
	case err != nil:
		return nil, nil, err
	case lock.Empty():
		return nil, nil, &yamldoc.Error{Path: o.Lock, Msg: "names no package", Hint: refreshHint}
	case lock.Python != "" && lock.Python != python.Minor:
		return nil, nil, &yamldoc.Error{
			Path: o.Lock, Msg: fmt.Sprintf("is a lock for Python %s, and %s is Python %s", lock.Python, python.Path, python.Minor),
			Hint: "use that Python, or " + refreshHint,
		}
	}
	return lock, data, nil
}

func readLockFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case os.IsNotExist(err):
		return nil, &yamldoc.Error{Path: name, Msg: "there is no such file", Hint: refreshHint}
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &yamldoc.Error{Path: name, Msg: "is not a regular file"}
	case info.Size() > maxLock:
		return nil, &yamldoc.Error{Path: name, Msg: fmt.Sprintf("is larger than %d KiB", maxLock>>10)}
	}
	return readBounded(name, maxLock)
}

// What stands for the files that a tool was given, which are temporary.
const (
	fromRequirements = "-r " + requirementsFile
	fromConstraints  = "-c " + constraintsFile

	requirementsFile = "requirements.txt"
	constraintsFile  = "constraints.txt"
)

// formatLock writes a lock as text. It holds nothing of the machine, the tool
// or the index, so that the same choice is the same text.
func formatLock(all []pinned, python *Interpreter, asked *requirements.Result) ([]byte, error) {
	var b strings.Builder
	b.WriteString(requirements.Header(python.Minor) + "\n# Do not edit it by hand: edit requirements.in, then refresh the lock.\n")
	for _, p := range all {
		if len(p.hashes) == 0 {
			return nil, fmt.Errorf("%s has no hash, as what comes from a repository or directory: name a release, or the URL of an archive", p.name)
		}
		if p.url == "" {
			b.WriteString(p.name + "==" + p.version)
		} else {
			if err := checkURL(p, asked); err != nil {
				return nil, err
			}
			b.WriteString(p.name + " @ " + p.url)
		}
		for _, hash := range p.hashes {
			b.WriteString(" \\\n    --hash=" + hash)
		}
		b.WriteByte('\n')
		switch via := origins(p, asked); len(via) {
		case 0:
		case 1:
			b.WriteString("    # via " + via[0] + "\n")
		default:
			b.WriteString("    # via\n    #   " + strings.Join(via, "\n    #   ") + "\n")
		}
	}
	return []byte(b.String()), nil
}

// checkURL refuses a URL that would put a password into the lock, or a path of
// this machine.
func checkURL(p pinned, asked *requirements.Result) error {
	at := &yamldoc.Error{Path: "requirements", Hint: "leave it out of the URL, and put it into .netrc"}
	for i := range asked.Lines {
		if asked.Lines[i].Name == p.name {
			at.Path, at.Line = asked.Lines[i].File, asked.Lines[i].Line
		}
	}
	u, err := url.Parse(p.url)
	switch {
	case err != nil:
		at.Msg, at.Hint = p.name+" has a URL that cannot be read", ""
		return at
	case u.User != nil:
		at.Msg = "the URL of " + p.name + " holds a user name or password"
		return at
	case u.Scheme == "file":
		at.Msg, at.Hint = p.name+" is a file of this machine, which a lock cannot name", "serve it by an index or --find-links"
		return at
	}
	return nil
}

// origins says what asked for a package: files by the names that people gave
// them, then packages.
func origins(p pinned, asked *requirements.Result) []string {
	var out []string
	for _, via := range p.via {
		switch option, file, _ := strings.Cut(via, " "); {
		case option == "-r" && path.Base(file) == requirementsFile:
			out = append(out, files("-r ", p.name, asked.Lines)...)
		case option == "-c" && path.Base(file) == constraintsFile:
			out = append(out, files("-c ", p.name, asked.Constraints)...)
		case option == "-c" || option == "-r":
			out = append(out, option+" "+path.Base(file))
		default:
			name, _, _ := strings.Cut(via, "[")
			out = append(out, pep508.Normalize(name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func files(option, name string, lines []requirements.Line) []string {
	var out []string
	for i := range lines {
		if lines[i].Name == name {
			out = append(out, option+path.Base(lines[i].File))
		}
	}
	return out
}

// changes compares two locks. before may be nil.
func changes(before, after *requirements.Lock) []Change {
	all := map[string]*Change{}
	note := func(lock *requirements.Lock, set func(*Change, string)) {
		if lock == nil {
			return
		}
		for _, e := range lock.Entries {
			if all[e.Name] == nil {
				all[e.Name] = &Change{Name: e.Name}
			}
			version := e.Version
			if e.URL != "" {
				version = e.URL
			}
			set(all[e.Name], version)
		}
	}
	note(before, func(c *Change, v string) { c.Old = v })
	note(after, func(c *Change, v string) { c.New = v })
	out := []Change{}
	for _, c := range all {
		if c.Old != c.New {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return out
}
