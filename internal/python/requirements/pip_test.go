package requirements_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/internal/python/requirements"
	"github.com/nuobit/odyssey/test/pytools"
)

// pipCase is what testdata/readpip.py reads.
type pipCase struct {
	Files       []string           `json:"files"`
	Constraints []string           `json:"constraints"`
	Environ     map[string]string  `json:"environ"`
	Environment pep508.Environment `json:"environment"`
}

// pipLine is a requirement as pip understands it.
type pipLine struct {
	Place      string         `json:"place"`
	Constraint bool           `json:"constraint"`
	Name       string         `json:"name"`
	Extras     []string       `json:"extras"`
	Specifier  [][2]string    `json:"specifier"`
	URL        string         `json:"url"`
	Active     bool           `json:"active"`
	Hashes     []string       `json:"hashes"`
	Settings   map[string]any `json:"settings"`
}

type pipResult struct {
	Error        string     `json:"error"`
	Lines        []pipLine  `json:"lines"`
	Index        []string   `json:"index"`
	Find         []string   `json:"find"`
	NoIndex      bool       `json:"no_index"`
	Binary       [][]string `json:"binary"`
	PreferBinary bool       `json:"prefer_binary"`
	Trusted      []string   `json:"trusted"`
}

func askPip(t *testing.T, cases []pipCase) []pipResult {
	t.Helper()
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), pytools.Python(t), "testdata/readpip.py")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var results []pipResult
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatal(err)
	}
	return results
}

// fromLine is a line as pip would show it.
func fromLine(line requirements.Line, dir string, constraint, active bool) pipLine {
	l := pipLine{
		Place: fmt.Sprintf("line %d of %s", line.Line, filepath.Join(dir, filepath.FromSlash(line.File))), Constraint: constraint, Active: active,
		Name: line.Name, Extras: append([]string{}, line.Requirement.Extras...), URL: line.Requirement.URL, Specifier: [][2]string{},
		Hashes: append([]string{}, line.Hashes...), Settings: map[string]any{},
	}
	for _, s := range line.Requirement.Specifier {
		l.Specifier = append(l.Specifier, [2]string{s.Op, s.Version})
	}
	slices.Sort(l.Hashes)
	for _, setting := range line.ConfigSettings {
		key, value, _ := strings.Cut(setting, "=")
		l.Settings[key] = value
	}
	return l
}

// plain makes lines of both sides comparable: each active one once, then by place.
func plain(lines []pipLine) []pipLine {
	out := []pipLine{}
	seen := map[string]bool{}
	for _, l := range lines {
		slices.SortFunc(l.Specifier, func(a, b [2]string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) })
		l.Specifier = slices.Compact(l.Specifier)
		place := l.Place
		if l.Active {
			l.Place = ""
		} else {
			l.Constraint = false // a Result does not tell
		}
		key := fmt.Sprintf("%+v", l)
		if !seen[key] {
			l.Place = place
			out = append(out, l)
		}
		seen[key] = true
	}
	slices.SortStableFunc(out, func(a, b pipLine) int { return strings.Compare(a.Place, b.Place) })
	return out
}

// checkPip compares what we make of files to what pip does.
func checkPip(t *testing.T, text, dir string, got *requirements.Result, want pipResult) {
	t.Helper()
	if want.Error != "" {
		t.Errorf("accepted, but pip says %s:\n%s", want.Error, text)
		return
	}
	all := pipResult{Index: []string{}, Find: []string{}, Binary: [][]string{{}, {}}, Trusted: []string{}}
	for _, line := range got.Lines {
		all.Lines = append(all.Lines, fromLine(line, dir, false, true))
	}
	for _, line := range got.Constraints {
		all.Lines = append(all.Lines, fromLine(line, dir, true, true))
	}
	for _, line := range got.Dropped {
		all.Lines = append(all.Lines, fromLine(line, dir, false, false))
	}
	for _, o := range got.Options {
		all.take(o)
	}
	all.Lines, want.Lines = plain(all.Lines), plain(want.Lines)
	for _, list := range [][]string{all.Find, want.Find, all.Trusted, want.Trusted, all.Binary[0], all.Binary[1]} {
		slices.Sort(list)
	}
	want.Find, want.Index, want.Trusted = slices.Compact(want.Find), unique(want.Index), slices.Compact(want.Trusted)
	all.Index = unique(all.Index)
	if diff := gocmp.Diff(want, all); diff != "" {
		t.Errorf("(-pip +here)\n%s\n%s", diff, text)
	}
}

func unique(all []string) []string {
	out := []string{}
	for _, one := range all {
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// take does with an option what pip does.
func (r *pipResult) take(o requirements.Option) {
	switch o.Name {
	case "--no-index":
		r.NoIndex, r.Index = true, []string{}
	case "--prefer-binary":
		r.PreferBinary = true
	case "--trusted-host":
		r.Trusted = append(r.Trusted, o.Value)
	case "--find-links":
		r.Find = append(r.Find, o.Value)
	case "--no-binary":
		r.Binary[0] = append(r.Binary[0], o.Value)
	case "--only-binary":
		r.Binary[1] = append(r.Binary[1], o.Value)
	case "--index-url":
		if !r.NoIndex {
			r.Index = []string{o.Value}
		}
	case "--extra-index-url":
		if !r.NoIndex {
			r.Index = append(r.Index, o.Value)
		}
	}
}

// generated are files of lines as people write them, and nearly so.
func generated(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	hash := "--hash=sha256:" + strings.Repeat(pick("0", "a", "f"), 64)
	statement := func() string {
		name := pick("a", "B.c", "b_c", "d-e", "F")
		switch r.IntN(14) {
		case 0:
			return pick("# comment", "", "  ", "#", "   # x", "\t#y")
		case 1:
			return pick("--index-url https://example.com/simple", "-i https://example.com/simple", "--index-url=https://example.org/s", "-ihttps://example.org/s",
				"--extra-index-url https://example.net/simple", "--no-index", "--find-links https://example.com/f", "-f https://example.com/g", "--prefer-binary",
				"--pre", "--trusted-host example.com", "--trusted-host=example.com:8080", "--use-feature fast-deps", "--pypi-url https://example.com/p",
				"--no-binary x", "--only-binary y", "--require-hashes", "--no-index --find-links https://example.com/h", `--index-url "https://example.com/q"`)
		case 2:
			return name + pick(" @ ", "@") + pick("https://example.com/a.tar.gz", "git+https://example.com/a.git@v1#egg=x", "git+ssh://git@example.com/a.git") + pick("", " ; os_name == 'nt'", " ; os_name == 'posix'  # c")
		case 3:
			return pick("git+https://example.com/a.git@v1#egg=Eg_g", "https://example.com/z.tar.gz", "git+https://example.com/y.git ; python_version < '3'")
		case 4:
			return name + "==1.0 " + hash + pick("", " "+hash, " \\\n    "+hash, " --config-settings=k=v", ` --config-settings "k=v w"`, " -C k=v", " # c", " --hash sha256:"+strings.Repeat("1", 64))
		case 5:
			return name + "==${VERSION}"
		case 6:
			return pick("-r", "--hash", "foo bar", "foo --hash", "--bogus", "-x", "foo==1 --index-url x", "foo==", "-e .", "./local", "foo\\", "a==1 \\ ", "\"", "a;", "a ;", "\\a\\\n==1", "--no-index=1", "foo --hash=md5:00", "--pr")
		}
		return pick("", " ", "\t") + name + pick("", "[x]", "[x, Y_z]") + pick("", "==1.0", " == 1.0 ", ">=1,<2", "~=1.4.2", "!=1.3.*", " (>=1)", "===1.0", ">= 1 \\\n, < 3", "==1.\\\n5") +
			pick("", "", "; python_version < '3.11'", " ; python_version>='3.11' and sys_platform != \"win32\"", ";extra=='x'", "; os_name == 'nt' or os_name == 'posix'") + pick("", "", "  # why", " #", "#x", "\t# y")
	}
	var b strings.Builder
	b.WriteString(pick("", "", "", "\ufeff", "# -*- coding: utf-8 -*-\n"))
	for range 1 + r.IntN(5) {
		b.WriteString(statement() + pick("\n", "\n", "\n", "\r\n", "\n\n"))
	}
	return b.String()
}

// TestAgree_PipFiles: pip reads every file that is accepted here, and makes
// the same of it; and of the files that it reads, most are accepted here.
func TestAgree_PipFiles(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	dir := t.TempDir()
	environ := map[string]string{"VERSION": "1.0"}
	var cases []pipCase
	var texts []string
	for i := range 700 {
		text := generated(r)
		path := filepath.Join(dir, fmt.Sprintf("r%d.txt", i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
		c := pipCase{Files: []string{path}, Environ: environ, Environment: environment("3.12")}
		if i%4 == 0 {
			c.Files, c.Constraints = nil, c.Files
		}
		cases = append(cases, c)
	}
	accepted, refused := 0, 0
	for i, want := range askPip(t, cases) {
		got, err := requirements.Normalize(requirements.Input{
			Files: cases[i].Files, Constraints: cases[i].Constraints, Env: cases[i].Environment, Environ: []string{"VERSION=1.0"}, Root: dir,
		})
		switch {
		case err == nil:
			accepted++
			checkPip(t, texts[i], dir, got, want)
		case want.Error == "" && !deliberate(err):
			t.Errorf("refused, but pip reads it: %v\n%s", err, texts[i])
		case want.Error == "":
			refused++
		}
	}
	if accepted < 200 || refused > accepted/2 {
		t.Errorf("%d files are accepted, %d are refused on purpose", accepted, refused)
	}
}

// deliberate reports whether all faults are ones that pip lets pass.
func deliberate(err error) bool {
	for _, line := range strings.Split(err.Error(), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		if !slices.ContainsFunc([]string{"contradicts", "is a place on this machine", "editable requirement", "where pip ignores it", "stands without a requirement", "joins no line", "is no option of"}, func(s string) bool {
			return strings.Contains(line, s)
		}) {
			return false
		}
	}
	return true
}
