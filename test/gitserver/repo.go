package gitserver

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Repo is a bare repository on the server.
type Repo struct {
	URL string // ends in .git
	Dir string
}

// Repo makes an empty repository. name may have slashes: "OCA/web".
func (s *Server) Repo(t TB, name string) *Repo {
	r := &Repo{URL: s.URL + "/" + name + ".git", Dir: filepath.Join(s.Dir, name+".git")}
	run(t, "", nil, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", r.Dir)
	for _, setting := range []string{"uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"} {
		r.Git(t, "config", setting, "true")
	}
	return r
}

// Git runs git in the repository and returns what it printed, without the
// last line end.
func (r *Repo) Git(t TB, args ...string) string { return run(t, r.Dir, nil, args...) }

// GitStdin is Git with an input.
func (r *Repo) GitStdin(t TB, stdin string, args ...string) string {
	return run(t, r.Dir, []byte(stdin), args...)
}

func run(t TB, dir string, stdin []byte, args ...string) string {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, environment(), bytes.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSuffix(string(out), "\n")
}

// Commit puts a commit that changes files on top of branch, which it makes if
// need be, and returns its id.
func (r *Repo) Commit(t TB, branch string, files map[string]string) string {
	return r.Add(t, Commit{Branch: branch, Files: files})[0]
}

// Modes of files in a tree.
const (
	Executable = "100755"
	Symlink    = "120000"
)

// Commit is a commit to be made by Add.
type Commit struct {
	Branch string
	// Parents are ids, full names of refs, or ":N" for the Nth commit (from 1)
	// of the same call. None: the branch's newest commit, if there is one.
	Parents []string
	Orphan  bool              // no parent, whatever the branch has
	Files   map[string]string // what changes: path to content, of a symbolic link its target
	Removed []string          // files and directories that are taken away
	Modes   map[string]string // of some of Files: Executable, Symlink, another of git's; default 100644
	Message string            // default "change"
	Author  string            // default "Ann"
	When    time.Time         // of author and committer; default 2023-11-14, a second later for each commit of a call
}

// Add makes commits by git fast-import, moves the branches to them whatever
// they were at, and returns the ids.
func (r *Repo) Add(t TB, commits ...Commit) []string {
	var b bytes.Buffer
	seen := map[string]bool{}
	for i, c := range commits {
		c.write(&b, i, r.start(t, c, seen[c.Branch]))
		seen[c.Branch] = true
	}
	for i := range commits {
		fmt.Fprintf(&b, "get-mark :%d\n", i+1)
	}
	out := run(t, r.Dir, b.Bytes(), "fast-import", "--quiet", "--force", "--date-format=raw-permissive")
	return strings.Fields(out)
}

// start is the first parent of a commit; empty for none, or for the one that
// fast-import takes by itself.
func (r *Repo) start(t TB, c Commit, seen bool) string {
	switch {
	case c.Orphan, seen && len(c.Parents) == 0:
		return ""
	case len(c.Parents) > 0:
		return c.Parents[0]
	}
	return r.Git(t, "for-each-ref", "--format=%(objectname)", "refs/heads/"+c.Branch)
}

func (c Commit) write(b *bytes.Buffer, i int, from string) {
	when := c.When
	if when.IsZero() {
		when = time.Unix(1_700_000_000+int64(i), 0)
	}
	message, author := c.Message, c.Author
	if message == "" {
		message = "change\n"
	}
	if author == "" {
		author = "Ann"
	}
	if c.Orphan {
		fmt.Fprintf(b, "reset refs/heads/%s\n\n", c.Branch)
	}
	fmt.Fprintf(b, "commit refs/heads/%s\nmark :%d\n", c.Branch, i+1)
	fmt.Fprintf(b, "author %s <ann@example.com> %d +0000\n", author, when.Unix())
	fmt.Fprintf(b, "committer Cy <cy@example.com> %d +0000\n", when.Unix())
	fmt.Fprintf(b, "data %d\n%s\n", len(message), message)
	if from != "" {
		fmt.Fprintf(b, "from %s\n", from)
	}
	for _, parent := range c.Parents[min(1, len(c.Parents)):] {
		fmt.Fprintf(b, "merge %s\n", parent)
	}
	for _, path := range c.Removed {
		fmt.Fprintf(b, "D %s\n", path)
	}
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		mode := cmp.Or(c.Modes[path], "100644")
		fmt.Fprintf(b, "M %s inline %s\ndata %d\n%s\n", mode, path, len(c.Files[path]), c.Files[path])
	}
	b.WriteByte('\n')
}

// Tag makes a light tag.
func (r *Repo) Tag(t TB, name, id string) { r.SetRef(t, "refs/tags/"+name, id) }

// AnnotatedTag makes a tag object and returns its id.
func (r *Repo) AnnotatedTag(t TB, name, id string) string {
	r.Git(t, "tag", "--annotate", "--message="+name, name, id)
	return r.Git(t, "rev-parse", "refs/tags/"+name)
}

// SetRef sets a ref, by its full name, to an object.
func (r *Repo) SetRef(t TB, name, id string) { r.Git(t, "update-ref", name, id) }

// SetRefs sets many refs at once; a file each would take seconds.
func (r *Repo) SetRefs(t TB, names []string, id string) {
	r.Git(t, "pack-refs", "--all")
	path := filepath.Join(r.Dir, "packed-refs")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	// The head says that the lines are sorted. Without it git sorts them.
	_, lines, _ := bytes.Cut(data, []byte("\n"))
	for _, name := range names {
		lines = fmt.Appendf(lines, "%s %s\n", id, name)
	}
	if err := os.WriteFile(path, lines, 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	r.Git(t, "pack-refs", "--all")
}

// Head returns the commit of a branch.
func (r *Repo) Head(t TB, branch string) string { return r.Git(t, "rev-parse", "refs/heads/"+branch) }
