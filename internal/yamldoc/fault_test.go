package yamldoc_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// bomb is a document whose last of levels stands for 10^levels values.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString("l0: &l0 [x]\n")
	for i := range levels {
		fmt.Fprintf(&b, "l%d: &l%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i), 10), ", "))
	}
	return b.String()
}

// mergeBomb is a bomb of mappings and merge keys.
func mergeBomb(levels int) string {
	var b strings.Builder
	b.WriteString("l0: &l0 {k: x}\n")
	for i := range levels {
		fmt.Fprintf(&b, "l%d: &l%d {<<: [%s]}\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i), 10), ", "))
	}
	return b.String()
}

func TestFault_Y1_Bounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in string
		line     int
		msg      string
	}{
		{name: "alias bomb", in: bomb(9), msg: "has more than 100000 values once its aliases are followed", line: 2},
		{name: "merge bomb", in: mergeBomb(9), msg: "has more than 100000 values once its aliases are followed", line: 1},
		{name: "bomb inside of itself", in: "a: &a [*a, *a, *a]\n", msg: "*a stands inside of what it stands for", line: 1},
		{name: "merge of itself", in: "x: 1\na: &a\n  b: 1\n  <<: *a\n", msg: "*a stands inside of what it stands for", line: 4},
		{name: "flow depth", in: "x: 1\na: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), msg: "is nested deeper than 32 levels", line: 2},
		{name: "block depth", in: "a:\n" + strings.Repeat("- ", 40) + "x\n", msg: "is nested deeper than 32 levels", line: 2},
		{name: "depth by aliases", in: "a: &a " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "\nb: " + strings.Repeat("[", 20) + "*a" + strings.Repeat("]", 20) + "\n", msg: "is nested deeper than 32 levels", line: 1},
		{name: "depth that the parser refuses", in: strings.Repeat("[", 100_000), msg: "is not YAML: exceeded max depth of 10000", line: 1},
		{name: "key twice", in: "a: 1\nb: 2\n\"a\": 3\n", msg: `the key "a" stands here again, first at line 1`, line: 3},
		{name: "key twice by an alias", in: "&a a: 1\n*a : 2\n", msg: `the key "a" stands here again, first at line 1`, line: 2},
		{name: "many values", in: "a:\n" + strings.Repeat("- b\n", 100_000), msg: "has more than 100000 values once its aliases are followed", line: 99_999},
		{name: "many keys", in: keys(60_000), msg: "has more than 100000 values once its aliases are followed", line: 50_000},
		// The parser is one line off, and a search would take seconds.
		{name: "fault in a large file", in: keys(20_000) + "\t- a\n", msg: "is not YAML: found a tab character that violates indentation", line: 20_000},
		{name: "size", in: strings.Repeat("#", yamldoc.MaxSize+1), msg: "is larger than 1024 KiB"},
		// Each would be compared with all before it: eight seconds.
		{name: "%TAG directives", in: "%YAML 1.1\n" + strings.Repeat("%TAG !a! b\n", 90_000), msg: "has a YAML directive", line: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := yamldoc.Parse("f.yaml", []byte(test.in))
			fault := asError(t, err)
			if fault.Line != test.line || fault.Msg != test.msg {
				t.Errorf("got  %v\nwant f.yaml:%d: %s", err, test.line, test.msg)
			}
		})
	}
}

func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}

// TestFault_Y1_Memory is not parallel: it measures what the process allocates.
func TestFault_Y1_Memory(t *testing.T) { //nolint:paralleltest // it measures what the process allocates
	for name, in := range map[string]string{"aliases": bomb(9), "merges": mergeBomb(9), "itself": "a: &a [*a, *a]\n"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := yamldoc.Parse("f.yaml", []byte(in))
		runtime.ReadMemStats(&after)
		_ = asError(t, err)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: %d MiB allocated for a file of %d bytes", name, used>>20, len(in))
		}
	}
}

// TestFault_Y1_LongMessage: a huge key does not make a huge message.
func TestFault_Y1_LongMessage(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("k", 100_000)
	for _, in := range []string{"{? " + huge + " : 1, ? " + huge + " : 2}", "a: *" + huge} {
		_, err := yamldoc.Parse("f.yaml", []byte(in))
		if text := asError(t, err).Error(); len(text) > 1000 {
			t.Errorf("a message of %d bytes: %.80s…", len(text), text)
		}
	}
}
