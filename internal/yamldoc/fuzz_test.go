package yamldoc_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// FuzzParse: an error has a line of the file, and a tree is plain and means
// what yaml.v3 itself reads.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "a: 1\n", "a: &a [1, *a]\n", "a: &x {k: 1}\nb: {<<: *x, k: 2}\n", "a: {<<: [{b: 1}, {b: 2}]}\n", bomb(3), mergeBomb(2), "%YAML 1.1\n---\na: !!str 1\n",
		"a: |\n  x\n\n  y\nb: >-\n  z\n", "# c\na: # d\n  - b # e\n# f\n", "a: \"\\u2028\"\n", "? a\n: b\n", "- - - a\n", "a: 1\n---\nb: 1\n", "a: *x\n", "{a: b, c: [d]}\n", "<<: {}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := yamldoc.Parse("f.yaml", data)
		var fault *yamldoc.Error
		switch {
		case errors.As(err, &fault):
			if last := 1 + bytes.Count(data, []byte("\n")); fault.Line < 1 || fault.Line > last {
				t.Errorf("line %d of %d: %v", fault.Line, last, err)
			}
		case err != nil:
			t.Errorf("%v is no *yamldoc.Error", err)
		case doc.Root != nil:
			checkPlain(t, doc.Root, 0)
			checkMeaning(t, doc.Root, data)
		}
	})
}

func checkPlain(t *testing.T, node *yaml.Node, depth int) {
	t.Helper()
	if depth > 32 || node.Line < 1 || node.Anchor != "" || node.Kind == yaml.AliasNode {
		t.Fatalf("depth %d: %+v", depth, node)
	}
	seen := map[string]bool{}
	for i, n := range node.Content {
		if key := node.Kind == yaml.MappingNode && i%2 == 0; key && seen[n.Value] {
			t.Fatalf("key %q twice", n.Value)
		} else if key {
			seen[n.Value] = true
		}
		checkPlain(t, n, depth+1)
	}
}

// checkMeaning compares root to what yaml.v3 makes of data. Keys that are not
// text are left out: there 0 and 00 are the same.
func checkMeaning(t *testing.T, root *yaml.Node, data []byte) {
	t.Helper()
	var got, want any
	if !hasTextKeys(root) || yaml.Unmarshal(data, &want) != nil || root.Decode(&got) != nil {
		return
	}
	if got, want := fmt.Sprint(got), fmt.Sprint(want); got != want {
		t.Errorf("got  %s\nwant %s, as yaml.v3 reads it", got, want)
	}
}

func hasTextKeys(node *yaml.Node) bool {
	for i, n := range node.Content {
		if isKey := node.Kind == yaml.MappingNode && i%2 == 0; isKey && n.ShortTag() != "!!str" || !hasTextKeys(n) {
			return false
		}
	}
	return true
}
