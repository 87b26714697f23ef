package git_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
)

const someTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

func TestParseMerge(t *testing.T) {
	t.Parallel()
	ours, theirs := strings.Repeat("1", 40), strings.Repeat("2", 40)
	labels := map[string]string{ours: "ours", theirs: "theirs"}
	for _, test := range []struct{ out, want string }{
		{someTree + "\x00", ""},
		{someTree + "\x00\x001\x00f\x00Auto-merging\x00Auto-merging f\n\x00", ""},
		{someTree + "\x00100644 x 2\tf\x00\x001\x00f\x00CONFLICT (contents)\x00CONFLICT (content): Merge conflict in f\n\x00", "f: CONFLICT (content): Merge conflict in f"},
		{someTree + "\x00\x002\x00f~" + ours + "\x00f\x00CONFLICT (file/directory)\x00CONFLICT (file/directory): x from " + ours + ", to f~" + ours + "\n\x00", "f: CONFLICT (file/directory): x from ours, to f~ours"},
		{someTree + "\x00\x000\x00CONFLICT (x)\x00CONFLICT (x): y\x00", ""},
		{someTree + "\x00\x001\x00m\x00CONFLICT (submodule)\x00Failed to merge\x00", "m: Failed to merge"},
		{someTree + "\x00\x001\x00CONFLICT (x)\x00Auto-merging\x00Auto-merging CONFLICT (x)\x00", ""},
		{"", "error"},
		{"no tree\x00", "error"},
		{someTree + "\x00\x00x\x00f\x00k\x00t\x00", "error"},
		{someTree + "\x00\x005\x00f\x00k\x00t\x00", "error"},
		{someTree + "\x00\x00-1\x00f\x00k\x00t\x00", "error"},
		{someTree + "\x00\x009223372036854775807\x00f\x00k\x00t\x00", "error"},
	} {
		result, err := git.ParseMerge(test.out, labels)
		var got []string
		for _, c := range result.Conflicts {
			got = append(got, c.Path+": "+c.Text)
		}
		if err != nil {
			got = []string{"error"}
		}
		if strings.Join(got, "\n") != test.want {
			t.Errorf("%q\ngot  %q\nwant %q", test.out, got, test.want)
		}
	}
}

func FuzzParseMerge(f *testing.F) {
	for _, seed := range []string{"", someTree, someTree + "\x00\x00", someTree + "\x00100644 x 2\tf\x00\x002\x00f~1\x00f\x00CONFLICT (x)\x00CONFLICT (x): y\x00", someTree + "\x00\x0099\x00", someTree + "\x00\x001\x00"} {
		f.Add(seed)
	}
	id := regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	f.Fuzz(func(t *testing.T, out string) {
		result, err := git.ParseMerge(out, map[string]string{"1": "ours"})
		if err == nil && !id.MatchString(result.Tree) {
			t.Errorf("the tree is %q", result.Tree)
		}
		for _, c := range result.Conflicts {
			if strings.Contains(c.Path, "\x00") || strings.Contains(c.Path, "~1") || !strings.Contains(out, c.Path) {
				t.Errorf("the path is %q", c.Path)
			}
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	for _, seed := range []string{"", "100644 blob " + someTree + "\tf", "100644 blob " + someTree + "\ta\tb\n", "1 blob x\tf", "100644 blob\tf", "\t\t\t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, record string) {
		e, err := git.ParseEntry(record)
		if err != nil {
			return
		}
		if len(e.Mode) != 6 || !strings.HasPrefix(record, e.Mode+" ") || !strings.HasSuffix(record, " "+e.ID+"\t"+e.Path) {
			t.Errorf("%q is read as %+v", record, e)
		}
	})
}
