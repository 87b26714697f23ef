package git_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// numbered are n lines, some replaced.
func numbered(n int, replaced map[int]string) string {
	var text strings.Builder
	for i := range n {
		line, ok := replaced[i]
		if !ok {
			line = fmt.Sprintf("line %d", i)
		}
		text.WriteString(line + "\n")
	}
	return text.String()
}

// merges are the shapes that merges have.
func merges() map[string]sides {
	text, start := numbered(40, nil), files{"f": numbered(40, nil), "g": numbered(30, map[int]string{0: "g"}), "d/x": numbered(20, map[int]string{0: "x"}), "d/y": numbered(20, map[int]string{0: "y"})}
	top, bottom, both := numbered(40, map[int]string{1: "top"}), numbered(40, map[int]string{38: "bottom"}), numbered(40, map[int]string{1: "other top"})
	with := func(ours, theirs files) sides { return sides{start, start.with(ours), start.with(theirs)} }
	attributed := func(attributes string, base, ours, theirs string) sides {
		at := func(text string) files { return start.with(files{".gitattributes": attributes, "f": text}) }
		return sides{at(base), at(ours), at(theirs)}
	}
	elsewhere := func(ours, theirs files) sides { // attributes that one side alone has
		return sides{start, start.with(ours).with(files{"f": top}), start.with(theirs).with(files{"f": both})}
	}
	id := strings.Repeat("ab", 20)
	return map[string]sides{
		"clean":                        with(files{"f": top}, files{"f": bottom}),
		"content":                      with(files{"f": top}, files{"f": both}),
		"the same on both sides":       with(files{"f": top, "n": "1"}, files{"f": top, "n": "1"}),
		"modified and deleted":         with(files{"f": top}, files{"f": "-"}),
		"deleted and modified":         with(files{"f": "-"}, files{"f": top}),
		"deleted on both sides":        with(files{"f": "-"}, files{"f": "-", "g": "new"}),
		"added on both sides":          with(files{"n": "1\n"}, files{"n": "2\n"}),
		"renamed and modified":         with(files{"f": "-", "moved": text}, files{"f": bottom}),
		"modified and renamed":         with(files{"f": top}, files{"f": "-", "sub/moved": bottom}),
		"renamed to two names":         with(files{"f": "-", "f1": text}, files{"f": "-", "f2": text}),
		"renamed to the same name":     with(files{"f": "-", "n": top}, files{"f": "-", "n": bottom}),
		"two renamed to one name":      with(files{"f": "-", "n": text}, files{"g": "-", "n": start["g"]}),
		"renamed and deleted":          with(files{"f": "-", "n": text}, files{"f": "-"}),
		"renamed onto an added one":    with(files{"f": "-", "n": text}, files{"n": "other\n"}),
		"a directory for a file":       with(files{"n": "file\n"}, files{"n/x": "1\n"}),
		"a file for a directory":       with(files{"n/x": "1\n"}, files{"n": "file\n"}),
		"a directory for a changed":    with(files{"f": "-", "f/in": "1\n"}, files{"f": top}),
		"a directory renamed":          with(files{"d/x": "-", "d/y": "-", "e/x": start["d/x"], "e/y": start["d/y"]}, files{"d/z": "new\n"}),
		"a directory renamed and used": with(files{"d/x": "-", "d/y": "-", "e/x": start["d/x"], "e/y": start["d/y"]}, files{"d/x": start["d/x"] + "more\n"}),
		"a directory renamed twice":    with(files{"d/x": "-", "d/y": "-", "e/x": start["d/x"], "e/y": start["d/y"]}, files{"d/x": "-", "d/y": "-", "c/x": start["d/x"], "c/y": start["d/y"]}),
		"executable":                   with(files{"f": "755:" + text}, files{"f": bottom}),
		"executable on both sides":     with(files{"f": "755:" + text}, files{"f": "755:" + bottom}),
		"a link":                       with(files{"l": "120000:f"}, files{"f": bottom}),
		"links that differ":            with(files{"l": "120000:f"}, files{"l": "120000:g"}),
		"a link for a file":            with(files{"f": "120000:g"}, files{"f": bottom}),
		"binary":                       with(files{"f": "\x00a" + text}, files{"f": "\x00b" + text}),
		"binary, one side":             with(files{"f": "\x00a" + text}, files{"g": "\x00b"}),
		"empty files":                  with(files{"f": ""}, files{"n": ""}),
		"no line end":                  with(files{"f": text + "x"}, files{"f": top}),
		"line ends":                    with(files{"f": strings.ReplaceAll(text, "\n", "\r\n")}, files{"f": top}),
		"markers in it":                with(files{"f": "<<<<<<< x\n=======\n>>>>>>> y\n" + text}, files{"f": bottom}),
		"a submodule, one side":        with(files{"m": "160000:" + id}, files{"f": bottom}),
		"submodules that differ":       with(files{"m": "160000:" + id}, files{"m": "160000:" + strings.Repeat("cd", 20)}),
		"names with a line end":        with(files{"a\nb": "1\n", "t\tb": "1\n"}, files{"a\nb": "2\n"}),
		"names with quotes":            with(files{`q"'\ü`: "1\n"}, files{`q"'\ü`: "2\n"}),
		"names that are no UTF-8":      with(files{"\xff\xfe": "1\n", "ok\xff": "1\n"}, files{"\xff\xfe": "2\n", "ok\xff": "1\n"}),
		"names like messages":          with(files{"1": "1\n", "CONFLICT (content)": "1\n"}, files{"1": "2\n", "CONFLICT (content)": "2\n"}),
		"union":                        attributed("f merge=union\n", text, top, both),
		"union in part":                attributed("f merge=union\nf !merge\n", text, top, both),
		"binary by attribute":          attributed("* binary\n", text, top, bottom),
		"not merged by attribute":      attributed("f -merge\n", text, top, bottom),
		"merged as text":               attributed("f merge\n", "\x00"+text, "\x00"+top, "\x00"+bottom),
		"merge=binary":                 attributed("f merge=binary\n", text, top, bottom),
		"merge=text":                   attributed("f merge=text\n", text, top, bottom),
		"an unknown driver":            attributed("f merge=ours\n", text, top, bottom),
		"an unknown driver, conflict":  attributed("f merge=ours\n", text, top, both),
		"a macro":                      attributed("[attr]u merge=union\nf u\n", text, top, both),
		"markers of another size":      attributed("f conflict-marker-size=20\n", text, top, both),
		"conversions":                  attributed("f text eol=crlf ident\n", text+"$Id$\n", top+"$Id$\n", bottom+"$Id$\n"),
		"an encoding":                  attributed("f working-tree-encoding=UTF-16LE\n", text, top, bottom),
		"union, ours alone has it":     elsewhere(files{".gitattributes": "f merge=union\n"}, nil),
		"union, theirs alone has it":   elsewhere(nil, files{".gitattributes": "f merge=union\n"}),
		"union, removed by theirs":     {start.with(files{".gitattributes": "f merge=union\n"}), start.with(files{".gitattributes": "f merge=union\n", "f": top}), start.with(files{"f": both})},
		"union below a directory": {
			start.with(files{"d/.gitattributes": "* merge=union\n", "d/f": text}), start.with(files{"d/.gitattributes": "* merge=union\n", "d/f": top, "f": top}), start.with(files{"d/.gitattributes": "* merge=union\n", "d/f": both, "f": bottom}),
		},
		"attributes in a link": {
			start.with(files{"real": "f merge=union\n", ".gitattributes": "120000:real"}), start.with(files{"real": "f merge=union\n", ".gitattributes": "120000:real", "f": top}), start.with(files{"real": "f merge=union\n", ".gitattributes": "120000:real", "f": both}),
		},
		"attributes of a renamed file": {
			start.with(files{".gitattributes": "*.u merge=union\n"}), start.with(files{".gitattributes": "*.u merge=union\n", "f": "-", "f.u": top}), start.with(files{".gitattributes": "*.u merge=union\n", "f": both}),
		},
		"attributes that are merged": {
			start.with(files{".gitattributes": "a binary\n"}), start.with(files{".gitattributes": "a binary\nf merge=union\n", "f": top}), start.with(files{".gitattributes": "f -merge\na binary\n", "f": both}),
		},
		"nothing in base":   {files{}, files{"a": "1"}, files{"b": "1"}},
		"nothing in ours":   {start, files{}, start.with(files{"n": "1"})},
		"nothing in theirs": {start, start.with(files{"n": "1"}), files{}},
	}
}

// What a store makes of a merge is what git merge makes of it in a work tree.
func TestMergeTrees_likeGitMerge(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s := openStore(t, options(), t.TempDir())
	for name, m := range merges() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareMerge(t, srv, s, strings.ReplaceAll(name, " ", "-"), m)
		})
	}
}

// The same for trees that chance has changed.
func TestMergeTrees_random(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s := openStore(t, options(), t.TempDir())
	var clean atomic.Int32
	t.Run("seeds", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(20) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(seed, 2))
				base := files{}
				for i := range 6 {
					base[fmt.Sprintf("d%d/f%d", i%3, i)] = numbered(30, map[int]string{0: fmt.Sprint(i), 15: fmt.Sprint(i)})
				}
				if seed%3 == 0 {
					base[".gitattributes"] = "f1 merge=union\nd2/* -merge\n"
				}
				want := compareMerge(t, srv, s, fmt.Sprintf("r%d", seed), sides{base, change(r, base), change(r, base)})
				if want.Tree != "" {
					clean.Add(1)
				}
			})
		}
	})
	t.Cleanup(func() {
		if n := clean.Load(); n < 4 || n > 16 {
			t.Errorf("%d of 20 merges had no conflict: the test has too few of one kind", n)
		}
	})
}

// change makes some changes to files.
func change(r *rand.Rand, base files) files {
	f := base.with(nil)
	for range 2 + r.IntN(4) {
		var paths []string
		for path := range f {
			if path != ".gitattributes" && !strings.HasPrefix(f[path], "120000:") {
				paths = append(paths, path)
			}
		}
		if len(paths) == 0 {
			return f
		}
		slices.Sort(paths)
		path := paths[r.IntN(len(paths))]
		content := strings.TrimPrefix(f[path], "755:")
		switch lines := strings.SplitAfter(content, "\n"); r.IntN(8) {
		case 0, 1, 2, 3:
			lines[r.IntN(len(lines))] = fmt.Sprintf("changed %d\n", r.IntN(3))
			f[path] = strings.Join(lines, "")
		case 4:
			delete(f, path)
		case 5:
			delete(f, path)
			f[fmt.Sprintf("d%d/moved%d", r.IntN(3), r.IntN(2))] = content
		case 6:
			f[fmt.Sprintf("d%d/new%d", r.IntN(3), r.IntN(2))] = fmt.Sprintf("new %d\n", r.IntN(2))
		default:
			f[path] = "755:" + content
		}
	}
	return f
}

// Each kind of conflict names its files, by the names that people know.
func TestMergeTrees_conflicts(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s := openStore(t, options(), t.TempDir())
	for name, want := range map[string]string{
		"content": "f content", "modified and deleted": "f modify/delete", "deleted and modified": "f modify/delete", "added on both sides": "n add/add",
		"renamed to two names": "f rename/rename, f1 rename/rename, f2 rename/rename", "two renamed to one name": "n add/add", "renamed and deleted": "n rename/delete, f rename/delete",
		"a directory for a file": "n file/directory", "a file for a directory": "n file/directory", "a directory for a changed": "f file/directory, f modify/delete",
		"a directory renamed": "e/z file location, d/z file location", "binary": "f content", "links that differ": "l add/add", "a link for a file": "f distinct types",
		"names with a line end": "a\nb add/add", "names with quotes": `q"'\ü add/add`, "names that are no UTF-8": "\xff\xfe add/add",
		"names like messages": "1 add/add, CONFLICT (content) add/add", "binary by attribute": "f content", "submodules that differ": "m submodule",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := merges()[name]
			repo := srv.Repo(t, strings.ReplaceAll(name, " ", "-"))
			base := commitTree(t, repo, "base", m.base)
			result := storeMerge(t, s, repo.URL, base, commitTree(t, repo, "ours", m.ours, base), commitTree(t, repo, "theirs", m.theirs, base))
			var got []string
			for _, c := range result.Conflicts {
				kind, _, _ := strings.Cut(strings.TrimPrefix(c.Text, "CONFLICT ("), ")")
				got = append(got, c.Path+" "+kind)
				if made := regexp.MustCompile(`[0-9a-f]{40}`).FindString(c.Text); made != "" && c.Path != "m" {
					t.Errorf("an id is in %q", c.Text)
				}
			}
			if diff := cmp.Diff(want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("%s\n%+v", diff, result.Conflicts)
			}
		})
	}
}

// What is no conflict and no result is an error.
func TestMergeTrees_faults(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": "1"})
	other := repo.Commit(t, "main", map[string]string{"a": "2"})
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, id, other)
	gone := strings.Repeat("ab", 20)
	for name, three := range map[string]git.Three{"base": {Base: gone, Ours: id, Theirs: other}, "ours": {Base: id, Ours: gone, Theirs: other}, "theirs": {Base: id, Ours: other, Theirs: gone}} {
		if got, err := s.MergeTrees(t.Context(), three, nil); err == nil {
			t.Errorf("%s is missing: %+v", name, got)
		}
	}
	attributes := map[string][]byte{"../.gitattributes": nil}
	if _, err := s.MergeTrees(t.Context(), git.Three{Base: id, Ours: id, Theirs: other}, attributes); err == nil || !strings.Contains(err.Error(), "no path in a repository") {
		t.Errorf("got %v", err)
	}
	// git merge-tree itself ends with another code than 0 and 1.
	if err := os.RemoveAll(s.Dir() + "/objects/pack"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MergeTrees(t.Context(), git.Three{Base: id, Ours: id, Theirs: other}, nil); err == nil {
		t.Error("merged without objects")
	}
}

func TestStore_List(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	blob := repo.GitStdin(t, "x", "hash-object", "-w", "--stdin")
	empty := repo.GitStdin(t, "", "hash-object", "-t", "tree", "-w", "--stdin")
	names := []string{"-dash", "a\nb", "a\tb", `q"`, "\xff", "ü", " ", "con", strings.Repeat("n", 300)}
	var list strings.Builder
	for _, name := range names {
		fmt.Fprintf(&list, "100644 blob %s\t%s\x00", blob, name)
	}
	fmt.Fprintf(&list, "100755 blob %s\trun\x00120000 blob %s\tlink\x00160000 commit %s\tm\x00040000 tree %s\tnothing\x00", blob, blob, strings.Repeat("ab", 20), empty)
	inner := repo.GitStdin(t, list.String(), "mktree", "-z", "--missing")
	// A mode that git wrote in 2005, and one that none ever did.
	raw := func(mode, name, id string) string {
		var b strings.Builder
		b.WriteString(mode + " " + name + "\x00")
		for i := 0; i < len(id); i += 2 {
			var c byte
			_, _ = fmt.Sscanf(id[i:i+2], "%02x", &c)
			b.WriteByte(c)
		}
		return b.String()
	}
	tree := repo.GitStdin(t, raw("40000", "d", inner)+raw("100664", "group", blob)+raw("100777", "open", blob), "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
	commit := repo.Git(t, "commit-tree", "-m", "x", tree)
	repo.SetRef(t, "refs/heads/main", commit)
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, commit)
	entries, err := s.List(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		got[e.Path] = e.Mode + " " + e.ID
	}
	want := map[string]string{
		"group": "100644 " + blob, "open": "100755 " + blob, "d/run": "100755 " + blob, "d/link": "120000 " + blob, "d/m": "160000 " + strings.Repeat("ab", 20),
	}
	for _, name := range names {
		want["d/"+name] = "100644 " + blob
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if entries, err := s.List(t.Context(), empty); err != nil || len(entries) != 0 {
		t.Errorf("the empty tree: %v, %v", entries, err)
	}
	if _, err := s.List(t.Context(), blob); err == nil {
		t.Error("a file is listed")
	}
}

// A tree of a few objects that lists as thousands of millions of files.
func TestFault_A3_Tree(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	tree := repo.GitStdin(t, "100644 blob "+repo.GitStdin(t, "x", "hash-object", "-w", "--stdin")+"\tf\n", "mktree")
	for range 8 {
		var list strings.Builder
		for i := range 16 {
			fmt.Fprintf(&list, "040000 tree %s\td%d\n", tree, i)
		}
		tree = repo.GitStdin(t, list.String(), "mktree")
	}
	bomb := repo.Git(t, "commit-tree", "-m", "x", tree)
	small := repo.Commit(t, "main", map[string]string{"a": "1"})
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, bomb, small)
	if _, err := s.List(t.Context(), tree); err == nil || !strings.Contains(err.Error(), "the tree has more than 1000000 files") {
		t.Errorf("got %v", err)
	}
	if _, err := s.MergeTrees(t.Context(), git.Three{Base: small, Ours: small, Theirs: bomb}, nil); err == nil || !strings.Contains(err.Error(), "the tree has more than 1000000 files") {
		t.Errorf("merged: %v", err)
	}
}
