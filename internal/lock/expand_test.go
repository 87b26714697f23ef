package lock_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/lock"
)

func TestExpandEnv(t *testing.T) {
	t.Parallel()
	env := map[string]string{"A": "1"}
	for _, test := range []struct{ in, want, err string }{
		{in: "a: $A\nb: ${A}$$A\n", want: "a: 1\nb: 1$A\n"},
		{in: "a: 1\nb: $B\n", err: "f:2: the variable $B is not set\n  give it a value in the environment, or in the file of --env-file"},
		{in: "a: 1\n\nb: x$\n", err: "f:3: a $ that begins no variable; write $$ for a $"},
	} {
		got, err := lock.ExpandEnv("f", []byte(test.in), env)
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%q: got %v, want %s", test.in, err, test.err)
			}
			continue
		}
		if err != nil || string(got) != test.want {
			t.Errorf("%q: got %q, %v", test.in, got, err)
		}
	}
}

func TestParseEnvFile(t *testing.T) {
	t.Parallel()
	got := lock.ParseEnvFile([]byte("# head\nA=1\n  B = two words \n\n#C=3\nD\nE=a=b\nF=\n A=2\nG=x # y\r\n"))
	want := map[string]string{"A": "2", "B": "two words", "E": "a=b", "F": "", "G": "x # y"}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzExpandEnv: what has no $ stays, and what is put in is not read again.
func FuzzExpandEnv(f *testing.F) {
	for _, seed := range []string{"$A", "${A}", "$$", "$", "a$A\n${", "$B", "x$$A${A}$"} {
		f.Add(seed, "v$A")
	}
	f.Fuzz(func(t *testing.T, in, value string) {
		got, err := lock.ExpandEnv("f", []byte(in), map[string]string{"A": value})
		if !strings.Contains(in, "$") && (err != nil || string(got) != in) {
			t.Errorf("%q became %q, %v", in, got, err)
		}
		if err == nil && strings.Count(string(got), "$") > strings.Count(in, "$")*(1+strings.Count(value, "$")) {
			t.Errorf("%q became %q", in, got)
		}
		again, err := lock.ExpandEnv("f", []byte(strings.ReplaceAll(in, "$", "$$")), nil)
		if err != nil || string(again) != in {
			t.Errorf("%q, doubled, became %q, %v", in, again, err)
		}
	})
}
