package packfile

import (
	"bytes"
	"strings"
)

// Modes of tree entries, as git reads them.
const (
	modeFile       = 0o100644
	modeExecutable = 0o100755
	modeLink       = 0o120000
	modeTree       = 0o040000
	modeGitlink    = 0o160000
)

// treeEntry is a line of a tree. name is a part of the tree.
type treeEntry struct {
	mode uint32
	name []byte
	id   ID
}

// wants is the kind of object that an entry names; 0 for one that is elsewhere.
func (e treeEntry) wants() Kind {
	switch e.mode {
	case modeTree:
		return Tree
	case modeGitlink:
		return 0
	}
	return Blob
}

// eachEntry reads a tree. It stops where yield returns false.
func eachEntry(tree []byte, yield func(treeEntry) bool) error {
	for len(tree) > 0 {
		var e treeEntry
		space, end := bytes.IndexByte(tree, ' '), bytes.IndexByte(tree, 0)
		if space < 5 || space > 6 || end <= space+1 || len(tree)-end-1 < len(e.id) {
			return oddf("a tree that is none")
		}
		for _, digit := range tree[:space] {
			if digit < '0' || digit > '7' {
				return oddf("a tree with a bad mode")
			}
			e.mode = e.mode<<3 | uint32(digit-'0')
		}
		var ok bool
		if e.mode, ok = canonical(e.mode); !ok {
			return oddf("a tree with a bad mode")
		}
		e.name = tree[space+1 : end]
		copy(e.id[:], tree[end+1:])
		tree = tree[end+1+len(e.id):]
		if !yield(e) {
			return nil
		}
	}
	return nil
}

// canonical is what git reads a mode as.
func canonical(mode uint32) (uint32, bool) {
	switch mode & 0o170000 {
	case 0o100000:
		if mode&0o100 != 0 {
			return modeExecutable, true
		}
		return modeFile, true
	case modeLink, modeTree, modeGitlink:
		return mode & 0o170000, true
	}
	return 0, false
}

// commit is what is looked at of one.
type commit struct {
	tree    ID
	parents []ID
}

func parseCommit(data []byte) (c commit, err error) {
	head, _, _ := strings.Cut(string(data[:min(len(data), 64<<10)]), "\n\n")
	for i, line := range strings.Split(head, "\n") {
		word, id, _ := strings.Cut(line, " ")
		switch {
		case i == 0 && word == "tree":
			if c.tree, err = ParseID(id); err != nil {
				return c, oddf("a commit without a tree")
			}
		case i == 0:
			return c, oddf("a commit without a tree")
		case word != "parent":
			return c, nil
		default:
			parent, err := ParseID(id)
			if err != nil {
				return c, oddf("a commit with a bad parent")
			}
			c.parents = append(c.parents, parent)
		}
	}
	return c, nil
}
