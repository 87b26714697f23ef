// Package launch finds out how Odoo is to be started in a container: which
// program, with which configuration. It merges a configuration file that people
// keep, the image's addons path and secrets from files or the environment into
// one file that only Odoo may read.
//
// What it writes is read by Python's configparser and then by Odoo. A value that
// would not come out there as it went in is refused, and Odoo is never left to
// its own defaults: a database manager that is open under the password admin.
package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/odoo/conf"
)

// Options is what New needs of the world.
type Options struct {
	Environ []string      // as of os.Environ
	Random  func() string // a word that nobody guesses, such as of crypto/rand.Text

	// ImageAddonsPath is the file with the addons path of the image, which need not
	// be there.
	ImageAddonsPath string
}

// ImageAddonsPath is where images have their addons path.
const ImageAddonsPath = "/etc/odoo/addons_path"

// Launch is how Odoo is to be started.
type Launch struct {
	Python string // absolute path
	Odoo   string // absolute path of odoo-bin

	// Config is the file that Odoo is given; empty for none.
	Config string
	// Base is the file of which the rendered one is made; empty for none.
	Base string
	// Values are what the rendered file has beside its base, in the order in which
	// they are set.
	Values []Value
	// Warnings are for people to read, a line each.
	Warnings []string

	file    *conf.File // what Config says; nil when there is none
	render  bool       // file is to be written to Config
	environ []string
}

// Value is an option that is set in the rendered file.
type Value struct {
	Option string
	Text   string // [redacted] for secrets
	Source string // where it comes from
}

// SettingError is a fault of a variable that the user can mend.
type SettingError struct {
	Variable string
	Msg      string // shows no secret
	Hint     string // what to do next; may be empty
}

func (e *SettingError) Error() string {
	text := e.Variable + ": " + e.Msg
	if e.Hint != "" {
		text += "\n  " + e.Hint
	}
	return text
}

// NotFoundError says that Odoo or Python is not there.
type NotFoundError struct {
	What, Path string
	Variable   string // which names another one
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("%s: there is no such %s\n  set %s to where it is", e.Path, e.What, e.Variable)
}

// New reads the settings, the files that they name, and finds the programs.
// Nothing is written. Errors are *SettingError and *yamldoc.Error, joined when
// they are several, and *NotFoundError.
func New(o Options) (*Launch, error) {
	e := &environment{vars: o.Environ, image: o.ImageAddonsPath}
	l := &Launch{environ: o.Environ}
	s := e.settings()
	l.configure(e, s, o.Random)
	l.Warnings = append(l.Warnings, e.warnings...)
	if len(e.faults) > 0 {
		return nil, errors.Join(e.faults...)
	}
	if err := l.programs(e); err != nil {
		return nil, err
	}
	return l, nil
}

// programs finds Python and odoo-bin.
func (l *Launch) programs(e *environment) error {
	venv := filepath.Join(e.or("ODOO_VENV", "/opt/odoo/venv"), "bin", "python")
	python, variable := venv, "ODOO_VENV or ODOO_RUN_PYTHON"
	switch named := e.get("ODOO_PYTHON"); {
	case e.get("ODOO_RUN_PYTHON") != "":
		python, variable = e.get("ODOO_RUN_PYTHON"), "ODOO_RUN_PYTHON"
	case named != "" && !exists(venv):
		python, variable = named, "ODOO_PYTHON"
	}
	found, err := e.lookPath(python)
	if err != nil {
		return &NotFoundError{What: "Python", Path: python, Variable: variable}
	}
	odoo := e.or("ODOO_BIN", "/opt/odoo/src/odoo/odoo-bin")
	if info, err := os.Stat(odoo); err != nil || !info.Mode().IsRegular() {
		return &NotFoundError{What: "odoo-bin", Path: odoo, Variable: "ODOO_BIN"}
	}
	if l.Python, err = filepath.Abs(found); err != nil {
		return err
	}
	if l.Odoo, err = filepath.Abs(odoo); err != nil || l.Config == "" {
		return err
	}
	l.Config, err = filepath.Abs(l.Config)
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lookPath finds a program by its path, or by its name on the PATH of the
// environment.
func (e *environment) lookPath(program string) (string, error) {
	if strings.ContainsRune(program, filepath.Separator) {
		return exec.LookPath(program)
	}
	for _, dir := range filepath.SplitList(e.get("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil && dir != "" {
			return path, nil
		}
	}
	return "", fs.ErrNotExist
}

// withoutConfig are commands of Odoo that take no -c.
func withoutConfig() []string {
	return []string{"deploy", "help", "scaffold", "tsconfig", "upgrade_code"}
}

// Argv returns the words by which Odoo is started with args: its command first,
// then the file, then the rest. The error is a *SettingError where args name a
// file of their own beside one that is rendered.
func (l *Launch) Argv(args ...string) ([]string, error) {
	argv := []string{l.Python, l.Odoo}
	at := 0
	switch {
	case len(args) > 0 && !strings.HasPrefix(args[0], "-"):
		at = 1
	case len(args) > 1 && strings.HasPrefix(args[0], "--addons-path=") && !strings.HasPrefix(args[1], "-"):
		at = 2 // Odoo takes this one before its command
	}
	if l.Config == "" || at > 0 && slices.Contains(withoutConfig(), args[at-1]) {
		return append(argv, args...), nil
	}
	for _, arg := range args[at:] {
		if arg == "--" {
			break
		}
		// Odoo takes the beginning of an option's name for it.
		if name, _, _ := strings.Cut(arg, "="); slices.Contains([]string{"--con", "--conf", "--confi", "--config"}, name) || strings.HasPrefix(arg, "-c") {
			return nil, &SettingError{
				Variable: name, Msg: "Odoo is already given " + l.Config + ", and would take only one of the two",
				Hint: "name the file by ODOO_BASE_CONFIG_FILE to have it merged, or by ODOO_CONFIG_FILE to have it taken as it is",
			}
		}
	}
	argv = append(argv, args[:at]...)
	return append(append(argv, "-c", l.Config), args[at:]...), nil
}

// Environ is the environment for Odoo. The secrets that are in the rendered
// file are taken out: every program that Odoo starts would inherit them.
func (l *Launch) Environ() []string {
	if !l.render {
		return l.environ
	}
	return slices.DeleteFunc(slices.Clone(l.environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(variables(), func(v variable) bool { return v.kind == secretKind && v.name == name })
	})
}

// Renders reports whether Write would write Config.
func (l *Launch) Renders() bool { return l.render }

// AddonsRoots are the directories in which Odoo looks for modules, in that
// order.
func (l *Launch) AddonsRoots() []string {
	dir := filepath.Dir(l.Odoo)
	roots := []string{filepath.Join(dir, "odoo", "addons")}
	given := l.Option("addons_path")
	if given == "" {
		return append(roots, filepath.Join(dir, "addons"))
	}
	e := &environment{vars: l.environ}
	for root := range strings.SplitSeq(given, ",") {
		root = os.Expand(strings.TrimSpace(root), e.get)
		if rest, ok := strings.CutPrefix(root, "~/"); ok {
			root = filepath.Join(e.get("HOME"), rest)
		}
		roots = append(roots, root)
	}
	return roots
}

// Option returns an option of the configuration. Where it says nothing, or what
// Odoo takes for nothing, it is empty.
func (l *Launch) Option(name string) string {
	if l.file == nil {
		return ""
	}
	o, _ := l.file.Get(conf.Main, name)
	if slices.Contains([]string{"False", "false", "None", "none"}, o.Value) {
		return ""
	}
	return o.Value
}
