package lock_test

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

var operator = gitname.Operator(false)

func mustParse(t testing.TB, data string) *lock.File {
	t.Helper()
	file, err := lock.Parse("repos.yaml", []byte(data), operator)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func mustParseLock(t testing.TB, data string) *lock.File {
	t.Helper()
	file, err := lock.ParseLock("repos.lock.yaml", []byte(data), operator)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func mustFormat(t testing.TB, file *lock.File) string {
	t.Helper()
	data, err := lock.Format(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// flow renders a node without its style and comments: text in quotes unless it
// is one plain word, and other scalars as they stand.
func flow(node *yaml.Node) string {
	var parts []string
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(node.Content); i += 2 {
			parts = append(parts, flow(node.Content[i])+": "+flow(node.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, item := range node.Content {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	switch tag := node.ShortTag(); {
	case tag == "!!null":
		return "null"
	case tag != "!!str":
		return node.Value
	case plainWord.MatchString(node.Value):
		return node.Value
	}
	return strconv.Quote(node.Value)
}

var plainWord = regexp.MustCompile(`^[a-z][a-z0-9 ]*$`)

func fields(all []lock.Field) string {
	var out []string
	for _, f := range all {
		out = append(out, f.Key+"="+flow(f.Value))
	}
	return strings.Join(out, " ")
}

// summary renders a file as one line a part, without lines and layout.
func summary(file *lock.File) string {
	var b strings.Builder
	line := func(words ...string) { b.WriteString(strings.TrimRight(strings.Join(words, " "), " ") + "\n") }
	for _, d := range file.Destinations {
		line(d.Path, fields(d.Extra))
		for _, r := range d.Remotes {
			line(" remote", r.Name, r.URL)
		}
		if d.Target != "" {
			line(" target", d.Target)
		}
		for _, m := range d.Merges {
			line(" merge", m.Remote, m.Ref, m.Commit, m.MergeBase, fields(m.Options))
		}
		if d.Tree != "" {
			line(" tree", d.Tree)
		}
	}
	return b.String()
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"both forms of a merge", `
./odoo:
  remotes:
    odoo: https://github.com/odoo/odoo.git
    nuobit: git@github.com:nuobit/odoo.git
  target: odoo 17.0
  merges:
    - odoo 17.0
    - {remote: nuobit, ref: 17.0-fix, depth: 1000, shallow-since: 2024-01-02, shallow-exclude: v1}
`, `./odoo
 remote odoo https://github.com/odoo/odoo.git
 remote nuobit git@github.com:nuobit/odoo.git
 target odoo 17.0
 merge odoo 17.0
 merge nuobit 17.0-fix   depth=1000 shallow-since=2024-01-02 shallow-exclude=v1
`},
		{"what belongs to git-aggregator, and what nobody knows", `
odoo:
  defaults: {depth: 0200}
  fetch_all: [odoo]
  shell_command_after:
    - make x
    - |
      a
      b
  x-owner: {team: core, since: 2024}
  remotes: {odoo: https://h/o}
  merges: [odoo 1]
  comment: yes
`, `odoo defaults={depth: 0200} fetch_all=[odoo] shell_command_after=[make x, "a\nb\n"] x-owner={team: core, since: 2024} comment=yes
 remote odoo https://h/o
 merge odoo 1
`},
		{"raw scalars", `
./a:
  remotes: {6054e2: https://h/o, 0x1: https://h/p, on: https://h/q}
  target: 18.10
  merges:
    - {remote: 6054e2, ref: 18.10}
    - {remote: 0x1, ref: 010}
    - {remote: on, ref: 6054e2}
    - on 1_0
    - {remote: on, ref: 2024-01-02, depth: 010}
    - {remote: on, ref: True}
`, `./a
 remote 6054e2 https://h/o
 remote 0x1 https://h/p
 remote on https://h/q
 target 18.10
 merge 6054e2 18.10
 merge 0x1 010
 merge on 6054e2
 merge on 1_0
 merge on 2024-01-02   depth=010
 merge on True
`},
		{"targets", `
a: {remotes: {o: https://h/o}, merges: [o 1], target: }
b: {remotes: {o: https://h/o}, merges: [o 1], target: ~}
c: {remotes: {o: https://h/o}, merges: [o 1], target: "  o   x  "}
d: {remotes: {o: https://h/o}, merges: [o 1], target: branch}
`, `a
 remote o https://h/o
 merge o 1
b
 remote o https://h/o
 merge o 1
c
 remote o https://h/o
 target o x
 merge o 1
d
 remote o https://h/o
 target branch
 merge o 1
`},
		{"anchors and merge keys", `
./a: &a
  remotes: &remotes
    oca: https://h/a
  merges: &merges
    - oca 17.0
  defaults: &defaults {depth: 1}
./b:
  <<: *a
  remotes:
    <<: *remotes
    extra: https://h/b
  merges: [extra 1]
./c:
  remotes: *remotes
  merges: *merges
  defaults:
    <<: *defaults
`, `./a defaults={depth: 1}
 remote oca https://h/a
 merge oca 17.0
./b defaults={depth: 1}
 remote extra https://h/b
 remote oca https://h/a
 merge extra 1
./c defaults={depth: 1}
 remote oca https://h/a
 merge oca 17.0
`},
		{"comments and quotes", "# head\n'./a b': # c\n  remotes: {\"o\": 'https://h/o'} # d\n  merges:\n  # e\n  - \"o 1\" # f\n", "./a b\n remote o https://h/o\n merge o 1\n"},
		{"nothing set", "a: {remotes: {o: https://h/o}, merges: [o 1], defaults: , fetch_all: ~, shell_command_after: }\n", "a defaults=null fetch_all=null shell_command_after=null\n remote o https://h/o\n merge o 1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, summary(mustParse(t, test.in))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParse_lines(t *testing.T) {
	t.Parallel()
	file := mustParse(t, "\n./a:\n  remotes:\n    o: https://h/o\n  merges:\n  - o 1\n  - remote: o\n    ref: 2\n")
	d := file.Destinations[0]
	if got := []int{d.Line, d.Remotes[0].Line, d.Merges[0].Line, d.Merges[1].Line}; !cmp.Equal(got, []int{2, 4, 6, 7}) {
		t.Errorf("lines %v", got)
	}
}

// faults are the lines that an error prints, with the hints left out.
func faults(t testing.TB, err error) []string {
	t.Helper()
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	var lines []string
	for _, e := range all {
		fault := (*yamldoc.Error)(nil)
		if !errors.As(e, &fault) {
			t.Fatalf("%v is no *yamldoc.Error", e)
		}
		first, _, _ := strings.Cut(e.Error(), "\n")
		lines = append(lines, first)
	}
	return lines
}

func TestParse_faults(t *testing.T) {
	t.Parallel()
	const ok = "{remotes: {o: https://h/o}, merges: [o 1]}"
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"empty", "", []string{"f:1: declares no destination"}},
		{"comment", "# x\n", []string{"f:1: declares no destination"}},
		{"a list", "- a\n", []string{"f:1: the top level must map directories to entries; " + example}},
		{"text", "a\n", []string{"f:1: the top level must map directories to entries; " + example}},
		{"unknown key at top level", "./a: " + ok + "\nversion: 2\nx-y: [1]\n", []string{`f:2: "version" is no destination: an entry has remotes and merges`, `f:3: "x-y" is no destination: an entry has remotes and merges`}},
		{"an entry of nothing", "./a:\n", []string{`f:1: "./a" is no destination: an entry has remotes and merges`}},
		{"nothing needed is there", "./a: {}\n", []string{"f:1: ./a: remotes is missing: name at least one, as NAME: URL", "f:1: ./a: merges is missing: list at least one, as - REMOTE REF"}},
		{"empty remotes and merges", "./a:\n  remotes:\n  merges: []\n", []string{"f:2: remotes must map at least one name to a URL", "f:3: ./a: merges must list at least one REMOTE REF"}},
		{"remotes of the wrong kind", "./a:\n  remotes: [o]\n  merges: o 1\n", []string{"f:2: remotes must map at least one name to a URL", "f:3: ./a: merges must list at least one REMOTE REF"}},
		{"URLs", "./a:\n  remotes:\n    a:\n    b: ~\n    c: [x]\n    d: /srv/x\n    e: ext::x\n  merges: [a 1]\n", []string{
			"f:3: remote a: an empty URL", "f:4: remote b: ~ is no URL; write https://HOST/OWNER/NAME.git or git@HOST:OWNER/NAME.git", "f:5: remote c: an empty URL",
			"f:6: remote d: /srv/x: the file protocol is not allowed here; local paths need --allow-file-remotes", "f:7: remote e: ext::x names a remote helper; use an https or ssh URL",
		}},
		{"merges", "./a:\n  remotes: {o: https://h/o}\n  merges:\n  -\n  - o\n  - o  1\n  - o 1 2\n  - 1.0\n  - [o, 1]\n  - {remote: o}\n  - {ref: 1}\n  - {remote: o, ref: }\n  - {remote: o, ref: [1]}\n  - p 1\n  - o a..b\n  - {remote: p, ref: 1}\n", []string{
			`f:4: ./a: the merge "" must be REMOTE REF, with one space between`, `f:5: ./a: the merge "o" must be REMOTE REF, with one space between`, `f:6: ./a: the merge "o  1" must be REMOTE REF, with one space between`,
			`f:7: ./a: the merge "o 1 2" must be REMOTE REF, with one space between`, `f:8: ./a: the merge "1.0" must be REMOTE REF, with one space between`, "f:9: ./a: a merge must be REMOTE REF, or a mapping with remote and ref",
			"f:10: ./a: a merge needs remote and ref", "f:11: ./a: a merge needs remote and ref", "f:12: ./a: a merge needs remote and ref", "f:13: ./a: a merge needs remote and ref", `f:14: ./a: merge "p 1": there is no remote "p" here`,
			`f:15: ./a: "a..b" is no ref: git does not allow .. or // or @{ or /. in it, nor / or . at its end`, `f:16: ./a: merge "p 1": there is no remote "p" here`,
		}},
		{"targets", "a: {remotes: {o: https://h/o}, merges: [o 1],\n target: a b c}\nb: {remotes: {o: https://h/o}, merges: [o 1],\n target: [a]}\nc: {remotes: {o: https://h/o}, merges: [o 1],\n target: p x}\nd: {remotes: {o: https://h/o}, merges: [o 1],\n target: o a..b}\n", []string{
			"f:2: target must be BRANCH or REMOTE BRANCH", "f:4: target must be BRANCH or REMOTE BRANCH", `f:6: c: the target's remote "p" is not among its remotes`,
			`f:8: target: "a..b" is no ref: git does not allow .. or // or @{ or /. in it, nor / or . at its end`,
		}},
		{"other keys", "a:\n  remotes: {o: https://h/o}\n  merges: [o 1]\n  defaults: [1]\n  fetch_all: {o: 1}\n  shell_command_after: {a: b}\n", []string{
			"f:4: defaults must be a mapping of fetch options, such as depth: 200", "f:5: fetch_all must be text or a list", "f:6: shell_command_after must be text or a list",
		}},
		{"in the order of their lines", "../x: " + ok + "\n./a:\n  merges: [o a..b, p 1]\n  target: p x\n  remotes:\n    o: -x\n./a/b: " + ok + "\nz: 1\n", []string{
			`f:1: the destination "../x" must not have .. in it`, `f:3: ./a: "a..b" is no ref: git does not allow .. or // or @{ or /. in it, nor / or . at its end`, `f:3: ./a: merge "p 1": there is no remote "p" here`,
			`f:4: ./a: the target's remote "p" is not among its remotes`, "f:6: remote o: -x starts with -", `f:7: the destination "./a/b" overlaps with "./a" of line 2`, `f:8: "z" is no destination: an entry has remotes and merges`,
		}},
		{"no YAML", "a: [\n", []string{"f:1: is not YAML: did not find expected node content"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := lock.Parse("f", []byte(test.in), operator)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(test.want, faults(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const example = "an entry looks like this: ./odoo: {remotes: {odoo: https://github.com/odoo/odoo.git}, merges: [odoo 18.0]}"
