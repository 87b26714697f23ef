package conf_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/odoo/conf"
	"github.com/nuobit/odyssey/internal/yamldoc"
	"github.com/nuobit/odyssey/test/configparser"
)

func set(option, value string) conf.Change {
	return conf.Change{Section: conf.Main, Option: option, Value: value}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	remove := conf.Change{Section: conf.Main, Option: "a", Remove: true}
	for _, test := range []struct {
		name, before string
		changes      []conf.Change
		after        string
	}{
		{"in place", "# head\n[options]\nA: 1 \n; mid\nb = 2\n", []conf.Change{set("a", "x")}, "# head\n[options]\na = x\n; mid\nb = 2\n"},
		{"new after the last", "[options]\nb = 2\n\n# tail\n[queue_job]\nc=1\n", []conf.Change{set("a", "1"), set("z", "2")}, "[options]\nb = 2\na = 1\nz = 2\n\n# tail\n[queue_job]\nc=1\n"},
		{"no options yet", "[options]\n# x\n  [queue_job]\n", []conf.Change{set("a", "1")}, "[options]\n  a = 1\n# x\n  [queue_job]\n"},
		{"no section yet", "[queue_job]\nc = 1", []conf.Change{set("a", "1"), set("b", "2")}, "[queue_job]\nc = 1\n\n[options]\na = 1\nb = 2\n"},
		{"empty file", "", []conf.Change{set("a", "1")}, "[options]\na = 1\n"},
		{"no end of the last line", "[options]\na = 1", []conf.Change{set("b", "2")}, "[options]\na = 1\nb = 2\n"},
		{"CRLF", "[options]\r\na = 1\r\n", []conf.Change{set("a", "3"), set("b", "2")}, "[options]\r\na = 3\r\nb = 2\r\n"},
		{"a value of several lines", "[options]\na = 1\n  # kept\n  2\n\n  3\n\nb = 1\n", []conf.Change{set("a", "x")}, "[options]\na = x\n  # kept\n\n\nb = 1\n"},
		{"indented", "[options]\n  a = 1\n  b = 2\n", []conf.Change{set("a", "x"), set("c", "3")}, "[options]\n  a = x\n  b = 2\n  c = 3\n"},
		{"removed", "[options]\n# head\na = 1\n  2\nb = 2\n", []conf.Change{remove}, "[options]\n# head\nb = 2\n"},
		{"removed and not there", "[options]\nb = 2\n", []conf.Change{remove}, "[options]\nb = 2\n"},
		{"over a default", "[DEFAULT]\na = 1\n[options]\n", []conf.Change{set("a", "2")}, "[DEFAULT]\na = 1\n[options]\na = 2\n"},
	} {
		file, err := conf.Parse("odoo.conf", []byte(test.before))
		if err != nil {
			t.Fatal(err)
		}
		edited, err := file.Edit(test.changes...)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff(test.after, string(edited.Bytes())); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
		if string(file.Bytes()) != test.before {
			t.Errorf("%s: the file itself has changed", test.name)
		}
	}
}

// Whatever the file, Python reads from the edited one what was asked for, and
// all else as before.
func TestEdit_asPython(t *testing.T) {
	t.Parallel()
	python := configparser.New(t)
	random := rand.New(rand.NewPCG(13, 6))
	read := func(data []byte) *configparser.Answer {
		answer, err := python.Read(data)
		if err != nil || answer.Error != "" {
			t.Fatalf("%q: %v, %+v", data, err, answer)
		}
		return answer
	}
	for edits := 0; edits < 1000; {
		text := generate(random)
		file, err := conf.Parse("odoo.conf", []byte(text))
		if err != nil {
			continue
		}
		edits++
		want := map[string]string{}
		for _, s := range read([]byte(text)).Sections {
			for _, o := range s.Options {
				want[s.Name+" "+o[0]] = o[1]
			}
		}
		var changes []conf.Change
		for i := range 1 + random.IntN(3) {
			c := conf.Change{Section: []string{"options", "a", "new"}[random.IntN(3)], Option: fmt.Sprintf("key%d", random.IntN(12)), Value: fmt.Sprintf("v%d;#=\"%%", i)}
			if file.Has(conf.Default) && !file.Has(c.Section) {
				continue // it would bring the defaults with it
			}
			changes = append(changes, c)
			want[c.Section+" "+c.Option] = c.Value
		}
		edited, err := file.Edit(changes...)
		if err != nil && len(changes) > 1 && strings.Contains(err.Error(), "cannot stand") {
			continue // the same option twice
		}
		if err != nil {
			t.Fatalf("%q, %+v: %v", text, changes, err)
		}
		got := map[string]string{}
		for _, s := range read(edited.Bytes()).Sections {
			for _, o := range s.Options {
				got[s.Name+" "+o[0]] = o[1]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q, %+v, %q:\n%s", text, changes, edited.Bytes(), diff)
		}
	}
}

// Passwords that have meant something to a parser, or would.
func TestFault_O1_ValueRoundTrips(t *testing.T) {
	t.Parallel()
	python := configparser.New(t)
	for _, value := range []string{
		`%;#=,"`, `%(db_host)s`, `#first`, `;first`, `[options]`, `=`, `:`, `a  b`, `"quoted"`, `'`, `\n`, `$HOME ${x}`, "a\tb", "é\u2028ü", "x\u0085y", "😀", strings.Repeat("x", 5000),
	} {
		file, err := conf.Parse("odoo.conf", []byte("[options]\ndb_host = db\n"))
		if err != nil {
			t.Fatal(err)
		}
		edited, err := file.Edit(set("db_password", value))
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		answer, err := python.Read(edited.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := answer.Get(conf.Main, "db_password"); got != value {
			t.Errorf("%q came back as %q", value, got)
		}
	}
}

func TestFault_O2_ValueIsRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"canary\nadmin_passwd = x", "canary\r", "canary\rb", " canary", "canary ", "\tcanary", "canary\u00a0", "\x1ccanary", "canary\xff"} {
		file, err := conf.Parse("odoo.conf", []byte("[options]\n"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.Edit(set("db_password", value))
		if !errors.Is(err, conf.ErrValue) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", value, err)
		}
	}
	file, err := conf.Parse("odoo.conf", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []conf.Change{{Section: conf.Default, Option: "a"}, {Section: "x"}, {Option: "a"}, {Section: "x", Option: "A"}, {Section: "x", Option: "a=b"}, {Section: "x]y\n", Option: "a"}, {Section: "x", Option: "#a"}} {
		if _, err := file.Edit(c); err == nil {
			t.Errorf("%+v is no error", c)
		}
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "odoo.conf")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fault := (*yamldoc.Error)(nil)
	if _, err := conf.ReadFile(dir); !errors.As(err, &fault) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := conf.ReadFile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	write("[options]\na = 1\nA = 2\n")
	if _, err := conf.ReadFile(path); err == nil || err.Error() != path+":3: the option a is there twice, first at line 2\n  keep one of the two" {
		t.Errorf("a duplicate: %v", err)
	}
	write("[options]\n# " + strings.Repeat("x", yamldoc.MaxSize))
	if _, err := conf.ReadFile(path); !errors.As(err, &fault) || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a large file: %v", err)
	}
	write("[options]\n" + many(60000)[:yamldoc.MaxSize-10])
	if file, err := conf.ReadFile(path); err != nil {
		t.Error(err)
	} else if o, ok := file.Get(conf.Main, "option_1"); !ok || o != (conf.Option{Name: "option_1", Value: "1", Line: 3}) {
		t.Errorf("option_1 is %+v", o)
	}
}

// A line that is no option may be a password whose name is mistyped.
func TestFault_T1_LineIsNotShown(t *testing.T) {
	t.Parallel()
	_, err := conf.Parse("odoo.conf", []byte("[options]\ncanary\n= canary\n"))
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}

// A value is refused, or Python reads it as it went in and all else as before.
func FuzzEdit(f *testing.F) {
	for _, value := range []string{`%;#=,"`, "a\nb", " a", "", "[x]", "\u0085", "a\x1c", "\ufeff", "\xff"} {
		f.Add("[options]\n  a = 1\n   2\n[other]\nb = 3\n", value)
	}
	python := configparser.New(f)
	f.Fuzz(func(t *testing.T, text, value string) {
		file, err := conf.Parse("odoo.conf", []byte(text))
		if err != nil {
			return
		}
		edited, err := file.Edit(set("a", value), set("new", value))
		if err != nil {
			if conf.Strip(value) == value && utf8.ValidString(value) && !strings.ContainsAny(value, "\r\n") {
				t.Fatalf("%q, %q: %v", text, value, err)
			}
			return
		}
		before, err := python.Read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		after, err := python.Read(edited.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, option := range []string{"a", "new"} {
			if got, ok := after.Get(conf.Main, option); !ok || got != value {
				t.Fatalf("%q, %q: %s is %q", text, value, option, got)
			}
		}
		for _, s := range before.Sections {
			for _, o := range s.Options {
				if got, ok := after.Get(s.Name, o[0]); (!ok || got != o[1]) && (s.Name != conf.Main || o[0] != "a" && o[0] != "new") {
					t.Fatalf("%q, %q: [%s] %s is %q", text, value, s.Name, o[0], got)
				}
			}
		}
	})
}
