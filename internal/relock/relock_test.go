package relock_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/relock"
	"github.com/nuobit/odyssey/test/pyindex"
	"github.com/nuobit/odyssey/test/pytools"
)

// scene is what resolves by an index.
func scene(t *testing.T) *relock.Local {
	t.Helper()
	x := pyindex.Start()
	t.Cleanup(x.Close)
	for _, p := range [][]string{{"alpha", "1.0", "beta"}, {"alpha", "2.0", "beta"}, {"beta", "1.0"}, {"beta", "1.1"}, {"gamma", "1.0"}} {
		if err := x.Add(p[0], p[1], p[2:]...); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	return &relock.Local{Environ: []string{
		"PATH=" + filepath.Dir(pytools.UV(t)) + ":/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "PIP_INDEX_URL=" + x.Simple(),
	}}
}

func minor(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "python3", "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestLocal(t *testing.T) {
	t.Parallel()
	l := scene(t)
	result, err := l.ResolveLock(t.Context(), refresh.LockInput{Python: minor(t), Files: map[string][]byte{
		"odoo/requirements.txt":       []byte("alpha==1.0 ; python_version > '3.0'\n"),
		"requirements.in":             []byte("gamma\n"),
		"requirements-constraints.in": []byte("# as long as it breaks\nbeta<1.1\n"),
		"requirements-overrides.in":   []byte("alpha==2.0\n"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(result.Lock)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "--hash=") && !strings.HasPrefix(line, "# Generated") {
			lines = append(lines, strings.TrimSuffix(line, ` \`))
		}
	}
	want := []string{
		"# Do not edit it by hand: edit requirements.in, then refresh the lock.",
		"alpha==2.0", "# via -r requirements-overrides.in", "beta==1.0", "# via", "#   -c requirements-constraints.in", "#   alpha", "gamma==1.0", "# via -r requirements.in",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"alpha": "1.0", "beta": "1.1", "gamma": "1.0"}, result.Free); d != "" {
		t.Errorf("without bounds (-want +got):\n%s", d)
	}
	if !strings.HasPrefix(result.Python, minor(t)+".") {
		t.Error(result.Python)
	}
}

func TestLocal_unresolvable(t *testing.T) {
	t.Parallel()
	l := scene(t)
	index := strings.TrimPrefix(l.Environ[len(l.Environ)-1], "PIP_INDEX_URL=")
	in := func(files ...string) (in refresh.LockInput) {
		in.Files = map[string][]byte{}
		for i := 0; i < len(files); i += 2 {
			in.Files[files[i]] = []byte(files[i+1])
		}
		return in
	}
	const own, odoos = "requirements.in", "odoo/requirements.txt"
	older := in(own, "alpha\n")
	older.Python = "3.1"
	for _, test := range []struct {
		name, want string
		in         refresh.LockInput
		logged     string
	}{
		{"no such version", "no set of packages", in(own, "alpha>2\n"), "alpha"},
		{"a package of a private Odoo", "no set of packages", in(odoos, "secret-name==1\n"), "secret-name"},
		{"a fault of its own", "requirements.in:2: ", in(own, "alpha\n=\n"), ""},
		{"a fault of Odoo's", "the requirements cannot be read", in(odoos, "alpha\nsecret-name =\n"), "requirements.txt:2: "},
		{"a machine without the Python", "is for Python 3.1", older, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := l.ResolveLock(t.Context(), test.in)
			impossible := (*refresh.UnresolvableError)(nil)
			if !errors.As(err, &impossible) {
				t.Fatal(err)
			}
			for _, private := range []string{"odyssey-", "/tmp", "\n", "secret-name", index} {
				if strings.Contains(impossible.Reason, private) {
					t.Errorf("%q tells %q", impossible.Reason, private)
				}
			}
			if !strings.Contains(impossible.Reason, test.want) {
				t.Error(impossible.Reason)
			}
			if test.logged == "" != (impossible.Cause == nil) || impossible.Cause != nil && !strings.Contains(impossible.Cause.Error(), test.logged) {
				t.Errorf("the log has %v", impossible.Cause)
			}
		})
	}
}
