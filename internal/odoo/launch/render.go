package launch

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/odoo/conf"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

const defaultRuntime = "/run/odoo/odoo-runtime.conf"

// mode is what ODOO_GENERATE_CONFIG asks for.
type mode int

const (
	whenNeeded mode = iota
	always
	never
)

// configure decides which file Odoo gets, and what is in it.
func (l *Launch) configure(e *environment, settings []setting, random func() string) {
	whole, wholeName := e.whole()
	base := e.get("ODOO_BASE_CONFIG_FILE")
	m := e.mode()
	named := slices.Clone(settings)
	if base != "" {
		named = append(named, setting{source: "ODOO_BASE_CONFIG_FILE"})
	}
	switch {
	case m == never:
		for _, s := range named {
			l.Warnings = append(l.Warnings, s.source+" has no effect, as ODOO_GENERATE_CONFIG says that no configuration is rendered")
		}
		l.asItIs(e, whole, wholeName)
	case whole != "" && (len(named) > 0 || m == always):
		clash := "ODOO_GENERATE_CONFIG"
		if len(named) > 0 {
			clash = named[0].source
		}
		e.fault(wholeName, "names a file that Odoo takes as it is, so "+clash+" cannot have an effect",
			"name the file by ODOO_BASE_CONFIG_FILE to have settings and secrets merged into it, or set ODOO_GENERATE_CONFIG=false")
	case whole != "":
		l.asItIs(e, whole, wholeName)
		if l.file != nil && exists(e.image) && l.Option("addons_path") == "" {
			l.Warnings = append(l.Warnings, wholeName+": "+whole+" has no addons_path, so Odoo does not find what the image has in "+e.image)
		}
	default:
		l.renderFrom(e, base, settings, m == always, random)
	}
}

// whole is the file that is taken as it is, and the variable that names it.
func (e *environment) whole() (path, name string) {
	file, rc := e.get("ODOO_CONFIG_FILE"), e.get("ODOO_RC")
	switch {
	case file != "" && rc != "" && file != rc:
		e.fault("ODOO_CONFIG_FILE", "names another file than ODOO_RC", "set one of the two")
	case file == "":
		return rc, "ODOO_RC"
	}
	return file, "ODOO_CONFIG_FILE"
}

func (e *environment) mode() mode {
	if e.get("ODOO_GENERATE_CONFIG") == "" || strings.EqualFold(e.get("ODOO_GENERATE_CONFIG"), "auto") {
		return whenNeeded
	}
	if on, ok := e.flag("ODOO_GENERATE_CONFIG"); on || !ok {
		return always
	}
	return never
}

// read reads a configuration that a variable names. Where Odoo would see
// nothing in it, Odoo would say nothing and start with its defaults.
func (e *environment) read(name, path string) *conf.File {
	file, err := conf.ReadFile(path)
	fault := (*yamldoc.Error)(nil)
	switch {
	case errors.As(err, &fault):
		e.faults = append(e.faults, err)
	case errors.Is(err, fs.ErrNotExist):
		e.fault(name, path+" does not exist", "")
	case err != nil:
		e.fault(name, "cannot be read: "+err.Error(), "")
	case !file.Has(conf.Main):
		e.faults = append(e.faults, &yamldoc.Error{Path: path, Msg: "has no section [options], without which Odoo ignores it and starts with its defaults", Hint: "begin it with the line [options]"})
	default:
		return file
	}
	return nil
}

// asItIs gives Odoo a file that somebody else wrote.
func (l *Launch) asItIs(e *environment, path, name string) {
	if path == "" {
		if l.Config == "" {
			l.Warnings = append(l.Warnings, "Odoo gets no configuration, so its defaults hold: a database manager that is open under the password admin")
		}
		return
	}
	if l.file = e.read(name, path); l.file == nil {
		return
	}
	l.Config = path
	// Odoo 19 passes over False where it wants text, so that its default holds.
	admin, isSet := l.file.Get(conf.Main, "admin_passwd")
	if isSet && (admin.Value == "" || l.Option("admin_passwd") != "") && admin.Value != "admin" || l.isOff("list_db") {
		return
	}
	e.faults = append(e.faults, &yamldoc.Error{
		Path: path, Line: admin.Line, Msg: "leaves Odoo's database manager open under the password admin",
		Hint: "set admin_passwd in it, or list_db = False",
	})
}

// isOff reports whether an option is there and says no.
func (l *Launch) isOff(name string) bool {
	o, ok := l.file.Get(conf.Main, name)
	return ok && (o.Value == "False" || o.Value == "false")
}

// secretOptions come from secrets and the image, never from a base file.
func secretOptions() map[string]string {
	return map[string]string{ //nolint:gosec // these are names and hints, no credentials
		"addons_path":  "it belongs to the image, which has it in " + ImageAddonsPath + "; ODOO_ADDONS_PATH names another one",
		"admin_passwd": "put it into a file that ODOO_ADMIN_PASSWD_FILE names",
		"db_password":  "put it into a file that ODOO_DB_PASSWORD_FILE names",
	}
}

// base reads the file that is rendered into.
func (e *environment) base(path string) *conf.File {
	if path == "" {
		const head = "# Written by odoo-run at each start: changes are lost.\n[options]\n"
		file, err := conf.Parse("odoo.conf", []byte(head))
		if err != nil {
			e.faults = append(e.faults, err)
		}
		return file
	}
	file := e.read("ODOO_BASE_CONFIG_FILE", path)
	if file == nil {
		return nil
	}
	for _, o := range file.Options(conf.Main) {
		if hint, refused := secretOptions()[o.Name]; refused {
			e.faults = append(e.faults, &yamldoc.Error{Path: path, Line: o.Line, Msg: o.Name + " cannot stand in a base file", Hint: hint})
		}
	}
	return file
}

// renderFrom makes the file of its base and the settings, if there is anything
// to say.
func (l *Launch) renderFrom(e *environment, base string, settings []setting, anyway bool, random func() string) {
	if !slices.ContainsFunc(settings, func(s setting) bool { return s.option == "addons_path" }) && !e.hasFault("ODOO_ADDONS_PATH") {
		if image, ok := e.imagePath(); ok {
			settings = append([]setting{image}, settings...)
		}
	}
	if len(settings) == 0 && base == "" && !anyway && len(e.faults) == 0 {
		l.asItIs(e, "", "")
		return
	}
	file := e.base(base)
	if file == nil || len(e.faults) > 0 {
		return
	}
	settings = withSafe(file, settings, random)
	var changes []conf.Change
	for _, s := range settings {
		changes = append(changes, conf.Change{Section: conf.Main, Option: s.option, Value: s.value})
		if _, there := file.Get(conf.Main, s.old); there && s.old != "" {
			changes = append(changes, conf.Change{Section: conf.Main, Option: s.old, Remove: true})
		}
		shown := s.value
		if s.kind == secretKind {
			shown = secret.Redacted
		}
		l.Values = append(l.Values, Value{Option: s.option, Text: shown, Source: s.source})
		if s.option == "addons_path" {
			e.checkAddonsPath(s.source, s.value)
		}
	}
	edited, err := file.Edit(changes...)
	if err != nil {
		e.faults = append(e.faults, &SettingError{Variable: "configuration", Msg: err.Error()})
		return
	}
	l.file, l.render, l.Base, l.Config = edited, true, base, e.or("ODOO_RUNTIME_RC", defaultRuntime)
}

func (e *environment) hasFault(prefix string) bool {
	return slices.ContainsFunc(e.faults, func(err error) bool {
		fault := (*SettingError)(nil)
		return errors.As(err, &fault) && strings.HasPrefix(fault.Variable, prefix)
	})
}

// withSafe adds what Odoo has unsafe defaults for.
func withSafe(file *conf.File, settings []setting, random func() string) []setting {
	has := func(option string) bool {
		return slices.ContainsFunc(settings, func(s setting) bool { return s.option == option })
	}
	for _, v := range variables() {
		_, inBase := file.Get(conf.Main, v.option)
		switch {
		case has(v.option) || inBase:
		case v.option == "admin_passwd":
			settings = append(settings, setting{v, random(), "drawn anew at each start, so that it fits nobody"})
		case v.option == "list_db":
			settings = append(settings, setting{v, "False", "as neither ODOO_LIST_DB nor the base file has it"})
		}
	}
	return settings
}
