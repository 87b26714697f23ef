package lock_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/test/aggregator"
)

// python asks testdata/aggregator.py and fills in answer.
func python(t testing.TB, request, answer any) {
	t.Helper()
	in, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), aggregator.Python(t), "-I", "testdata/aggregator.py")
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	cmd.Stdin = bytes.NewReader(in)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatal(err)
	}
}

type remote struct{ Name, URL string }

// aggregated is what git-aggregator makes of a document.
type aggregated struct {
	Error string
	Repos []struct {
		Cwd     string
		Remotes []remote
		Merges  []struct{ Remote, Ref string }
		Target  struct{ Remote, Branch string }
	}
}

func (a aggregated) summary() string {
	var b strings.Builder
	for _, repo := range a.Repos {
		b.WriteString(repo.Cwd + " target " + strings.TrimLeft(repo.Target.Remote+" "+repo.Target.Branch, " ") + "\n")
		// Merged keys stand in another order there.
		slices.SortFunc(repo.Remotes, func(x, y remote) int { return strings.Compare(x.Name, y.Name) })
		for _, r := range repo.Remotes {
			b.WriteString(" remote " + r.Name + " " + r.URL + "\n")
		}
		for _, m := range repo.Merges {
			b.WriteString(" merge " + m.Remote + " " + m.Ref + "\n")
		}
	}
	return b.String()
}

// asAggregated is the same summary of what lock reads.
func asAggregated(file *lock.File) string {
	var b strings.Builder
	for _, d := range file.Destinations {
		target := d.Target
		if target == "" {
			target = "_git_aggregated"
		}
		b.WriteString(d.Clean() + " target " + target + "\n")
		slices.SortFunc(d.Remotes, func(x, y lock.Remote) int { return strings.Compare(x.Name, y.Name) })
		for _, r := range d.Remotes {
			b.WriteString(" remote " + r.Name + " " + r.URL + "\n")
		}
		for _, m := range d.Merges {
			b.WriteString(" merge " + m.Remote + " " + m.Ref + "\n")
		}
	}
	return b.String()
}

// TestParse_aggregator compares with git-aggregator itself. Where the two
// differ on purpose, the case says how.
func TestParse_aggregator(t *testing.T) {
	t.Parallel()
	const remotes = "  remotes: {o: https://h/o, p: 'git@h:p'}\n"
	const merges = "  merges: [o 1]\n"
	for _, group := range []struct {
		name              string
		theirs, ours      bool // accepts it
		agree             bool // and reads the same
		documents         []string
		theirError, error string
	}{
		{name: "same", theirs: true, ours: true, agree: true, documents: []string{
			"./a:\n" + remotes + merges,
			"a:\n" + remotes + merges,
			"a/b c/:\n" + remotes + merges,
			"./a:\n" + remotes + merges + "b:\n" + remotes + "  merges:\n  - p 2\n  - o refs/pull/1/head\n  - o 17.0-x\n",
			"./a:\n" + remotes + merges + "  target: x\n",
			"./a:\n" + remotes + merges + "  target: o x\n",
			"./a:\n" + remotes + merges + "  target: '  p   x  '\n",
			"./a:\n" + remotes + merges + "  target:\n    p\n    x\n",
			"./a:\n" + remotes + "  merges:\n  - {remote: o, ref: a}\n  - remote: p\n    ref: '1'\n    depth: 3\n",
			"./a:\n" + remotes + "  merges:\n  - {remote: o, ref: 8}\n  - {remote: o, ref: 17.0}\n  - {remote: o, ref: 6054e2}\n",
			"./a:\n" + remotes + "  merges:\n  - o 18.10\n  - o 010\n  - \"p 1e3\"\n",
			"./a:\n" + remotes + merges + "  defaults: {depth: 10}\n  fetch_all: true\n",
			"./a:\n" + remotes + merges + "  fetch_all: o\n  shell_command_after: make\n",
			"./a:\n" + remotes + merges + "  fetch_all: [o, p]\n  shell_command_after:\n  - a\n  - |\n    b\n    c\n",
			"./a:\n" + remotes + merges + "  defaults:\n  shell_command_after:\n",
			"./a:\n" + remotes + merges + "  x: 1\n  y: {z: [1]}\n",
			"./a: &a\n" + remotes + merges + "./b: *a\n",
			"./a: &a\n" + remotes + merges + "./b:\n  <<: *a\n  merges: [p 2]\n",
			"./a:\n  remotes: &r {o: https://h/o}\n" + merges + "./b:\n  remotes:\n    <<: *r\n    q: https://h/q\n  merges: [q 1]\n",
			"./a: # c\n" + remotes + "  merges: # d\n  - o 1 # e\n",
			"---\n./a:\n" + remotes + merges,
			"%YAML 1.1\n---\n./a:\n" + remotes + merges,
			"./é:\n" + remotes + "  merges: [o año]\n",
			"./a:\n  remotes: {'8': https://h/o, 'on': https://h/p}\n  merges: [8 1, on 2]\n",
		}},
		// Scalars are read raw; git-aggregator has what is left of the number.
		{name: "raw", theirs: true, ours: true, documents: []string{
			"./a:\n" + remotes + "  merges: [{remote: o, ref: 18.10}]\n",
			"./a:\n" + remotes + "  merges: [{remote: o, ref: 010}]\n",
			"./a:\n" + remotes + "  merges: [{remote: o, ref: yes}]\n",
			"./a:\n" + remotes + merges + "  target: 18.10\n",
			"./a:\n" + remotes + merges + "  target:\n", // there a branch named None
		}},
		// Bare numbers are names here.
		{name: "laxer", ours: true, documents: []string{
			"./a:\n  remotes: {8: https://h/o}\n  merges: [8 1]\n",
			"123:\n" + remotes + merges,
			"./a:\n  remotes: {on: https://h/o}\n  merges: [on 1]\n",
		}},
		{name: "stricter", theirs: true, documents: []string{
			"", // nothing to do
			"../a:\n" + remotes + merges,
			"/a:\n" + remotes + merges,
			".git:\n" + remotes + merges,
			"./a:\n" + remotes + merges + "./a/b:\n" + remotes + merges,
			"./a:\n" + remotes + merges + "./a:\n" + remotes + "  merges: [p 1]\n",
			"./a:\n" + remotes + "  merges: [o -x]\n",
			"./a:\n" + remotes + "  merges: [o a..b]\n",
			"./a:\n  remotes: {o: 'ext::sh'}\n" + merges,
			"./a:\n  remotes: {o: 'https://ann:pw@h/o'}\n" + merges,
			"./a:\n  remotes: {o: /srv/o}\n" + merges,
			"./a:\n  remotes: {-o: https://h/o}\n  merges: [-o 1]\n",
			"./a:\n" + remotes + merges + "  fetch_all: {o: 1}\n",
			"./a:\n" + remotes + merges + "  defaults: x\n",
		}},
		{name: "refused by both", documents: []string{
			"- a\n", "a\n", "a: b\n", "./a:\n", "./a: {}\n", "./a:\n" + remotes, "./a:\n" + merges,
			"./a:\n  remotes: {}\n" + merges, "./a:\n  remotes:\n" + merges, "./a:\n  remotes: {o: }\n" + merges,
			"./a:\n" + remotes + "  merges: []\n", "./a:\n" + remotes + "  merges:\n", "./a:\n" + remotes + "  merges: [o]\n", "./a:\n" + remotes + "  merges: [o  1]\n",
			"./a:\n" + remotes + "  merges: [o 1 2]\n", "./a:\n" + remotes + "  merges: [q 1]\n", "./a:\n" + remotes + "  merges: [{remote: o}]\n", "./a:\n" + remotes + "  merges: [{ref: 1}]\n", "./a:\n" + remotes + "  merges: [1.0]\n",
			"./a:\n" + remotes + merges + "  target: a b c\n", "./a:\n" + remotes + merges + "  target: q x\n", "version: 1\n./a:\n" + remotes + merges, "./a: [\n",
		}},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			var theirs []aggregated
			python(t, map[string]any{"documents": group.documents}, &theirs)
			for i, document := range group.documents {
				file, err := lock.Parse("f", []byte(document), operator)
				if (err == nil) != group.ours {
					t.Errorf("%s\nwe say: %v", document, err)
				}
				if (theirs[i].Error == "") != group.theirs {
					t.Errorf("%s\ngit-aggregator says: %q", document, theirs[i].Error)
				}
				if err != nil || theirs[i].Error != "" {
					continue
				}
				diff := cmp.Diff(theirs[i].summary(), asAggregated(file))
				if group.agree == (diff != "") {
					t.Errorf("%s\n-git-aggregator +ours\n%s", document, diff)
				}
			}
		})
	}
}

// TestFormat_aggregator: what lock writes, git-aggregator reads as lock does.
func TestFormat_aggregator(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	var files []*lock.File
	var documents []string
	for range 100 {
		file := randomLock(random)
		files = append(files, file)
		documents = append(documents, mustFormat(t, file))
	}
	var theirs []aggregated
	python(t, map[string]any{"documents": documents}, &theirs)
	for i, file := range files {
		for j := range file.Destinations {
			for k := range file.Destinations[j].Merges {
				m := &file.Destinations[j].Merges[k]
				m.Ref = m.Commit
			}
		}
		if diff := cmp.Diff(asAggregated(file), theirs[i].summary()); diff != "" {
			t.Errorf("%s\n%s\n-ours +git-aggregator\n%s", documents[i], theirs[i].Error, diff)
		}
	}
}

// expanded is what Python's Template makes of a text.
type expanded struct{ Text, Error string }

func TestExpandEnv_python(t *testing.T) {
	t.Parallel()
	env := map[string]string{"A": "1", "_b": "two", "a1_Z": "$A ${A}", "EMPTY": "", "N": "x\ny", "É": "no"}
	texts := []string{
		"", "plain", "$A", "${A}", "$$", "$$A", "$$$A", "$$$$", "${A}$_b$A", "$a1_Z", "x$Ay", "x${A}y", "$A-b", "$A.$_b", "$EMPTY|", "$N", "$", "a$", "$ A", "${", "${A", "${}", "${ A}", "${A }", "${A-b}", "$1", "${1}",
		"$É", "${É}", "$Aé", "$\u212a", "$\u017f", "$A\u017f", "$UNSET", "${UNSET}", "$a", "$\n", "a\n$A\n$\n", "{$A}", "${$A}", "$({A})", "$$UNSET", "$UNSET$", "\\$A", "$A$", "${A}}", "${{A}}", "# $A\n", "# costs $5\n",
	}
	random := rand.New(rand.NewPCG(5, 6))
	pieces := []string{"$", "$", "{", "}", "A", "_", "b", "_b", "1", " ", "\n", "é", "\u212a", "-", "EMPTY"}
	for range 3000 {
		var b strings.Builder
		for range random.IntN(8) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		texts = append(texts, b.String())
	}
	var theirs []expanded
	python(t, map[string]any{"templates": texts, "env": env}, &theirs)
	for i, text := range texts {
		got, err := lock.ExpandEnv("f", []byte(text), env)
		if (err == nil) != (theirs[i].Error == "") || err == nil && string(got) != theirs[i].Text {
			t.Errorf("%q\nwe say     %q, %v\nPython says %q, %s", text, got, err, theirs[i].Text, theirs[i].Error)
		}
	}
}
