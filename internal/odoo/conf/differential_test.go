package conf_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/odoo/conf"
	"github.com/nuobit/odyssey/internal/yamldoc"
	"github.com/nuobit/odyssey/test/configparser"
)

// seeds are files that show one thing each.
func seeds() map[string]string {
	return map[string]string{
		"empty":                     "",
		"blank":                     "\n \n\t\n",
		"comments alone":            "# a\n; b\n  # c\n",
		"plain":                     "[options]\ndb_host = db\ndb_port: 5432\n",
		"no end of the last line":   "[options]\na = 1",
		"case":                      "[options]\nDB_Host = Db\n",
		"case makes duplicates":     "[options]\na = 1\nA = 2\n",
		"case beyond ASCII":         "[options]\nÉ = 1\né = 2\n",
		"dotted capital I":          "[options]\nİ = 1\n",
		"first delimiter":           "[options]\na:b=c = d\nb=c:d\n",
		"no inline comment":         "[options]\na = 1 # no\nb = 2 ; no\nc=#x\n",
		"comment in a value":        "[options]\na = 1\n  # gone\n  2\n; gone\n  3\nb = 4\n",
		"blank line in a value":     "[options]\na = 1\n\n  2\n   \n\nb = 3\n",
		"comment first":             "[options]\na =\n  # x\n  1\n",
		"indented":                  "  [options]\n  a = 1\n   2\n b = 2\n  c\n",
		"indented header continues": "[options]\na = 1\n  [queue_job]\nb = 2\n",
		"header first indented":     "[options]\n  [queue_job]\n  a = 1\n",
		"duplicate option":          "[options]\na = 1\nb = 2\na = 3\n",
		"duplicate section":         "[options]\na = 1\n[queue_job]\nb = 2\n[options]\nc = 3\n",
		"no section":                "a = 1\n[options]\n",
		"text alone":                "[options]\njust text\na = 1\n= value\n  cont\n: x\n",
		"two without a name":        "[options]\n= 1\n= 2\n",
		"text, then a duplicate":    "[options]\njust text\na = 1\na = 2\n",
		"text keeps the option":     "[options]\na = 1\ntext\n  more\n",
		"defaults":                  "[DEFAULT]\na = 1\nb = 2\n[options]\nb = 3\nc = 4\n[queue_job]\n[DEFAULT]\nd = 5\n",
		"defaults twice":            "[DEFAULT]\na = 1\n[options]\n[DEFAULT]\na = 2\n",
		"default in small letters":  "[default]\na = 1\n[options]\n",
		"BOM":                       "\ufeff[options]\na = 1\n",
		"BOM before a comment":      "\ufeff# x\n[options]\n",
		"BOM alone":                 "\ufeff",
		"CRLF":                      "[options]\r\na = 1\r\n  2\r\nb = 3\r\n",
		"CR":                        "[options]\ra = 1\r\rb = 3",
		"mixed line ends":           "[options]\r\na = 1\rb = 2\n\rc = 3\n",
		"not UTF-8":                 "[options]\na = \xff\n",
		"headers":                   "[options] rest\na = 1\n[a]b] c\nb=1\n[[x]]\n",
		"empty header":              "[options]\n[]\n",
		"empty header with value":   "[options]\n[] = 1\n",
		"header with a value":       "[options]\n[a] = 1\nb = 2\n",
		"open header":               "[options]\n[a = 1\n",
		"spaces in a header":        "[ options ]\na = 1\n",
		"no value":                  "[options]\na =\nb:\nc\n",
		"empty values":              "[options]\na =\n\nb =\n  \n  x\n",
		"odd spaces":                "[options]\na\u00a0=\u2003b\u00a0c\u2003\n\u3000x = 1\n",
		"ASCII separators":          "[options]\na = \x1cb\x1f\n\x1d c\n\x1eb = 1\n",
		"line separators":           "[options]\na = 1\u20282\u0085\u2029\nb\v=\f2\x00\n",
		"tabs":                      "[options]\n\ta = 1\n        b = 2\n\t\t3\n",
		"percent":                   "[options]\na = %(b)s %% ${c}\n",
		"quotes":                    "[options]\na = \"x\"\nb = 'y'\n",
		"1000 options":              "[options]\n" + strings.Repeat("a = 1\n  b\n", 1) + many(1000),
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "option_%d = %d\n", i, i)
	}
	return b.String()
}

func TestParse_asPython(t *testing.T) {
	t.Parallel()
	for _, python := range configparser.All(t) {
		for name, text := range seeds() {
			if diff := differs(t, python, text); diff != "" {
				t.Errorf("Python %s, %s: %q\n%s", python.Version, name, text, diff)
			}
		}
	}
}

// Files that are made of pieces which mean something.
func TestParse_generatedAsPython(t *testing.T) {
	t.Parallel()
	const files = 4000
	for _, python := range configparser.All(t) {
		random := rand.New(rand.NewPCG(6, 13))
		refused := 0
		for range files {
			text := generate(random)
			diff := differs(t, python, text)
			if diff != "" {
				t.Fatalf("Python %s: %q\n%s", python.Version, text, diff)
			}
			if _, err := conf.Parse("odoo.conf", []byte(text)); err != nil {
				refused++
			}
		}
		if refused < files/10 || refused > files*9/10 {
			t.Errorf("of %d files %d are refused: they show too little", files, refused)
		}
	}
}

func generate(random *rand.Rand) string {
	pieces := []string{
		"[options]", "[a]", "[b]", "[DEFAULT]", "[options", "]", "x", "Y", "key", "é", "=", ":", " = ", "#", ";", " ", "  ", "\t",
		"\u00a0", "\x1c", "\v", "\r", "\r\n", "%", "None", "\"", "\u2028", "\x00", "[", "[]",
	}
	var b strings.Builder
	if random.IntN(10) > 0 {
		b.WriteString("[options]\n")
	}
	for i := range random.IntN(12) {
		switch random.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "%skey%d = value\n", strings.Repeat(" ", random.IntN(3)), i)
		case 1:
			fmt.Fprintf(&b, "%s\n", strings.Repeat(" ", random.IntN(4))+pieces[random.IntN(4)])
		default:
			for range random.IntN(5) {
				b.WriteString(pieces[random.IntN(len(pieces))])
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// differs tells how Python reads a file in another way; "" when it does not.
func differs(t *testing.T, python *configparser.Parser, text string) string {
	t.Helper()
	want, err := python.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	file, err := conf.Parse("odoo.conf", []byte(text))
	if err != nil {
		return refusalDiffers(want, err)
	}
	if want.Error != "" {
		return fmt.Sprintf("Python refuses it: %s at %v", want.Error, want.Lines)
	}
	got := &configparser.Answer{}
	for _, o := range file.Options(conf.Default) {
		got.Defaults = append(got.Defaults, configparser.Option{o.Name, o.Value})
	}
	for _, name := range file.Sections() {
		s := configparser.Section{Name: name}
		for _, o := range file.Options(name) {
			s.Options = append(s.Options, configparser.Option{o.Name, o.Value})
		}
		got.Sections = append(got.Sections, s)
	}
	if string(file.Bytes()) != text {
		return fmt.Sprintf("written as %q", file.Bytes())
	}
	return cmp.Diff(normal(want), normal(got))
}

func normal(a *configparser.Answer) string { return fmt.Sprintf("%q %q", a.Defaults, a.Sections) }

// refusalDiffers compares where the faults are.
func refusalDiffers(want *configparser.Answer, err error) string {
	if want.Error == "" {
		return "Python takes it; here: " + err.Error()
	}
	var lines []int
	for _, e := range each(err) {
		fault := (*yamldoc.Error)(nil)
		if !errors.As(e, &fault) {
			return fmt.Sprintf("%T: %v", e, e)
		}
		lines = append(lines, fault.Line)
	}
	switch want.Error {
	case "UnicodeDecodeError":
		return "" // at no line
	case "ParsingError":
		if !slices.Equal(lines, want.Lines[:min(len(want.Lines), 20)]) {
			return fmt.Sprintf("lines %v, Python: %v", lines, want.Lines)
		}
	default: // the last one, at which Python gives up
		if lines[len(lines)-1] != want.Lines[0] {
			return fmt.Sprintf("lines %v, Python: %v", lines, want.Lines)
		}
	}
	return ""
}

func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func FuzzParse(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text)
	}
	python := configparser.New(f)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsFunc(text, func(r rune) bool {
			return r >= 0x80 && r != 0xfeff && r != 0x85 && r != 0xa0 && (r < 0x2000 || r > 0x3000)
		}) {
			return // of small and capital letters each Python has its own table
		}
		if diff := differs(t, python, text); diff != "" {
			t.Errorf("%q\n%s", text, diff)
		}
	})
}
