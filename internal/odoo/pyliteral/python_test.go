package pyliteral_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/odoo/pyliteral"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// answer is what Python makes of a file: the canonical JSON of its value, or
// an error.
type answer struct {
	Value json.RawMessage
	Error string
}

// python has one Python process read the files as Odoo reads a manifest.
func python(t testing.TB, files [][]byte) []answer {
	t.Helper()
	in, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-I", "testdata/literal.py")
	cmd.Stdin = bytes.NewReader(in)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, stderr.String())
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(files) {
		t.Fatalf("python3 answered %d of %d", len(answers), len(files))
	}
	return answers
}

// canonical writes a value as testdata/literal.py does.
func canonical(v pyliteral.Value) any {
	list := func(all []pyliteral.Value) []any {
		out := []any{}
		for _, item := range all {
			out = append(out, canonical(item))
		}
		return out
	}
	switch v := v.(type) {
	case nil, bool:
		return v
	case pyliteral.Ellipsis:
		return []any{"..."}
	case *big.Int:
		return []any{"int", v.Text(16)}
	case float64:
		return []any{"float", double(v)}
	case complex128:
		return []any{"complex", double(real(v)), double(imag(v))}
	case string:
		return []any{"str", hex.EncodeToString([]byte(v))}
	case pyliteral.Bytes:
		return []any{"bytes", hex.EncodeToString([]byte(v))}
	case pyliteral.List:
		return []any{"list", list(v)}
	case pyliteral.Tuple:
		return []any{"tuple", list(v)}
	case *pyliteral.Set:
		items := list(v.Items)
		slices.SortFunc(items, func(a, b any) int { return cmp.Compare(text(a), text(b)) })
		return []any{"set", items}
	case *pyliteral.Dict:
		pairs := []any{}
		for _, e := range v.Entries {
			pairs = append(pairs, []any{canonical(e.Key), canonical(e.Value)})
		}
		return []any{"dict", pairs}
	}
	panic(fmt.Sprintf("a value of type %T", v))
}

func double(f float64) string { return fmt.Sprintf("%016x", math.Float64bits(f)) }

// text is JSON with the spaces that Python's json.dumps writes, by which it
// sorts.
func text(v any) string {
	switch v := v.(type) {
	case []any:
		parts := []string{}
		for _, item := range v {
			parts = append(parts, text(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		out, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(out)
	}
}

// pythonText is the same of what Python wrote.
func pythonText(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return text(v)
}

// compare reads files here and in Python. Both must refuse a file, or read
// the same; stricter names those that only Python takes.
func compare(t *testing.T, files [][]byte, stricter bool) {
	t.Helper()
	for i, want := range python(t, files) {
		got, err := pyliteral.Parse("m.py", files[i])
		fault := (*yamldoc.Error)(nil)
		switch {
		case err != nil && !errors.As(err, &fault):
			t.Errorf("%.200q: %v is no *yamldoc.Error", files[i], err)
		case stricter:
			if err == nil || want.Error != "" {
				t.Errorf("%.200q: want it refused here and taken by Python: %v, %s", files[i], err, want.Error)
			}
		case err != nil && want.Error == "":
			t.Errorf("%.200q\ngot  %v\nwant %.500s", files[i], err, want.Value)
		case err == nil && want.Error != "":
			t.Errorf("%.200q\ngot  %.500s\nwant %s", files[i], text(canonical(got)), want.Error)
		case err == nil:
			if got, want := text(canonical(got)), pythonText(t, want.Value); got != want {
				t.Errorf("%.200q\ngot  %.500s\nwant %.500s", files[i], got, want)
			}
		}
	}
}
