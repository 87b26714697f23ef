package yamldoc_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// flow renders a node tree as one line of YAML, scalars as they stand.
func flow(node *yaml.Node) string {
	var parts []string
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(node.Content); i += 2 {
			parts = append(parts, node.Content[i].Value+": "+flow(node.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, item := range node.Content {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return node.Value
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"scalars keep their text", "a: 18.10\nb: 010\nc: yes\nd: ~\ne: 2024-01-02\n", "{a: 18.10, b: 010, c: yes, d: ~, e: 2024-01-02}"},
		{"alias", "a: &x [1, 2]\nb: *x\n", "{a: [1, 2], b: [1, 2]}"},
		{"anchor on a key, alias as a key", "&x a: 1\nb:\n  *x : 2\n", "{a: 1, b: {a: 2}}"},
		{"own key before merged", "a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n", "{a: {k: 1, l: 2}, b: {k: 3, l: 2}}"},
		{"earlier mapping of a merge list first", "a: {<<: [{k: 1}, {k: 2, l: 3}]}\n", "{a: {k: 1, l: 3}}"},
		{"merge in a merge", "a: {<<: {<<: {k: 1}, l: 2}}\n", "{a: {l: 2, k: 1}}"},
		{"quoted << is a plain key", "\"<<\": 1\n", "{<<: 1}"},
		{"<< as a value", "a: <<\n", "{a: <<}"},
		{"tags that change nothing", "!!map {a: !!str 1, b: !!int 2, c: !!seq [], d: !!bool true, e: !!null ~}\n", "{a: 1, b: 2, c: [], d: true, e: ~}"},
		{"%YAML", "%YAML 1.1\n---\na: 1\n", "{a: 1}"},
		{"document end", "---\na: 1\n...\n", "{a: 1}"},
		{"byte order mark", "\ufeffa: 1\n", "{a: 1}"},
		{"tab after text", "a: 1\t# x\n", "{a: 1}"},
		{"heading in a block scalar", "a: |\n  x\n  =======\n  <<<<<<< y\n", "{a: x\n=======\n<<<<<<< y\n}"},
		{"rule in a comment", "# =======\na: 1\n", "{a: 1}"},
		{"eight are no marker", "========: 1\n", "{========: 1}"},
		{"no line end", "a: 1", "{a: 1}"},
		{"top-level text", "x", "x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			doc, err := yamldoc.Parse("f.yaml", []byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := flow(doc.Root); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestParse_nothing(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "\n", "# comment\n", "---\n", "~", "null\n", "--- # x\n...\n", "\ufeff"} {
		doc, err := yamldoc.Parse("f.yaml", []byte(in))
		if err != nil {
			t.Errorf("%q: %v", in, err)
		} else if doc.Root != nil {
			t.Errorf("%q: root is %s", in, flow(doc.Root))
		}
	}
}

func TestParse_lines(t *testing.T) {
	t.Parallel()
	doc, err := yamldoc.Parse("f.yaml", []byte("\ufeff# x\na: &x\n- 1\n\nb: *x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"# x", "a: &x", "- 1", "", "b: *x", ""}, doc.Lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	b := doc.Root.Content[3]
	if doc.Root.Content[2].Line != 5 || b.Content[0].Line != 3 {
		t.Errorf("b at line %d, its value at %d; want 5, and 3 where the anchor stands", doc.Root.Content[2].Line, b.Content[0].Line)
	}
}

func TestParse_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in string
		line     int
		msg      string
	}{
		{"NUL", "a: 1\nb: \x00\n", 2, "is a binary file: it has a NUL byte"},
		{"UTF-16", "\xff\xfea\x00", 1, "is not UTF-8"},
		{"Latin-1", "a: 1\n# caf\xe9\n", 2, "is not UTF-8"},
		{"CRLF", "a: 1\nb: 2\r\n", 2, "has CRLF line ends"},
		{"NEL", "a: 1\n# x\u0085b: 2\n", 2, "has the line separator U+0085"},
		{"line separator hides a key", "# x\u2028a: 1\n", 1, "has the line separator U+2028"},
		{"paragraph separator", "a: 'x\u2029'\n", 1, "has the line separator U+2029"},
		{"bell", "a: 1\nb: \a\n", 2, "has the control character U+0007"},
		{"delete", "a: \x7f\n", 1, "has the control character U+007F"},
		{"C1", "a: \u009b31m\n", 1, "has the control character U+009B"},
		{"byte order mark inside", "a: 1\n\ufeffb: 1\n", 2, "has the control character U+FEFF"},
		{"no character", "a: 1\nb: \ufffe\n", 2, "is not YAML: control characters are not allowed"},

		{"conflict", "a: 1\n<<<<<<< HEAD\n", 2, "has a merge conflict marker"},
		{"conflict, middle", "a: 1\n=======\n", 2, "has a merge conflict marker"},
		{"conflict, diff3", "a: 1\n||||||| base\n", 2, "has a merge conflict marker"},
		{"conflict, end", "a: 1\n>>>>>>> b", 2, "has a merge conflict marker"},

		{"unclosed list", "a: 1\nb: [1, 2\nc: 3\n", 2, "is not YAML: did not find expected ',' or ']'"},
		{"unclosed quote", "a: 1\nb: \"x\nc: 1\n", 2, "is not YAML: found unexpected end of stream"},
		{"indentation", "a: 1\nb:\n  - x: 1\n   y: 2\nz: 1\n", 4, "is not YAML: did not find expected '-' indicator"},
		{"list in a mapping", "x:\n  a: 1\n  - b\n", 3, "is not YAML: did not find expected key"},
		{"two colons", "a: 1\n\nb: c: d\n", 3, "is not YAML: mapping values are not allowed in this context"},
		{"tab", "a: 1\nb:\n\t- c\n", 3, "is not YAML: found character that cannot start any token"},
		{"unknown anchor", "a: 1\nb: *nope\nc: *nope\n", 2, "is not YAML: unknown anchor 'nope' referenced"},
		{"version", "%YAML 1.3\n---\na: 1\n", 1, "is not YAML: found incompatible YAML document"},
		{"last line", "a: 1\n}", 2, "is not YAML: did not find expected key"},

		{"second document", "a: 1\n---\nb: 2\n", 2, "a second YAML document; one file holds one"},
		{"faulty second document", "a: 1\n---\nb: [\n", 3, "is not YAML: did not find expected node content"},
		{"list as a key", "a: 1\n? [x]\n: 1\n", 2, "a key must be plain text"},
		{"alias of a list as a key", "a: &x [x]\nb:\n  *x : 1\n", 3, "a key must be plain text"},
		{"merge of a text", "a:\n  <<: [b]\n", 2, "<< takes a mapping or a list of mappings"},
		{"two merges", "<<: {a: 1}\n<<: {b: 1}\n", 2, "<< stands here again, first at line 1"},
		{"!!binary", "a: 1\nb: !!binary aGk=\n", 2, "the tag !!binary is not supported here"},
		{"!!python/object", "!!python/object:os.system {a: b}\n", 1, "the tag !!python/object:os.system is not supported here"},
		{"tag of a key", "a: 1\n!x b: 1\n", 2, "the tag !x is not supported here"},
		{"tag of a list item", "- !x b\n", 1, "the tag !x is not supported here"},
		{"tag that does not fit", "a: !!int '1'\n", 1, "the tag !!int is not supported here"},
		{"!!str of a list", "a: !!str [1]\n", 1, "the tag !!str is not supported here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := yamldoc.Parse("f.yaml", []byte(test.in))
			fault := asError(t, err)
			if fault.Path != "f.yaml" || fault.Line != test.line || fault.Msg != test.msg {
				t.Errorf("got  %v\nwant f.yaml:%d: %s", err, test.line, test.msg)
			}
		})
	}
}

func asError(t *testing.T, err error) *yamldoc.Error {
	t.Helper()
	var fault *yamldoc.Error
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a *yamldoc.Error", err)
	}
	return fault
}

func TestError(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 500)
	for _, test := range []struct {
		in   yamldoc.Error
		want string
	}{
		{yamldoc.Error{Path: "f", Line: 3, Msg: "is bad", Hint: "mend it"}, "f:3: is bad\n  mend it"},
		{yamldoc.Error{Path: "f", Msg: "is bad"}, "f: is bad"},
		{yamldoc.Error{Path: "f", Msg: "x" + long}, "f: x" + long[:498] + "…"},
	} {
		if got := test.in.Error(); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Repeat("#", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if data, err := yamldoc.ReadFile(write("most", yamldoc.MaxSize)); err != nil || len(data) != yamldoc.MaxSize {
		t.Errorf("%d bytes, %v; want all of %d", len(data), err, yamldoc.MaxSize)
	}
	_, err := yamldoc.ReadFile(write("more", yamldoc.MaxSize+1))
	if fault := asError(t, err); fault.Msg != "is larger than 1024 KiB" {
		t.Error(fault)
	}
	_, err = yamldoc.ReadFile(dir)
	if fault := asError(t, err); fault.Msg != "is not a regular file" {
		t.Error(fault)
	}
	if _, err := yamldoc.ReadFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func ExampleParse() {
	_, err := yamldoc.Parse("repos.yaml", []byte("./odoo:\n  remotes:\n    odoo: x\n    odoo: y\n"))
	fmt.Println(err)
	// Output: repos.yaml:4: the key "odoo" stands here again, first at line 3
}
