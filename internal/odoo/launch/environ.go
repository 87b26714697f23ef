package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nuobit/odyssey/internal/odoo/conf"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// kind is what a variable holds.
type kind int

const (
	textKind kind = iota
	secretKind
	boolKind
	countKind
	portKind
)

// variable is one that sets an option.
type variable struct {
	name, option string
	kind         kind
	file         bool   // NAME_FILE names a file that holds it
	old          string // an older name of the option, which Odoo takes for it
}

// variables are in the order in which options are set.
func variables() []variable {
	return []variable{
		{name: "ODOO_ADDONS_PATH", option: "addons_path", file: true},
		{name: "ODOO_ADMIN_PASSWD", option: "admin_passwd", kind: secretKind, file: true},
		{name: "ODOO_DATA_DIR", option: "data_dir"},
		{name: "ODOO_DB_HOST", option: "db_host"},
		{name: "ODOO_DB_PORT", option: "db_port", kind: portKind},
		{name: "ODOO_DB_USER", option: "db_user"},
		{name: "ODOO_DB_PASSWORD", option: "db_password", kind: secretKind, file: true},
		{name: "ODOO_DB_NAME", option: "db_name"},
		{name: "ODOO_DBFILTER", option: "dbfilter"},
		{name: "ODOO_LIST_DB", option: "list_db", kind: boolKind},
		{name: "ODOO_PROXY_MODE", option: "proxy_mode", kind: boolKind},
		{name: "ODOO_HTTP_PORT", option: "http_port", kind: portKind, old: "xmlrpc_port"},
		{name: "ODOO_GEVENT_PORT", option: "gevent_port", kind: portKind, old: "longpolling_port"},
		{name: "ODOO_WORKERS", option: "workers", kind: countKind},
		{name: "ODOO_MAX_CRON_THREADS", option: "max_cron_threads", kind: countKind},
	}
}

const maxSecret = 4 << 10 // bytes of a file

// environment is the variables, and what was found wrong with them.
type environment struct {
	vars     []string
	image    string // file of the image's addons path
	faults   []error
	warnings []string
}

// get returns a variable; empty when it is not set. As getenv does, it takes the
// first of several.
func (e *environment) get(name string) string {
	for _, kv := range e.vars {
		if key, value, ok := strings.Cut(kv, "="); ok && key == name {
			return value
		}
	}
	return ""
}

func (e *environment) or(name, otherwise string) string {
	if value := e.get(name); value != "" {
		return value
	}
	return otherwise
}

func (e *environment) fault(name, msg, hint string) {
	e.faults = append(e.faults, &SettingError{Variable: name, Msg: msg, Hint: hint})
}

func (e *environment) warn(format string, args ...any) {
	e.warnings = append(e.warnings, fmt.Sprintf(format, args...))
}

// setting is an option to set.
type setting struct {
	variable
	value, source string
}

// settings reads every variable that sets an option.
func (e *environment) settings() []setting {
	var all []setting
	for _, v := range variables() {
		value, file := e.get(v.name), ""
		if v.file {
			file = e.get(v.name + "_FILE")
		}
		source := v.name
		switch {
		case value != "" && file != "":
			e.fault(v.name, "is set, and "+v.name+"_FILE as well", "set one of the two")
			continue
		case file != "":
			source = v.name + "_FILE"
			var ok bool
			if value, ok = e.readFile(source, file, v.kind == secretKind); !ok {
				continue
			}
		case value == "":
			continue
		}
		if value, ok := e.check(v.kind, source, value); ok {
			all = append(all, setting{v, value, source})
		}
	}
	return all
}

// readFile reads the file that a variable names. One line end at its end is
// none of the value.
func (e *environment) readFile(name, path string, secret bool) (value string, ok bool) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		e.fault(name, "cannot be read: "+err.Error(), "")
		return "", false
	case info.IsDir():
		e.fault(name, path+" is a directory", "name the file in it")
		return "", false
	case !info.Mode().IsRegular():
		e.fault(name, path+" is not a regular file", "")
		return "", false
	case secret && info.Size() > maxSecret:
		e.fault(name, fmt.Sprintf("%s is larger than %d KiB", path, maxSecret>>10), "")
		return "", false
	case secret && info.Mode().Perm()&0o004 != 0:
		if !e.open(name, path, info.Mode().Perm()) {
			return "", false
		}
	}
	data, err := yamldoc.ReadFile(path)
	if err != nil {
		e.fault(name, "cannot be read: "+err.Error(), "")
		return "", false
	}
	value = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		e.fault(name, path+" is empty", "")
		return "", false
	}
	return value, true
}

// open says that everybody may read a secret.
func (e *environment) open(name, path string, mode os.FileMode) bool {
	if strict, ok := e.flag("ODOO_STRICT_SECRETS"); ok && strict {
		e.fault(name, fmt.Sprintf("%s has mode %04o: everybody may read it", path, mode), "take the right from others (chmod o-r; Kubernetes: defaultMode: 0440)")
		return false
	}
	e.warn("%s: %s has mode %04o: everybody may read it", name, path, mode)
	return true
}

// flag reads a variable that is true or false; false when it is not set.
func (e *environment) flag(name string) (on, ok bool) {
	value := e.get(name)
	if value == "" {
		return false, true
	}
	text, ok := e.check(boolKind, name, value)
	return text == "True", ok
}

// check returns a value as it is to be written.
func (e *environment) check(k kind, name, value string) (checked string, ok bool) {
	if msg := unfit(value, k != boolKind); msg != "" {
		e.fault(name, "the value "+msg, "")
		return "", false
	}
	switch k {
	case boolKind:
		switch lower := strings.ToLower(value); {
		case slices.Contains([]string{"1", "true", "t", "yes", "y", "on"}, lower):
			return "True", true
		case slices.Contains([]string{"0", "false", "f", "no", "n", "off"}, lower):
			return "False", true
		}
		e.fault(name, fmt.Sprintf("is %q", value), "set it to true or false")
		return "", false
	case countKind, portKind:
		return e.number(k, name, value)
	case textKind, secretKind:
	}
	return value, true
}

func (e *environment) number(k kind, name, value string) (checked string, ok bool) {
	least, most := 0, 10000
	if k == portKind {
		least, most = 1, 65535
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		e.fault(name, fmt.Sprintf("is %q", value), fmt.Sprintf("set it to a number from %d to %d", least, most))
		return "", false
	}
	return strconv.Itoa(n), true
}

// unfit tells why Odoo would not read a value as it was meant; "" when it
// would. The value is not shown.
func unfit(value string, words bool) string {
	switch {
	case !utf8.ValidString(value):
		return "is not UTF-8"
	case strings.ContainsAny(value, "\r\n"):
		return "has several lines: Odoo would take the others for options"
	case strings.ContainsRune(value, 0):
		return "has a NUL character"
	case conf.Strip(value) != value:
		return "begins or ends with a space, which Odoo would drop"
	case words && slices.Contains([]string{"None", "none", "True", "true", "False", "false"}, value):
		return "is a word that Odoo does not take for text (None, True, False)"
	}
	return ""
}

// imagePath reads the addons path that the image brings, if there is one.
func (e *environment) imagePath() (setting, bool) {
	if !exists(e.image) {
		return setting{}, false
	}
	value, ok := e.readFile(e.image, e.image, false)
	if ok {
		value, ok = e.check(textKind, e.image, value)
	}
	return setting{variables()[0], value, e.image}, ok
}

// checkAddonsPath warns of directories that are not there: Odoo says nothing.
func (e *environment) checkAddonsPath(source, value string) {
	for dir := range strings.SplitSeq(value, ",") {
		dir = strings.TrimSpace(dir)
		if info, err := os.Stat(dir); !strings.ContainsAny(dir, "$~") && (err != nil || !info.IsDir()) {
			e.warn("%s: %s is no directory; Odoo finds no addons there", source, filepath.Clean(dir))
		}
	}
}
