package lock

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// variable is the pattern of Python's string.Template.
var variable = regexp.MustCompile(`\$(?:(\$)|([_A-Za-z][_A-Za-z0-9]*)|\{([_A-Za-z][_A-Za-z0-9]*)\}|)`)

// ExpandEnv replaces $NAME, ${NAME} and $$ in data as Python's
// Template.substitute does, so as git-aggregator does with --expand-env: a
// name without a value, and a $ that begins none, is an error with its line.
func ExpandEnv(name string, data []byte, env map[string]string) ([]byte, error) {
	var out bytes.Buffer
	last := 0
	for _, at := range variable.FindAllSubmatchIndex(data, -1) {
		out.Write(data[last:at[0]])
		last = at[1]
		line := 1 + bytes.Count(data[:at[0]], []byte("\n"))
		key := group(data, at, 2) + group(data, at, 3)
		value, known := env[key]
		switch {
		case at[2] >= 0:
			out.WriteByte('$')
		case key == "":
			return nil, &yamldoc.Error{Path: name, Line: line, Msg: "a $ that begins no variable; write $$ for a $"}
		case !known:
			return nil, &yamldoc.Error{Path: name, Line: line, Msg: "the variable $" + key + " is not set", Hint: "give it a value in the environment, or in the file of --env-file"}
		default:
			out.WriteString(value)
		}
	}
	out.Write(data[last:])
	return out.Bytes(), nil
}

func group(data []byte, at []int, n int) string {
	if at[2*n] < 0 {
		return ""
	}
	return string(data[at[2*n]:at[2*n+1]])
}

// ParseEnvFile reads the lines NAME=VALUE of an --env-file; lines that begin
// with # or hold no = are passed over.
func ParseEnvFile(data []byte) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			env[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return env
}
