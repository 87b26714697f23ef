// Package configparser asks Python's configparser what stands in an
// odoo.conf: the parser with which Odoo reads it.
package configparser

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/nuobit/odyssey/test/pytools"
)

//go:embed read.py
var program string

// Answer is what Python found in a file.
type Answer struct {
	Sections []Section // without DEFAULT, whose options each of them has
	Defaults []Option

	Error string // Python's name of it
	Lines []int  // at which the error is, 1-based
}

// Section is a section with its options as items() returns them.
type Section struct {
	Name    string
	Options []Option
}

// Option is an option's name and value.
type Option [2]string

// UnmarshalJSON reads [name, options].
func (s *Section) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&s.Name, &s.Options})
}

// Get returns an option of a section.
func (a *Answer) Get(section, option string) (value string, ok bool) {
	for _, s := range a.Sections {
		for _, o := range s.Options {
			if s.Name == section && o[0] == option {
				return o[1], true
			}
		}
	}
	return "", false
}

// Parser is a running Python. It is safe for use by several goroutines.
type Parser struct {
	Version string // such as 3.11

	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

// All starts each Python from 3.10 to 3.13 that there is: that of the test
// tools, and those of the PATH.
func All(t testing.TB) []*Parser {
	t.Helper()
	seen := map[string]bool{}
	var all []*Parser
	for _, python := range []string{pytools.Python(t), "python3.10", "python3.11", "python3.12", "python3.13"} {
		out, err := exec.CommandContext(t.Context(), python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
		version := strings.TrimSpace(string(out))
		if err != nil || seen[version] {
			continue
		}
		seen[version] = true
		all = append(all, start(t, python, version))
	}
	return all
}

// New starts the Python of the test tools.
func New(t testing.TB) *Parser {
	t.Helper()
	return start(t, pytools.Python(t), "")
}

func start(t testing.TB, python, version string) *Parser {
	t.Helper()
	cmd := exec.Command(python, "-I", "-c", program)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", python, err)
		}
	})
	return &Parser{Version: version, in: in, out: bufio.NewReader(out)}
}

// Read has Python read a file.
func (p *Parser) Read(text []byte) (*Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request, err := json.Marshal(map[string][]byte{"text": text})
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", request); err != nil {
		return nil, err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	answer := &Answer{}
	return answer, json.Unmarshal(line, answer)
}
