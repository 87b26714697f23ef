package pep508_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/python/pep508"
)

func TestParse_Faults(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                "a package name is missing, at the end (column 1)",
		"-e .":                            `a package name is missing, before "-e ." (column 1)`,
		"a_":                              `a package name is missing, before "a_" (column 1)`,
		"a[b_]":                           `extras stand between [ and ], with commas between them, before "b_]" (column 3)`,
		"a=1":                             `after the name comes a version (==1.0), a URL (@ https://…) or a marker (; …), before "=1" (column 2)`,
		"a==1 <2":                         `after a version comes a comma or a semicolon, before "<2" (column 6)`,
		"a>=1.0.*":                        `.* goes with == and != only, after a plain release, before ">=1.0.*" (column 2)`,
		"a>=1+x":                          `a local version (+…) goes with == and != only, before ">=1+x" (column 2)`,
		"a >= x":                          `no version that fits the operator, before ">= x" (column 3)`,
		"a~=1":                            `no version that fits the operator, before "~=1" (column 2)`,
		"a (>=1":                          "the parenthesis at column 3 is not closed, at the end (column 7)",
		"a[b c]":                          `extras stand between [ and ], with commas between them, before "c]" (column 5)`,
		"a[b,]":                           `the name of an extra is missing after the comma, before "]" (column 5)`,
		"a @":                             "a URL is missing after the @, at the end (column 4)",
		"a @ https://u:p@x/y z":           `after a URL there is room for a marker only, as: URL ; MARKER, before "z" (column 21)`,
		"https://u:pw@example.com/a":      `after the name comes a version (==1.0), a URL (@ https://…) or a marker (; …), before "://[redacted]@example.com/a" (column 6)`,
		"a ;":                             "a marker compares variables such as python_version with values in quotes, at the end (column 4)",
		"a ; os_name == posix":            `a marker compares variables such as python_version with values in quotes, before "posix" (column 16)`,
		"a ; os_name == 'x":               `a quote is not closed, before "'x" (column 16)`,
		"a ; os_name = 'x'":               `an operator is missing: one of == != < <= > >= ~= === in, not in, before "= 'x'" (column 13)`,
		"a ; os_name not 'x'":             `after not comes in, before "'x'" (column 17)`,
		"a ; os_name == 'x' 'y'":          `in a marker, comparisons are joined by and, or, before "'y'" (column 20)`,
		"a ; (os_name == 'x'":             "the parenthesis at column 5 is not closed, at the end (column 20)",
		`a ; os_name == 'x\n'`:            `a value with a backslash, which PEP 508 does not know, before "'x\\n'" (column 16)`,
		"a\x00":                           `a character that is no text, before "\x00" (column 2)`,
		"a==1\n--index-url x":             `a character that is no text, before "--index-url x" (column 5)`,
		"a==" + "1." + "\xff":             `a character that is no text, before "\xff" (column 6)`,
		strings.Repeat("a", 8<<10+1):      "it has 8193 bytes; 8192 are allowed",
		"a==1" + strings.Repeat("1", 300): `a version of more than 256 bytes, before "==` + strings.Repeat("1", 38) + `…" (column 2)`,
		"a ; " + strings.Repeat("(", 51):  "parentheses are nested deeper than 50 levels, at the end (column 56)",
	} {
		if _, err := pep508.Parse(in); err == nil || err.Error() != want {
			t.Errorf("%.60q:\ngot  %v\nwant %s", in, err, want)
		}
	}
}

func TestMarker_EvalFaults(t *testing.T) {
	t.Parallel()
	env := environment("3.12.3", "3.12")
	delete(env, "extra")
	delete(env, "platform_version")
	for in, want := range map[string]string{
		"platform_version == 'x'":                     `marker "platform_version == 'x'": the environment does not say what platform_version is`,
		"os_name == 'nt' and platform_version == 'x'": `marker "os_name == 'nt' and platform_version == …": the environment does not say what platform_version is`,
		"sys_platform ~= 'linux'":                     `marker "sys_platform ~= 'linux'": ~= compares versions; "linux" and "linux" are not both versions`,
		"'a' == 'a'":                                  `marker "'a' == 'a'": "a" and "a" are both values; one side must be a variable such as python_version`,
		"'a' in extras":                               `marker "'a' in extras": extras is for pylock.toml files only`,
	} {
		marker, err := pep508.ParseMarker(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = marker.Eval(env); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", in, err, want)
		}
	}
	marker, err := pep508.ParseMarker("extra == ''")
	if err != nil {
		t.Fatal(err)
	}
	if is, err := marker.Eval(env); !is || err != nil {
		t.Errorf("without an extra, extra is %v, %v; want ''", is, err)
	}
	if is, err := (pep508.Marker{}).Eval(nil); !is || err != nil {
		t.Errorf("no marker is %v, %v; want true", is, err)
	}
}

func TestSpecifiers_Pin(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a==1.0": "1.0", "a === x": "x", "a==1.0,>=0": "1.0", "a==1.*": "", "a>=1": "", "a": "", "a==1,==2": "", "a @ https://x/y": "",
	} {
		r, err := pep508.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.Specifier.Pin(); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestRequirement_String(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Foo.Bar [ B_c , a ] ( >= 1.0 , != 1.5.* ) ; os_name == 'x'": "Foo.Bar[a,b-c]>=1.0,!=1.5.*",
		"a[b]@git+https://x/y@v1#egg=a ; os_name == 'x'":              "a[b] @ git+https://x/y@v1#egg=a",
		"a === 1.0 ": "a===1.0",
	} {
		r, err := pep508.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if r.String() != want {
			t.Errorf("%q: %q; want %q", in, r, want)
		}
	}
}

// FuzzParse: a fault points into the text, and what is parsed says the same
// once it is written and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range append(requirementTable(), "a[br_]", "a==1!2.0a1.post2.dev3+l.1,!=1.*;(os_name in 'a' or 'b' not in extra)and python_version~='3.1'") {
		f.Add(seed)
	}
	for _, seed := range markerTable() {
		f.Add("a ; " + seed)
	}
	env := environment("3.13.0rc1", "3.13")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := pep508.Parse(text)
		var fault *pep508.Error
		if errors.As(err, &fault) && (fault.Offset < 0 || fault.Offset > len(text)) {
			t.Fatalf("offset %d of %d", fault.Offset, len(text))
		}
		if err != nil {
			if len(err.Error()) > 600 {
				t.Fatalf("a message of %d bytes", len(err.Error()))
			}
			return
		}
		again, err := pep508.Parse(r.String())
		if err != nil {
			t.Fatalf("%q becomes %q: %v", text, r, err)
		}
		if again.String() != r.String() || again.Normalized != r.Normalized || !cmp.Equal(again.Extras, r.Extras) || again.URL != r.URL {
			t.Fatalf("%q becomes %q, then %q", text, r, again)
		}
		value, err := r.Marker.Eval(env)
		if err != nil || r.Marker.IsZero() {
			return
		}
		marker, err := pep508.ParseMarker(r.Marker.String())
		if err != nil {
			t.Fatalf("marker of %q: %v", text, err)
		}
		if same, err := marker.Eval(env); same != value || err != nil {
			t.Fatalf("%q: %v, then %v, %v", text, value, same, err)
		}
	})
}
