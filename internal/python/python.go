// Package python makes the Python environment of an Odoo image: it locks what
// is to be installed and installs what is locked.
//
// uv or pip do the work. This package gives both the same settings, those of
// pip, takes out of the result what differs from one run to the next, and
// leaves neither half a lock nor half an environment behind.
package python

import (
	"time"
)

// What Options.Tool can be.
const (
	ToolAuto = "auto" // uv where PATH has it, else pip
	ToolUV   = "uv"
	ToolPip  = "pip"
)

// Options say what Build makes of what.
type Options struct {
	// Python is the interpreter that the environment is for, a path or a name
	// on PATH; python3 when empty.
	Python string
	// Venv is the directory of the environment. An existing environment is
	// replaced as a whole, or kept when Build fails.
	Venv string
	// Lock is requirements.lock.txt; written by Refresh, else only read.
	Lock string

	// Requirements are requirements files, Odoo's first. Without Refresh they
	// are compared with the lock.
	Requirements []string
	// Fetched is the directory of sources that others wrote: requirements files
	// in it have no variables and name no index. None when empty.
	Fetched string
	// Constraints bound versions and install nothing.
	Constraints []string
	// Overrides is the file of lines that replace others; none when empty.
	Overrides string
	// BuildConstraints bound the versions of what builds source distributions.
	BuildConstraints []string

	// Refresh resolves the lock anew, to the newest versions allowed.
	Refresh bool
	// CompileBytecode adds .pyc files that hold no time.
	CompileBytecode bool
	// Tool is ToolAuto, ToolUV or ToolPip; ToolAuto when empty.
	Tool string
	// Cache is a directory that downloads are kept in; when empty none are kept.
	Cache string
	// Environ is the caller's environment, as os.Environ gives it.
	Environ []string
	// Progress is told what is being done; may be nil.
	Progress func(phase, detail string)
}

// Report is what Build did.
type Report struct {
	Tool        string `json:"tool"` // uv or pip
	ToolVersion string `json:"toolVersion"`
	Python      string `json:"python"` // version, such as 3.10.14
	Packages    int    `json:"packages"`
	Hashed      bool   `json:"hashed"` // the lock has hashes, and they were checked
	// Built names the packages that were built from a source distribution, sorted.
	Built []string `json:"built"`
	// Refreshed says that the lock was resolved anew; LockWritten that it changed.
	Refreshed   bool     `json:"refreshed"`
	LockWritten bool     `json:"lockWritten"`
	Changes     []Change `json:"changes"`
	Warnings    []string `json:"warnings"`
	// Phases are in the order in which they ran.
	Phases []Phase `json:"phases"`

	// Normalized is what was resolved, a requirements file without markers;
	// Markdown is the report about it. Both are empty without Requirements.
	Normalized string `json:"-"`
	Markdown   string `json:"-"`
}

// Change is a package whose locked version changed.
type Change struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"` // empty when it is new
	New  string `json:"new,omitempty"` // empty when it is gone
}

// Phase is a step of Build and how long it took.
type Phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

func (r *Report) phase(name string, took time.Duration) {
	r.Phases = append(r.Phases, Phase{name, took.Seconds()})
}
