package pytools_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/pytools"
)

func TestTools(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want string
		argv []string
	}{
		{"uv 0.13.9", []string{pytools.UV(t), "--version"}},
		{"pip-compile, version 7.6.2", []string{pytools.PipCompile(t), "--version"}},
		{"False", []string{pytools.Python(t), "-c", "from packaging.markers import Marker; import pip, piptools; print(Marker('python_version<\"3\"').evaluate())"}},
	} {
		out, err := exec.CommandContext(t.Context(), test.argv[0], test.argv[1:]...).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), test.want) {
			t.Errorf("%q: %v, %s; want %s", test.argv, err, out, test.want)
		}
	}
}
