package pep508_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/test/pytools"
)

// questions go to Python's packaging, all in one process.
type questions struct {
	Requirements []string             `json:"requirements"`
	Markers      []string             `json:"markers"`
	Environments []pep508.Environment `json:"environments"`
	Versions     [][2]string          `json:"versions"`   // to compare
	Specifiers   [][2]string          `json:"specifiers"` // specifier, version
}

// answers are in the order of the questions; an object with "error" in the
// place of one that packaging refuses.
type answers struct {
	Requirements []json.RawMessage   `json:"requirements"`
	Markers      [][]json.RawMessage `json:"markers"` // by marker, then environment
	Versions     []json.RawMessage   `json:"versions"`
	Specifiers   []json.RawMessage   `json:"specifiers"`
}

func askPackaging(t *testing.T, q questions) answers {
	t.Helper()
	in, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), pytools.Python(t), "testdata/answer.py")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var a answers
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// refusal returns why packaging refused, or "".
func refusal(raw json.RawMessage) string {
	var fault struct{ Error string }
	if json.Unmarshal(raw, &fault) != nil {
		return "" // a plain answer
	}
	return fault.Error
}

// environment is that of CPython on Linux.
func environment(full, minor string) pep508.Environment {
	return pep508.Environment{
		"python_version": minor, "python_full_version": full, "implementation_version": full,
		"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64",
		"platform_release": "6.12.48+deb13-amd64", "platform_version": "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)",
		"platform_python_implementation": "CPython", "implementation_name": "cpython", "extra": "",
	}
}

func environments() []pep508.Environment {
	windows := environment("3.12.10", "3.12")
	windows["os_name"], windows["sys_platform"], windows["platform_system"] = "nt", "win32", "Windows"
	windows["platform_machine"], windows["platform_release"], windows["platform_version"] = "AMD64", "2025Server", "10.0.26100"
	extra := environment("3.14.0", "3.14")
	extra["extra"], extra["platform_release"] = "Foo_Bar", "5.10.0"
	return []pep508.Environment{
		environment("3.10.20", "3.10"), environment("3.11.2", "3.11"), environment("3.12.3", "3.12"), environment("3.13.7", "3.13"),
		environment("3.13.0rc1", "3.13"), environment("3.12.0+", "3.12"), environment("3.9.1", "3.9"), windows, extra,
	}
}
