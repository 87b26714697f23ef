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
	for name, in := range map[string]refresh.LockInput{
		"no such version":     {Files: map[string][]byte{"requirements.in": []byte("alpha>2\n")}},
		"requirements.in:2: ": {Files: map[string][]byte{"requirements.in": []byte("alpha\n=\n")}},
		"is for Python 3.1":   {Python: "3.1", Files: map[string][]byte{"requirements.in": []byte("alpha\n")}},
	} {
		_, err := l.ResolveLock(t.Context(), in)
		impossible := (*refresh.UnresolvableError)(nil)
		if !errors.As(err, &impossible) || strings.Contains(err.Error(), "odyssey-relock-") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		} else if name != "no such version" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
