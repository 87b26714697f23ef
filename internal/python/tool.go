package python

import (
	"context"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// tool is the program that resolves and installs.
type tool struct {
	name    string // ToolUV or ToolPip
	path    string // uv's; pip is a module of the environment
	version string
	r       *runner // with the tool's environment
}

// findUV returns the path of uv, or "" when pip is to do it.
func findUV(o Options) (string, error) {
	switch o.Tool {
	case ToolPip:
		return "", nil
	case ToolAuto, "", ToolUV:
	default:
		return "", &yamldoc.Error{Path: "--python-tool", Msg: fmt.Sprintf("%q is no tool", o.Tool), Hint: "name auto, uv or pip"}
	}
	path, err := lookPath("uv", o.Environ)
	if err != nil && o.Tool == ToolUV {
		return "", &yamldoc.Error{Path: "uv", Msg: err.Error(), Hint: "install it, or let pip do the work"}
	}
	return path, nil
}

// newTool asks uv, or the pip of an environment, for its version.
func newTool(ctx context.Context, r *runner, s *settings, o Options, uv, python string) (*tool, error) {
	t := &tool{name: ToolPip, path: uv, r: &runner{dir: r.dir, redact: r.redact}}
	program, args := python, []string{"-I", "-B", "-m", "pip", "--version"}
	env := s.pipEnvironment(o.Cache)
	if uv != "" {
		t.name, program, args = ToolUV, uv, []string{"--version"}
		env = s.uvEnvironment(o.Environ, o.Cache)
	}
	t.r.env = append(append(t.r.env, r.env...), env...)
	out, err := t.r.output(ctx, "ask "+t.name+" for its version", program, args...)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(out))
	if len(fields) < 2 {
		return nil, fmt.Errorf("%s does not say its version", t.name)
	}
	t.version = fields[1]
	return t, nil
}
