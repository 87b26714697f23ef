package pyliteral_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/odoo/pyliteral"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

func wantError(t *testing.T, in, want string) {
	t.Helper()
	_, err := pyliteral.Parse("m.py", []byte(in))
	fault := (*yamldoc.Error)(nil)
	if !errors.As(err, &fault) {
		t.Errorf("%.100q: %v is no *yamldoc.Error", in, err)
	} else if got := err.Error(); got != want {
		t.Errorf("%.100q\ngot  %s\nwant %s", in, got, want)
	}
}

func TestParse_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"", "m.py:1: the file ends where a value was expected"},
		{"# c\n\n", "m.py:3: the file ends where a value was expected"},
		{"{\n'a': 1,\n'b' 2}", "m.py:3: '2' stands where the : after a key was expected"},
		{"{\n'a': 1\n'b': 2}", "m.py:3: '\\'' stands where a comma or the end of the { of line 1 was expected"},
		{"\n{\n'a': [1,\n2\n", "m.py:5: the file ends where a comma or the end of the [ of line 3 was expected"},
		{"{\n'a': _('x')}", "m.py:2: the name _ stands here; only literals may, such as text, numbers and lists"},
		{"{'a':\nopen('x').read()}", "m.py:2: the name open stands here; only literals may, such as text, numbers and lists"},
		{"[1,\n*a]", "m.py:2: '*' stands where a value was expected"},
		{"{'a': 1}\n['a']", "m.py:2: '[' stands where the end of the file was expected"},
		{"[\n1 + 1]", "m.py:2: a calculation stands here; only a complex number such as 1+2j has a sign inside"},
		{"1j + 1j", "m.py:1: a calculation with two imaginary numbers stands here"},
		{"[\n-'a']", "m.py:2: the sign - stands before something that is no number"},
		{"[\nset]", "m.py:2: the name set stands here; only set() is a value"},
		{"[set(1)]", "m.py:1: '1' stands where the ) of set() was expected"},
		{"\n {}", "m.py:2: the line is indented\n  remove the spaces before its first character"},
		{"[\n'a\n]", "m.py:2: the line ends before the text that begins with '"},
		{"[\n'''a\n]", "m.py:2: the text that begins with ''' here has no end"},
		{"[\nf'a']", "m.py:2: an f-string stands here; only literals may"},
		{"[\nur'a']", "m.py:2: ur is no prefix of a literal's text; r, b, rb and u are"},
		{"['a'\nb'b']", "m.py:2: bytes and text stand side by side"},
		{"b'''\né'''", "m.py:2: bytes hold a character that is not ASCII"},
		{"'''a\n\\x4'''", "m.py:2: \\x needs 2 hexadecimal digits of a character"},
		{"'''a\n\\N'''", "m.py:2: \\N needs the name of a character in braces"},
		{"'\\N{A B}'", "m.py:1: \\N{A B}: no character is known here by that name\n  write the character itself, or \\u with its number"},
		{"[\n012]", "m.py:2: 012 is no number"},
		{"[\n1_]", "m.py:2: 1_ is no number"},
		{"1" + strings.Repeat("0", 400) + "+1j", "m.py:1: the integer is too large for a complex number"},
		{strings.Repeat("1", 4301), "m.py:1: an integer has more than 4300 digits"},
		{"{\n[]: 1}", "m.py:2: a list, a dict or a set cannot be a key, nor a tuple that holds one"},
		{"{1,\n([],)}", "m.py:2: a list, a dict or a set cannot be in a set, nor a tuple that holds one"},
		{strings.Repeat("[\n", 200), "m.py:200: brackets are nested deeper than 199 levels"},
		{"[\\ \n]", `m.py:1: something stands after the \ that continues a line`},
		{"[1]\\\n", `m.py:1: ends after a \ that continues a line`},
		{"\ufeff{}", "m.py:1: begins with a byte order mark, which Odoo does not read\n  save it as UTF-8 without one"},
		{"# coding: latin-1\n'\xe9'", "m.py:2: is not UTF-8, which Odoo reads whatever a coding comment says\n  save it as UTF-8"},
		{"{}\n\x00", "m.py:2: has a NUL byte"},
		{"{}\r\n\r\r\n!", "m.py:4: '!' stands where the end of the file was expected"},
		{strings.Repeat("#", 1<<20+1), "m.py: is larger than 1024 KiB"},
	} {
		wantError(t, test.in, test.want)
	}
}

// TestParse_lines: an entry has the line of the key whose value it has.
func TestParse_lines(t *testing.T) {
	t.Parallel()
	v, err := pyliteral.Parse("m.py", []byte("{\r\n'a': 1,\r\n# c\r\n'b': '''x\r\ny''',\r\n'a':\r\n2, 'c': 3}"))
	if err != nil {
		t.Fatal(err)
	}
	d, ok := v.(*pyliteral.Dict)
	if !ok {
		t.Fatalf("a %T", v)
	}
	for key, line := range map[string]int{"a": 6, "b": 4, "c": 7} {
		if e, ok := d.Get(key); !ok || e.Line != line {
			t.Errorf("%s: line %d, want %d", key, e.Line, line)
		}
	}
	if _, ok := d.Get("d"); ok || d.Entries[0].Key != "a" {
		t.Errorf("%+v", d.Entries)
	}
}
