package lock

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// ParseLock reads a repos.lock.yaml: Parse, and each merge pinned to a commit,
// with the human ref from its locked-from comment. Empty data is a lock
// without destinations.
func ParseLock(name string, data []byte, policy gitname.Policy) (*File, error) {
	if len(strings.TrimSpace(string(data))) == 0 {
		return &File{Path: name}, nil
	}
	doc, err := yamldoc.Parse(name, data)
	if err != nil {
		return nil, err
	}
	if doc.Root == nil {
		return &File{Path: name}, nil
	}
	file, err := parse(doc, policy)
	if err != nil {
		return nil, err
	}
	p := &parser{doc: doc}
	for i := range file.Destinations {
		p.pin(&file.Destinations[i])
	}
	if len(p.errs) > 0 {
		return nil, p.err()
	}
	return file, nil
}

// pin turns the refs of a destination into commits and reads the comments
// above each merge and below the last.
func (p *parser) pin(d *Destination) {
	for i := range d.Merges {
		m := &d.Merges[i]
		if !gitname.IsObjectID(m.Ref) {
			p.errs = append(p.errs, &yamldoc.Error{
				Path: p.doc.Path, Line: m.Line,
				Msg:  d.Path + ": the lock has " + m.Remote + " " + m.Ref + ", which is no commit",
				Hint: "do not edit the lock; mend repos.yaml, remove this entry from the lock and run lock-repos",
			})
			continue
		}
		m.Commit, m.Ref = m.Ref, ""
		for _, c := range commentsAbove(p.doc.Lines, m.Line) {
			switch c.key {
			case "locked-from":
				remote, ref, _ := strings.Cut(c.value, " ")
				if m.Ref == "" && remote == m.Remote && gitname.CheckRef(ref) == nil {
					m.Ref = ref
				}
			case "merge-base":
				m.MergeBase = cmp.Or(m.MergeBase, objectID(c.value))
			}
		}
		if i == len(d.Merges)-1 {
			d.Tree = treeBelow(p.doc.Lines, m)
		}
	}
}

var keyComment = regexp.MustCompile(`^\s*# (locked-from|merge-base|tree): (\S.*?)\s*$`)

// Bounds of what is read around a merge, in lines: the whole file would be read
// again and again for merges that are aliases of one.
const (
	maxAbove = 20
	maxBelow = 200
)

type comment struct{ key, value string }

// commentsAbove returns the key comments in the block of comment lines that
// ends right above the item at line (1-based), the nearest first. A line that
// is indented deeper belongs to a block of text of the item before.
func commentsAbove(lines []string, line int) []comment {
	var found []comment
	for i := line - 2; i >= max(0, line-maxAbove) && isComment(lines[i]) && indent(lines[i]) <= indent(lines[line-1]); i-- {
		if parts := keyComment.FindStringSubmatch(lines[i]); parts != nil {
			found = append(found, comment{parts[1], parts[2]})
		}
	}
	return found
}

// treeBelow returns the tree comment that follows the last merge m, whose
// options are indented deeper than itself.
func treeBelow(lines []string, m *Merge) string {
	for _, line := range lines[m.Line:min(m.Line+maxBelow, len(lines))] {
		if strings.TrimSpace(line) == "" || indent(line) > indent(lines[m.Line-1]) {
			continue
		}
		if parts := keyComment.FindStringSubmatch(line); parts != nil && parts[1] == "tree" {
			return objectID(parts[2])
		}
		return ""
	}
	return ""
}

func isComment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func objectID(s string) string {
	if gitname.IsObjectID(s) {
		return s
	}
	return ""
}
