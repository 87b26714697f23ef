package source_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/test/gitserver"
)

// lines is a file that merges by lines: n of them, some replaced.
func lines(n int, replaced map[int]string) string {
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

// fastImport runs git fast-import and returns the ids of marks.
func fastImport(t testing.TB, repo *gitserver.Repo, stream string, marks int) []string {
	t.Helper()
	for i := range marks {
		stream += fmt.Sprintf("get-mark :%d\n", i+1)
	}
	return strings.Fields(repo.GitStdin(t, stream, "fast-import", "--quiet", "--force"))
}

// shape makes a repository and says what is merged from it, each "URL COMMIT".
type shape func(t testing.TB, srv *gitserver.Server, name string) []string

func from(repo *gitserver.Repo, ids ...string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, repo.URL+" "+id)
	}
	return out
}

// shapes are the ways in which histories can lie to each other, and what trees
// can hold.
func shapes() map[string]shape {
	return map[string]shape{
		"one": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			ids := repo.Add(t,
				gitserver.Commit{Branch: "main", Files: map[string]string{"a": "1\n", "d/b": "2\n"}},
				gitserver.Commit{Branch: "main", Files: map[string]string{"a": "3\n"}},
				gitserver.Commit{Branch: "main", Files: map[string]string{"later": "not locked\n"}})
			return from(repo, ids[1])
		},
		"kinds of files": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			repo.Add(t, gitserver.Commit{
				Branch: "main",
				Files: map[string]string{
					"run": "#!/bin/sh\n", "link": "run", "up/link": "../run", "empty": "", "é/ü \t\"'": "x", "no line end": "x", "binary": "\x00\xff\r\n",
					"setup/m/odoo/addons/m": "../../../../m", "m/__manifest__.py": "{}", "dangling": "nowhere/at/all", "self": ".", "-dash": "x",
				},
				Modes: map[string]string{"run": "100755", "link": "120000", "up/link": "120000", "setup/m/odoo/addons/m": "120000", "dangling": "120000", "self": "120000"},
			})
			return from(repo, repo.Head(t, "main"))
		},
		"nothing in it": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			return from(repo, repo.Commit(t, "main", nil))
		},
		"fast forward": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			ids := repo.Add(t, gitserver.Commit{Branch: "main", Files: map[string]string{"a": "1"}}, gitserver.Commit{Branch: "main", Files: map[string]string{"a": "2"}}, gitserver.Commit{Branch: "main", Files: map[string]string{"b": "2"}})
			return from(repo, ids[0], ids[2])
		},
		"contained": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			ids := repo.Add(t, gitserver.Commit{Branch: "main", Files: map[string]string{"a": "1"}}, gitserver.Commit{Branch: "main", Files: map[string]string{"a": "2"}}, gitserver.Commit{Branch: "main", Files: map[string]string{"b": "2"}})
			return from(repo, ids[2], ids[0], ids[1])
		},
		"three merges": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			ids := repo.Add(t,
				gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, nil), "g": "g"}},
				gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, map[int]string{2: "main"})}},
				gitserver.Commit{Branch: "one", Parents: []string{":1"}, Files: map[string]string{"f": lines(60, map[int]string{30: "one"})}},
				gitserver.Commit{Branch: "two", Parents: []string{":2"}, Files: map[string]string{"f": lines(60, map[int]string{2: "main", 50: "two"}), "two": "2"}},
				gitserver.Commit{Branch: "three", Parents: []string{":3"}, Files: map[string]string{"three": "3"}})
			return from(repo, ids[1], ids[2], ids[3], ids[4])
		},
		"fork": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo, fork := srv.Repo(t, name), srv.Repo(t, name+"-fork")
			base := repo.Add(t,
				gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, nil)}},
				gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, map[int]string{2: "main"})}})
			fork.Git(t, "fetch", "--quiet", repo.Dir, base[0]+":refs/heads/main")
			theirs := fork.Add(t, gitserver.Commit{Branch: "fix", Parents: []string{base[0]}, Files: map[string]string{"f": lines(60, map[int]string{40: "fix"})}})
			return append(from(repo, base[1]), from(fork, theirs[0])...)
		},
		"criss-cross": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			ids := repo.Add(t,
				gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, nil)}},
				gitserver.Commit{Branch: "a", Parents: []string{":1"}, Files: map[string]string{"f": lines(60, map[int]string{5: "a"})}},
				gitserver.Commit{Branch: "b", Parents: []string{":1"}, Files: map[string]string{"f": lines(60, map[int]string{30: "b"})}},
				gitserver.Commit{Branch: "a", Parents: []string{":2", ":3"}, Files: map[string]string{"f": lines(60, map[int]string{5: "a", 30: "b"})}},
				gitserver.Commit{Branch: "b", Parents: []string{":3", ":2"}, Files: map[string]string{"f": lines(60, map[int]string{5: "a", 30: "b"})}},
				gitserver.Commit{Branch: "a", Files: map[string]string{"f": lines(60, map[int]string{5: "a2", 30: "b"}), "onlya": "1"}},
				gitserver.Commit{Branch: "b", Files: map[string]string{"f": lines(60, map[int]string{5: "a", 30: "b2"}), "onlyb": "1"}})
			return from(repo, ids[5], ids[6])
		},
		// The merge gives a directory that one side had long before.
		"criss-cross and back": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			p, q := lines(60, map[int]string{3: "p"}), lines(61, map[int]string{3: "q"})
			both := map[string]string{"f": lines(60, map[int]string{5: "a", 30: "b"})}
			ids := repo.Add(t,
				gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, nil), "d/p": lines(60, nil), "d/q": lines(61, nil)}},
				gitserver.Commit{Branch: "a", Parents: []string{":1"}, Files: map[string]string{"f": lines(60, map[int]string{5: "a"})}},
				gitserver.Commit{Branch: "b", Parents: []string{":1"}, Files: map[string]string{"f": lines(60, map[int]string{30: "b"})}},
				gitserver.Commit{Branch: "a", Parents: []string{":2", ":3"}, Files: both},
				gitserver.Commit{Branch: "b", Parents: []string{":3", ":2"}, Files: both},
				gitserver.Commit{Branch: "a", Parents: []string{":4"}, Files: map[string]string{"d/p": p, "d/q": q}},
				gitserver.Commit{Branch: "a", Parents: []string{":6"}, Files: map[string]string{"d/q": lines(61, nil), "ours": "1"}},
				gitserver.Commit{Branch: "b", Parents: []string{":5"}, Files: map[string]string{"d/q": q, "theirs": "1"}})
			return from(repo, ids[6], ids[7])
		},
		"theirs has both": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			ids := repo.Add(t,
				gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, nil)}},
				gitserver.Commit{Branch: "a", Parents: []string{":1"}, Files: map[string]string{"f": lines(60, map[int]string{5: "a"})}},
				gitserver.Commit{Branch: "b", Parents: []string{":1"}, Files: map[string]string{"f": lines(60, map[int]string{30: "b"})}},
				gitserver.Commit{Branch: "c", Parents: []string{":2", ":3"}, Files: map[string]string{"f": lines(60, map[int]string{5: "a", 30: "b", 50: "c"})}})
			return from(repo, ids[1], ids[2], ids[3])
		},
		"renamed": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			blob := func(text string) string { return fmt.Sprintf("data %d\n%s\n", len(text), text) }
			who := "committer a <a@example.com> 1700000000 +0000\ndata 1\nx\n"
			ids := fastImport(t, repo, "commit refs/heads/main\nmark :1\n"+who+"M 100644 inline old/dir/f\n"+blob(lines(60, nil))+"M 100644 inline old/dir/g\n"+blob(lines(50, map[int]string{1: "g"}))+
				"\ncommit refs/heads/moved\nmark :2\n"+who+"from :1\nR old/dir new\n"+
				"\ncommit refs/heads/changed\nmark :3\n"+who+"from :1\nM 100644 inline old/dir/f\n"+blob(lines(60, map[int]string{7: "changed"}))+"\n", 3)
			return from(repo, ids[1], ids[2])
		},
		"attributes": func(t testing.TB, srv *gitserver.Server, name string) []string {
			t.Helper()
			repo := srv.Repo(t, name)
			ids := repo.Add(t,
				gitserver.Commit{Branch: "main", Files: map[string]string{".gitattributes": "*.log merge=union\n*.bat text eol=crlf\n*.id ident\n*.x filter=evil\n", "c.log": "start\n", "run.bat": "a\nb\n", "v.id": "$Id$\n", "a.x": "x\n"}},
				gitserver.Commit{Branch: "main", Files: map[string]string{"c.log": "start\nmain\n"}},
				gitserver.Commit{Branch: "side", Parents: []string{":1"}, Files: map[string]string{"c.log": "start\nside\n"}})
			return from(repo, ids[1], ids[2])
		},
	}
}

// TestMaterialize_aggregator compares each shape with what git-aggregator
// makes of the same lock, byte for byte and mode for mode: from an empty cache,
// and with recorded trees.
func TestMaterialize_aggregator(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := entry("./oca/it", shape(t, srv, strings.ReplaceAll(name, " ", "-"))...)
			want := files(t, filepath.Join(aggregate(t, text), "oca", "it"))
			src := t.TempDir()
			file := parse(t, text)
			o := options(t, t.TempDir(), src)
			if _, err := source.Materialize(t.Context(), file, o); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, files(t, filepath.Join(src, "oca", "it"))); diff != "" {
				t.Errorf("the first time: %s", diff)
			}
			if err := source.Trees(t.Context(), file, o); err != nil {
				t.Fatal(err)
			}
			recorded, err := lock.Format(file)
			if err != nil {
				t.Fatal(err)
			}
			src = t.TempDir()
			if _, err := source.Materialize(t.Context(), parse(t, string(recorded)), options(t, t.TempDir(), src)); err != nil {
				t.Fatalf("%v\n%s", err, recorded)
			}
			if diff := cmp.Diff(want, files(t, filepath.Join(src, "oca", "it"))); diff != "" {
				t.Errorf("with recorded trees: %s\n%s", diff, recorded)
			}
		})
	}
}
