package archive

import (
	"hash/maphash"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Bounds of names, in bytes: those of Linux, and no deeper than anybody needs.
const (
	longestPath = 4000
	longestName = 255
	deepest     = 64
)

// cleanPath returns the form of a name in which names are compared. A leading
// "./" is tar's habit.
func cleanPath(name string, dir bool) (string, error) {
	refuse := func(msg string) (string, error) { return "", &Error{name, msg} }
	clean := strings.TrimPrefix(name, "./")
	if dir {
		clean = strings.TrimRight(clean, "/")
		if clean == "" && name != "" && name[0] == '.' || clean == "." {
			return ".", nil
		}
	}
	switch {
	case clean == "":
		return refuse("has no name")
	case len(clean) > longestPath:
		return refuse("has a name that is too long")
	case strings.HasPrefix(name, "/"):
		return refuse("has an absolute name")
	case strings.ContainsRune(clean, '\\'):
		return refuse("has a backslash in its name")
	case strings.ContainsFunc(clean, isControl):
		return refuse("has a control character in its name")
	}
	parts := strings.Split(clean, "/")
	if len(parts) > deepest {
		return refuse("lies too deep")
	}
	for _, part := range parts {
		switch {
		case part == "..":
			return refuse("has .. in its name")
		case part == "" || part == ".":
			return refuse("has an empty part in its name")
		case len(part) > longestName:
			return refuse("has a name that is too long")
		case isGit(part):
			return refuse("would be git's own file")
		}
	}
	return clean, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// isGit reports whether some file system takes the name for .git.
func isGit(part string) bool {
	folded := fold(strings.Map(func(r rune) rune {
		// What Apple's file system does not see in names.
		if r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff {
			return -1
		}
		return r
	}, part))
	folded, _, _ = strings.Cut(strings.TrimRight(folded, ". "), ":")
	return strings.TrimRight(folded, ". ") == ".git" || folded == "git~1"
}

// fold makes equal what is told apart only by letter case or composition. Names
// that are not UTF-8 have no more than ASCII's letters folded.
func fold(name string) string {
	ascii := true
	for i := range len(name) {
		ascii = ascii && name[i] < utf8.RuneSelf
	}
	if !ascii && utf8.ValidString(name) {
		return norm.NFC.String(cases.Fold().String(norm.NFD.String(name)))
	}
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// checkTarget refuses links that lead out of the archive. Only at its beginning
// may a target go up: there ".." means what it looks like, as no entry lies below
// a link; further on it would follow other links first.
func checkTarget(from, target string) error {
	refuse := func(msg string) error { return &Error{from, msg} }
	switch {
	case target == "" || len(target) > longestPath:
		return refuse("is a link that leads nowhere")
	case strings.HasPrefix(target, "/"):
		return refuse("is a link to an absolute name")
	case strings.ContainsRune(target, '\\') || strings.ContainsFunc(target, isControl):
		return refuse("is a link with a backslash or a control character")
	}
	down := false
	for part := range strings.SplitSeq(target, "/") {
		if part == ".." && down {
			return refuse("is a link with .. in the middle")
		}
		down = down || part != ".." && part != "." && part != ""
	}
	if to := path.Join(path.Dir(from), target); to == ".." || strings.HasPrefix(to, "../") {
		return refuse("is a link that leads out of the archive")
	}
	return nil
}

// names knows which names there are, by their hashes: what an archive of many
// names costs is bounded.
type names struct {
	seed maphash.Seed
	all  map[uint64]known // by the folded path
}

type known struct {
	spelled uint64 // hash of the path as it is
	mode    Mode
}

func newNames() *names { return &names{maphash.MakeSeed(), map[uint64]known{}} }

// add notes an entry, and the directories around it.
func (n *names) add(p string, mode Mode) error {
	folded := fold(p)
	// Folding makes or takes no slash.
	dirs, foldedDirs := strings.Split(p, "/"), strings.Split(folded, "/")
	for i := 1; i < len(dirs); i++ {
		if err := n.one(p, strings.Join(dirs[:i], "/"), strings.Join(foldedDirs[:i], "/"), Dir); err != nil {
			return err
		}
	}
	return n.one(p, p, folded, mode)
}

func (n *names) one(entry, p, folded string, mode Mode) error {
	key, spelled := maphash.String(n.seed, folded), maphash.String(n.seed, p)
	before, there := n.all[key]
	switch {
	case !there:
		n.all[key] = known{spelled, mode}
	case before.spelled != spelled:
		return &Error{entry, "has a name that only letter case or Unicode's composition tells from another one"}
	case before.mode == Dir && mode == Dir:
	case before.mode == Link && mode == Dir:
		return &Error{entry, "lies below a link"}
	case before.mode != Dir && mode == Dir, before.mode == Dir:
		return &Error{entry, "is a file and a directory at once"}
	default:
		return &Error{entry, "is there twice"}
	}
	return nil
}
