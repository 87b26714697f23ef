package lock_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// entry is a destination that is in order.
const entry = "{remotes: {o: https://h/o}, merges: [o 1]}"

func aliasBomb() string {
	var b strings.Builder
	b.WriteString("./a:\n  remotes: {o: https://h/o}\n  merges: [o 1]\n  l0: &l0 [x]\n")
	for i := range 9 {
		fmt.Fprintf(&b, "  l%d: &l%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i), 10), ", "))
	}
	return b.String()
}

// What a repos.yaml, and a lock, may do to the program that reads it.
func TestFault_Y1_Lock(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"alias bomb", aliasBomb(), "has more than 100000 values once its aliases are followed"},
		{"depth", "./a:\n  remotes: {o: https://h/o}\n  merges: [o 1]\n  x: " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n", "f:4: is nested deeper than 32 levels"},
		{"destination twice", "./a: " + entry + "\n./a: " + entry + "\n", `f:2: the key "./a" stands here again, first at line 1`},
		{"merges twice", "./a:\n  merges: [o 1]\n  remotes: {o: https://h/o}\n  merges: [o 2]\n", `f:4: the key "merges" stands here again, first at line 2`},
		{"remote twice", "./a:\n  remotes:\n    o: https://h/o\n    o: https://evil/o\n  merges: [o 1]\n", `f:4: the key "o" stands here again, first at line 3`},
		{"ref twice", "./a:\n  remotes: {o: https://h/o}\n  merges:\n  - remote: o\n    ref: 1\n    ref: 2\n", `f:6: the key "ref" stands here again, first at line 5`},
		{"unknown key at top level", "./a: " + entry + "\nversion: 2\n", `f:2: "version" is no destination`},
		{"tag", "./a:\n  remotes: {o: https://h/o}\n  merges: [!!python/object/apply:os.system [id]]\n", "f:3: the tag"},
		{"a mapping as a key", "? {a: b}\n: " + entry + "\n", "f:1: a key must be plain text"},
		{"size", "./a: " + entry + "\n" + strings.Repeat("#", yamldoc.MaxSize), "f: is larger than 1024 KiB"},
		{"binary", "./a: \x00\n", "f:1: is a binary file: it has a NUL byte"},
		{"CRLF", "./a:\r\n", "f:1: has CRLF line ends"},
		{"merge conflict", "./a:\n<<<<<<< HEAD\n  merges: [o 1]\n=======\n  merges: [o 2]\n>>>>>>> x\n", "f:2: has a merge conflict marker"},
		{"two documents", "./a: " + entry + "\n---\n./b: " + entry + "\n", "f:2: a second YAML document; one file holds one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := lock.Parse("f", []byte(test.in), operator); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse\ngot  %v\nwant %s", err, test.want)
			}
			if _, err := lock.ParseLock("f", []byte(test.in), operator); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParseLock\ngot  %v\nwant %s", err, test.want)
			}
		})
	}
}

// commentBomb has a thousand destinations whose merges are one list, below a lot
// of comments.
func commentBomb() string {
	var b strings.Builder
	b.WriteString("./a:\n  remotes: &r {o: https://h/o}\n  merges: &m\n")
	b.WriteString(strings.Repeat("  # locked-from: o 1\n", 20_000) + "  - o " + strings.Repeat("a", 40) + strings.Repeat("\n", 20_000))
	for i := range 1000 {
		fmt.Fprintf(&b, "./b%d: {remotes: *r, merges: *m}\n", i)
	}
	return b.String()
}

// TestFault_Y1_LockMemory is not parallel: it measures what the process allocates.
func TestFault_Y1_LockMemory(t *testing.T) { //nolint:paralleltest // it measures what the process allocates
	many := strings.Repeat("a", yamldoc.MaxSize/2)
	var destinations strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&destinations, "./d%d: {remotes: {o: https://h/o}, merges: [o a..b, o 2]}\n", i)
	}
	for name, in := range map[string]string{
		"alias bomb":           aliasBomb(),
		"long key":             many + ": " + entry + "\n",
		"long merge":           "./a: {remotes: {o: https://h/o}, merges: [o " + many + "]}\n",
		"long URL":             "./a: {remotes: {o: https://h/" + many + "}, merges: [o 1]}\n",
		"many faults":          destinations.String(),
		"comments and aliases": commentBomb(),
		"long comments":        "./a:\n  remotes: {o: https://h/o}\n  merges:\n" + strings.Repeat("  # locked-from: o 1\n", 40_000) + "  - o " + strings.Repeat("a", 40) + "\n",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = lock.ParseLock("f", []byte(in), operator)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 200<<20 {
			t.Errorf("%s: %d MiB allocated for a file of %d KiB", name, used>>20, len(in)>>10)
		}
	}
}

func TestFault_Y2_Destination(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		dests []string
		want  string // with %s for the last
	}{
		{[]string{"../x"}, "must not have .. in it"},
		{[]string{"a/../../x"}, "must not have .. in it"},
		{[]string{"a/../b"}, "must not have .. in it"},
		{[]string{".."}, "must not have .. in it"},
		{[]string{"/x"}, "must be relative to the source directory"},
		{[]string{"//x"}, "must be relative to the source directory"},
		{[]string{"~/x"}, "must be relative to the source directory"},
		{[]string{"~root"}, "must be relative to the source directory"},
		{[]string{"."}, "must name a directory below the source directory"},
		{[]string{"./"}, "must name a directory below the source directory"},
		{[]string{"./."}, "must name a directory below the source directory"},
		{[]string{""}, "must name a directory below the source directory"},
		{[]string{".git"}, "must not lie in a .git directory"},
		{[]string{"./.git/hooks"}, "must not lie in a .git directory"},
		{[]string{"a/.GIT/x"}, "must not lie in a .git directory"},
		{[]string{"a/.Git"}, "must not lie in a .git directory"},
		{[]string{"-x"}, "must not start with -"},
		{[]string{"./-x"}, "must not start with -"},
		{[]string{"a\\b"}, `must not hold control characters or \`},
		{[]string{"a\u202eb"}, `must not hold control characters or \`},
		{[]string{".g\u200cit"}, `must not hold control characters or \`},
		{[]string{strings.Repeat("a", 201)}, "is longer than 200 bytes"},
		{[]string{"./a", "a"}, `overlaps with "./a" of line 1`},
		{[]string{"./a", "./a/"}, `overlaps with "./a" of line 1`},
		{[]string{"./a", "./a/b"}, `overlaps with "./a" of line 1`},
		{[]string{"./a/b", "./a"}, `overlaps with "./a/b" of line 1`},
		{[]string{"./a", "x", "././/a//b/."}, `overlaps with "./a" of line 1`},
		{[]string{"./Web", "./web"}, `overlaps with "./Web" of line 1`},
		{[]string{"./Web", "./WEB/x"}, `overlaps with "./Web" of line 1`},
		{[]string{"./ÉTÉ", "./été"}, `overlaps with "./ÉTÉ" of line 1`},
	} {
		t.Run(strings.Join(test.dests, " "), func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, dest := range test.dests {
				fmt.Fprintf(&b, "%s: %s\n", quoted(dest), entry)
			}
			want := fmt.Sprintf("f:%d: the destination %q %s", len(test.dests), test.dests[len(test.dests)-1], test.want)
			_, err := lock.Parse("f", []byte(b.String()), operator)
			if err == nil || err.Error() != want {
				t.Errorf("\ngot  %v\nwant %s", err, want)
			}
		})
	}
	for _, dests := range [][]string{{"./a", "./ab"}, {"a/b", "a/c"}, {"a b", "a"}, {".gitx"}, {"..x"}, {"x..y"}, {"a/-b"}, {"./.a"}, {"Ünï"}} {
		var b strings.Builder
		for _, dest := range dests {
			fmt.Fprintf(&b, "%s: %s\n", quoted(dest), entry)
		}
		if _, err := lock.Parse("f", []byte(b.String()), operator); err != nil {
			t.Errorf("%q: %v", dests, err)
		}
	}
}

// quoted writes YAML's double quotes.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\u202e", `\u202e`, "\u200c", `\u200c`).Replace(s) + `"`
}

// Names that would become options, shell words or programs do not come in by
// either file.
func TestFault_G1_Files(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"-x", "--upload-pack=touch", "$(id)", "`id`", "a;b", "a\nb", "ext::sh", "a..b", "+x", "x:y"} {
		q := strings.Trim(quoted(bad), `"`)
		for place, in := range map[string]string{
			"merge":       `./a: {remotes: {o: https://h/o}, merges: ["o ` + q + `"]}`,
			"long merge":  `./a: {remotes: {o: https://h/o}, merges: [{remote: o, ref: "` + q + `"}]}`,
			"remote":      `./a: {remotes: {"` + q + `": https://h/o}, merges: ["` + q + ` 1"]}`,
			"URL":         `./a: {remotes: {o: "` + q + `"}, merges: [o 1]}`,
			"target":      `./a: {remotes: {o: https://h/o}, merges: [o 1], target: "` + q + `"}`,
			"long target": `./a: {remotes: {o: https://h/o}, merges: [o 1], target: "o ` + q + `"}`,
		} {
			if place == "URL" && bad == "x:y" { // ssh, as git reads it
				continue
			}
			if place == "target" && bad == "a\nb" { // two words
				bad = "o a\nb"
			}
			_, err := lock.Parse("f", []byte(in), operator)
			if err == nil {
				t.Errorf("%s %q passes", place, bad)
			} else if !strings.HasPrefix(err.Error(), "f:1: ") {
				t.Errorf("%s %q: no line in: %v", place, bad, err)
			}
			if _, err := lock.ParseLock("f", []byte(in), operator); err == nil {
				t.Errorf("lock: %s %q passes", place, bad)
			}
		}
	}
}

// The comments of a lock are read, too.
func TestFault_G1_LockedFrom(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 40)
	for _, ref := range []string{"-x", "--upload-pack=touch", "$(id)", "a b", "a..b"} {
		file := mustParseLock(t, "./a:\n  remotes: {o: https://h/o}\n  merges:\n  # locked-from: o "+ref+"\n  # merge-base: "+ref+"\n  - o "+id+"\n  # tree: "+ref+"\n")
		if m := file.Destinations[0].Merges[0]; m.Ref != "" || m.MergeBase != "" || file.Destinations[0].Tree != "" {
			t.Errorf("%s came in: %+v", ref, m)
		}
	}
}

func TestFault_T1_Files(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://ann:canary@host/x", "https://ann:ca/canary@host/x", "ann:canary@host:x", "https://ghp_canary@h/x"} {
		_, err := lock.Parse("f", []byte("./a: {remotes: {o: '"+url+"'}, merges: [o 1]}\n"), operator)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
