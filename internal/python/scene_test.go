package python_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/python"
	"github.com/nuobit/odyssey/test/pytools"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// interpreter is the path of the python3 on PATH, without wrappers.
var interpreter = sync.OnceValue(func() string {
	out, err := exec.Command("python3", "-I", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(out))
})

// minor is its version, such as 3.11.
var minor = sync.OnceValue(func() string {
	out, err := exec.Command(interpreter(), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(out))
})

// scene is a place to build in.
type scene struct {
	dir string
	o   python.Options
}

// newScene is a place of its own, with a home that has no configuration.
func newScene(t *testing.T, tool string) *scene {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"home", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &scene{dir: dir, o: python.Options{
		Python: interpreter(), Venv: filepath.Join(dir, "place", "venv"), Lock: filepath.Join(dir, "requirements.lock.txt"), Tool: tool,
		Environ: []string{
			"PATH=" + filepath.Dir(pytools.UV(t)) + ":/usr/bin:/bin",
			"HOME=" + filepath.Join(dir, "home"), "TMPDIR=" + filepath.Join(dir, "tmp"),
		},
	}}
	return s
}

// on points pip's settings to an index.
func (s *scene) on(x *index) *scene {
	s.o.Environ = append(s.o.Environ, "PIP_INDEX_URL="+x.simple())
	return s
}

// file writes a file and returns its path.
func (s *scene) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// build builds what must succeed.
func (s *scene) build(t *testing.T) *python.Report {
	t.Helper()
	report, err := python.Build(t.Context(), s.o)
	if err != nil {
		t.Fatal(err)
	}
	s.clean(t)
	return report
}

// fail builds what must not.
func (s *scene) fail(ctx context.Context, t *testing.T) error {
	t.Helper()
	report, err := python.Build(ctx, s.o)
	if err == nil || report != nil {
		t.Fatalf("Build = %+v, %v; want an error", report, err)
	}
	s.clean(t)
	return err
}

// clean checks that nothing temporary is left.
func (s *scene) clean(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"tmp", "place"} {
		entries, err := os.ReadDir(filepath.Join(s.dir, dir))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "venv" {
				t.Errorf("%s is left in %s", e.Name(), dir)
			}
		}
	}
}

// run runs a program of the environment.
func (s *scene) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.o.Venv, "bin", name), args...)
	cmd.Env = []string{"PYTHONDONTWRITEBYTECODE=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// digest is that of every path, mode and byte of a tree.
func digest(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case !d.IsDir():
			var data []byte
			data, err = os.ReadFile(path)
			sum := sha256.Sum256(data)
			content = hex.EncodeToString(sum[:])
		}
		all[name] = fmt.Sprintf("%s %s", info.Mode(), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// contains lists the files below dir that hold text.
func contains(t *testing.T, dir, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) || strings.Contains(path, text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// both runs a test with uv and with pip.
func both(t *testing.T, test func(t *testing.T, tool string)) {
	t.Helper()
	for _, tool := range []string{python.ToolUV, python.ToolPip} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			test(t, tool)
		})
	}
}
