package lock_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	id := func(c string) string { return strings.Repeat(c, 40) }
	const before = `# mine
./odoo:
  remotes: {odoo: https://example.org/odoo.git, acme: https://example.org/acme.git}
  merges:
    # locked-from: odoo 17.0
    - odoo AAAA   # kept
    # locked-from: acme fix
    - remote: acme
      ref: BBBB
      depth: 1

# of the web
./web:
  remotes: {oca: https://example.org/web.git}
  merges: [oca CCCC]
`
	fill := strings.NewReplacer("AAAA", id("a"), "BBBB", id("b"), "CCCC", id("c"), "BASE", id("d"), "TREE", id("e"), "OLD", id("f"))
	lines := strings.Replace(strings.Replace(before, "    - remote: acme", "    # merge-base: BASE\n    - remote: acme", 1), "      depth: 1\n", "      depth: 1\n    # tree: TREE\n", 1)
	short, _, _ := strings.Cut(before, "\n# of the web")
	shortLines, _, _ := strings.Cut(lines, "\n# of the web")
	for name, test := range map[string]struct{ in, dest, want string }{
		"new":          {before, "odoo", lines},
		"others there": {strings.ReplaceAll(strings.ReplaceAll(lines, "BASE", "OLD"), "TREE", "OLD"), "./odoo", lines},
		"the last one": {short, "./odoo", shortLines},
		"one line":     {before, "./web", before},
		"not there":    {before, "./pos", before},
	} {
		bases := []string{"", id("d")}
		if test.dest == "./web" {
			bases = bases[:1]
		}
		got := lock.Record([]byte(fill.Replace(test.in)), lock.Replayed{Dest: test.dest, Tree: id("e"), Bases: bases}, gitname.Operator(false))
		want := test.want
		if test.dest == "./web" {
			want += "  # tree: TREE\n"
		}
		if diff := cmp.Diff(fill.Replace(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	flow := fill.Replace("./odoo:\n  remotes: {odoo: https://example.org/odoo.git}\n  merges: [odoo AAAA, odoo BBBB]\n")
	if got := lock.Record([]byte(flow), lock.Replayed{Dest: "odoo", Tree: id("e"), Bases: []string{"", id("d")}}, gitname.Operator(false)); string(got) != flow {
		t.Errorf("merges on one line: %s", got)
	}
}
