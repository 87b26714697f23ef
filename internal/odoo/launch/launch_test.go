package launch_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/odoo/launch"
	"github.com/nuobit/odyssey/internal/yamldoc"
	"github.com/nuobit/odyssey/test/configparser"
)

// scene is a directory with what an image has.
type scene struct {
	dir string
	env []string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir()}
	s.write(t, "venv/bin/python", "#!/bin/sh\n", 0o755)
	s.write(t, "odoo-bin", "", 0o644)
	s.env = []string{"ODOO_VENV=" + s.path("venv"), "ODOO_BIN=" + s.path("odoo-bin"), "ODOO_RUNTIME_RC=" + s.path("run/odoo.conf")}
	return s
}

func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

func (s *scene) write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := s.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *scene) launch(env ...string) (*launch.Launch, error) {
	return launch.New(launch.Options{
		Environ: append(slices.Clone(s.env), env...), Random: func() string { return "drawn" }, ImageAddonsPath: s.path("addons_path"),
	})
}

// rendered returns the file that is written.
func (s *scene) rendered(t *testing.T, env ...string) string {
	t.Helper()
	l, err := s.launch(env...)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.path("run/odoo.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const head = "# Written by odoo-run at each start: changes are lost.\n[options]\n"

func TestWrite(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	password := s.write(t, "password", "s3cret\n", 0o600)
	base := s.write(t, "base.conf", "; of ours\n[options]\nlist_db = True\nXMLRPC_Port = 1\nworkers = 1\n# limits\nlimit_time_cpu = 60\n\n[queue_job]\nchannels = root:2\n", 0o644)
	addons := s.write(t, "addons", s.dir+"\r\n", 0o644)
	for _, test := range []struct {
		name string
		env  []string
		want string
	}{
		{"one variable", []string{"ODOO_DB_HOST=db"}, head + "db_host = db\nadmin_passwd = drawn\nlist_db = False\n"},
		{"all", []string{
			"ODOO_ADDONS_PATH_FILE=" + addons, "ODOO_ADMIN_PASSWD=a%;#", "ODOO_DATA_DIR=/d", "ODOO_DB_HOST=h", "ODOO_DB_PORT=05432", "ODOO_DB_USER=u",
			"ODOO_DB_PASSWORD_FILE=" + password, "ODOO_DB_NAME=n", "ODOO_DBFILTER=^%d$", "ODOO_LIST_DB=yes", "ODOO_PROXY_MODE=0", "ODOO_HTTP_PORT=80",
			"ODOO_GEVENT_PORT=81", "ODOO_WORKERS=4", "ODOO_MAX_CRON_THREADS=0",
		}, head + "addons_path = " + s.dir + "\nadmin_passwd = a%;#\ndata_dir = /d\ndb_host = h\ndb_port = 5432\ndb_user = u\ndb_password = s3cret\ndb_name = n\n" +
			"dbfilter = ^%d$\nlist_db = True\nproxy_mode = False\nhttp_port = 80\ngevent_port = 81\nworkers = 4\nmax_cron_threads = 0\n"},
		{"a base", []string{"ODOO_BASE_CONFIG_FILE=" + base, "ODOO_WORKERS=2", "ODOO_HTTP_PORT=8069"}, "; of ours\n[options]\nlist_db = True\nworkers = 2\n# limits\nlimit_time_cpu = 60\nhttp_port = 8069\nadmin_passwd = drawn\n\n[queue_job]\nchannels = root:2\n"},
		{"empty is unset", []string{"ODOO_DB_HOST=db", "ODOO_DB_PORT=", "ODOO_DB_PASSWORD=", "ODOO_DB_PASSWORD_FILE=" + password}, head + "db_host = db\ndb_password = s3cret\nadmin_passwd = drawn\nlist_db = False\n"},
		{"anyway", []string{"ODOO_GENERATE_CONFIG=true"}, head + "admin_passwd = drawn\nlist_db = False\n"},
	} {
		if diff := cmp.Diff(test.want, s.rendered(t, test.env...)); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
	s.write(t, "addons_path", s.dir+",/none\n", 0o644)
	if diff := cmp.Diff(head+"addons_path = "+s.dir+",/none\nadmin_passwd = drawn\nlist_db = False\n", s.rendered(t)); diff != "" {
		t.Errorf("the image's addons path alone:\n%s", diff)
	}
	if diff := cmp.Diff(head+"addons_path = /mine\nadmin_passwd = drawn\nlist_db = False\n", s.rendered(t, "ODOO_ADDONS_PATH=/mine")); diff != "" {
		t.Errorf("another addons path:\n%s", diff)
	}
	l, err := s.launch()
	if err != nil || len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "/none is no directory") {
		t.Errorf("%v, warnings %q", err, l.Warnings)
	}
}

func TestNew_refuses(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ok := s.write(t, "ok", "canary\n", 0o600)
	empty, newline := s.write(t, "empty", "\n", 0o600), s.write(t, "newline", "canary\n\n", 0o600)
	base := func(name, text string) string { return "ODOO_BASE_CONFIG_FILE=" + s.write(t, name, text, 0o644) }
	for _, test := range []struct {
		name string
		env  []string
		want string // in the error
	}{
		{"port", []string{"ODOO_DB_PORT=x"}, `ODOO_DB_PORT: is "x"`},
		{"port 0", []string{"ODOO_HTTP_PORT=0"}, "1 to 65535"},
		{"workers", []string{"ODOO_WORKERS=-1"}, "ODOO_WORKERS"},
		{"bool", []string{"ODOO_PROXY_MODE=maybe"}, "true or false"},
		{"all at once", []string{"ODOO_DB_PORT=x", "ODOO_WORKERS=y"}, "ODOO_WORKERS"},
		{"missing secret", []string{"ODOO_DB_PASSWORD_FILE=" + s.path("none")}, "ODOO_DB_PASSWORD_FILE: cannot be read"},
		{"empty secret", []string{"ODOO_DB_PASSWORD_FILE=" + empty}, "is empty"},
		{"secret is a directory", []string{"ODOO_ADMIN_PASSWD_FILE=" + s.dir}, "is a directory"},
		{"secret is a device", []string{"ODOO_ADMIN_PASSWD_FILE=/dev/zero"}, "not a regular file"},
		{"large secret", []string{"ODOO_ADMIN_PASSWD_FILE=" + s.write(t, "large", strings.Repeat("x", 5000), 0o600)}, "larger than 4 KiB"},
		{"a second line end", []string{"ODOO_DB_PASSWORD_FILE=" + newline}, "has several lines"},
		{"missing addons path", []string{"ODOO_ADDONS_PATH_FILE=" + s.path("none")}, "ODOO_ADDONS_PATH_FILE"},
		{"missing base", []string{"ODOO_BASE_CONFIG_FILE=" + s.path("none")}, "does not exist"},
		{"base is a directory", []string{"ODOO_BASE_CONFIG_FILE=" + s.dir}, "is not a regular file"},
		{"secret in the base", []string{base("secret", "[options]\nDB_Password = canary\n")}, s.path("secret") + ":2: db_password cannot stand"},
		{"secret in DEFAULT", []string{base("default", "[DEFAULT]\nadmin_passwd = canary\n[options]\n")}, s.path("default") + ":2: admin_passwd"},
		{"addons path in the base", []string{base("path", "[options]\naddons_path = /x\n")}, "addons_path cannot stand"},
		{"BOM", []string{base("bom", "\ufeff[options]\n")}, s.path("bom") + ":1: begins with a byte order mark"},
		{"duplicate option", []string{base("twice", "[options]\na = 1\na = 2\n")}, s.path("twice") + ":3: "},
		{"duplicate section", []string{base("sections", "[options]\n[options]\n")}, s.path("sections") + ":2: "},
		{"no section", []string{base("nosection", "[Options]\na = 1\n")}, "has no section [options]"},
		{"empty base", []string{base("void", "")}, "has no section [options]"},
		{"text first", []string{base("text", "a = 1\n[options]\n")}, s.path("text") + ":1: "},
		{"large base", []string{base("huge", "[options]\n#"+strings.Repeat("x", 1<<20))}, "larger than 1024 KiB"},
		{"whole and values", []string{"ODOO_CONFIG_FILE=" + ok, "ODOO_DB_HOST=x"}, "ODOO_DB_HOST cannot have an effect"},
		{"whole and base", []string{"ODOO_RC=" + ok, "ODOO_BASE_CONFIG_FILE=" + ok}, "ODOO_RC: names a file that Odoo takes as it is"},
		{"two wholes", []string{"ODOO_RC=" + ok, "ODOO_CONFIG_FILE=" + empty}, "another file than ODOO_RC"},
		{"whole that is missing", []string{"ODOO_RC=" + s.path("none")}, "does not exist"},
		{"whole without options", []string{"ODOO_RC=" + s.write(t, "w1", "[x]\n", 0o600)}, "has no section [options]"},
		{"whole with Odoo's defaults", []string{"ODOO_RC=" + s.write(t, "w2", "[options]\nlist_db = True\n", 0o600)}, "open under the password admin"},
		{"whole with the default's value", []string{"ODOO_RC=" + s.write(t, "w3", "[options]\n\nadmin_passwd = admin\n", 0o600)}, s.path("w3") + ":3: "},
		{"whole with None", []string{"ODOO_RC=" + s.write(t, "w4", "[options]\nadmin_passwd = False\n", 0o600)}, "open under the password admin"},
		{"generate", []string{"ODOO_GENERATE_CONFIG=perhaps"}, "ODOO_GENERATE_CONFIG"},
	} {
		_, err := s.launch(test.env...)
		setting, fault := (*launch.SettingError)(nil), (*yamldoc.Error)(nil)
		switch {
		case err == nil:
			t.Errorf("%s: no error", test.name)
		case !errors.As(err, &setting) && !errors.As(err, &fault), !strings.Contains(err.Error(), test.want), strings.Contains(err.Error(), "canary"):
			t.Errorf("%s: %T %v", test.name, err, err)
		}
	}
	if _, err := os.Stat(s.path("run")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

// Values that Odoo would not read as they were meant.
func TestFault_O2_SecretIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, value := range []string{"a\nb", "a\rb", " canary", "canary ", "\tx", "x\u00a0", "None", "none", "False", "false", "True", "true", "x\xff", "x\x00"} {
		for _, name := range []string{"ODOO_DB_PASSWORD", "ODOO_ADMIN_PASSWD", "ODOO_DB_USER", "ODOO_DBFILTER"} {
			if value == "x\x00" && name == "ODOO_DB_USER" {
				continue // no environment has one
			}
			setting := (*launch.SettingError)(nil)
			if _, err := s.launch(name + "=" + value); !errors.As(err, &setting) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s, %q: %v", name, value, err)
			}
		}
		path := s.write(t, "secret", value, 0o600)
		if _, err := s.launch("ODOO_DB_PASSWORD_FILE=" + path); err == nil {
			t.Errorf("file with %q: no error", value)
		}
	}
}

func TestFault_O3_BothAndUnreadable(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	file := s.write(t, "file", "canary\n", 0o600)
	for _, name := range []string{"ODOO_DB_PASSWORD", "ODOO_ADMIN_PASSWD", "ODOO_ADDONS_PATH"} {
		_, err := s.launch(name+"=canary", name+"_FILE="+file)
		if err == nil || !strings.HasPrefix(err.Error(), name+": is set, and "+name+"_FILE as well") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if os.Geteuid() == 0 {
		t.Log("root reads every file; the scripts of cmd/odoo-run run it as another user")
		return
	}
	closed := s.write(t, "closed", "[options]\n", 0)
	for _, name := range []string{"ODOO_BASE_CONFIG_FILE", "ODOO_CONFIG_FILE", "ODOO_DB_PASSWORD_FILE", "ODOO_ADDONS_PATH_FILE"} {
		if _, err := s.launch(name + "=" + closed); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What Python reads of the rendered file is what was set.
func TestFault_O1_PasswordRoundTrips(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	python := configparser.New(t)
	for _, value := range []string{`%;#=,"`, "#", ";x", "[options]", "a = b", ":", "%(db_host)s", "\\", "''", "ä\u2028ö", "none at all", "NONE", "0"} {
		text := s.rendered(t, "ODOO_DB_PASSWORD="+value, "ODOO_ADMIN_PASSWD_FILE="+s.write(t, "admin", value+"\n", 0o600))
		answer, err := python.Read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, option := range []string{"db_password", "admin_passwd"} {
			if got, _ := answer.Get("options", option); got != value {
				t.Errorf("%s %q came back as %q", option, value, got)
			}
		}
	}
}

func TestSecretMode(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	open := s.write(t, "open", "x\n", 0o644)
	l, err := s.launch("ODOO_DB_PASSWORD_FILE=" + open)
	if want := []string{fmt.Sprintf("ODOO_DB_PASSWORD_FILE: %s has mode 0644: everybody may read it", open)}; err != nil || !slices.Equal(l.Warnings, want) {
		t.Errorf("%v, %q", err, l.Warnings)
	}
	if _, err := s.launch("ODOO_DB_PASSWORD_FILE="+open, "ODOO_STRICT_SECRETS=1"); err == nil || !strings.Contains(err.Error(), "mode 0644") {
		t.Errorf("strict: %v", err)
	}
	closed := s.write(t, "closed", "x\n", 0o640)
	if l, err := s.launch("ODOO_DB_PASSWORD_FILE="+closed, "ODOO_STRICT_SECRETS=1"); err != nil || len(l.Warnings) > 0 {
		t.Errorf("closed: %v", err)
	}
}

func TestArgv(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	l, err := s.launch("ODOO_DB_HOST=db", "ODOO_DB_PASSWORD=canary")
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"":                                "-c FILE",
		"-d x --dev all":                  "-c FILE -d x --dev all",
		"shell -d x":                      "shell -c FILE -d x",
		"--addons-path=/a shell -d x":     "--addons-path=/a shell -c FILE -d x",
		"--addons-path=/a -d x":           "-c FILE --addons-path=/a -d x",
		"scaffold x /y":                   "scaffold x /y",
		"--addons-path=/a scaffold -c /y": "--addons-path=/a scaffold -c /y",
		"help":                            "help",
	} {
		argv, err := l.Argv(strings.Fields(args)...)
		got := strings.ReplaceAll(strings.Join(argv, " "), s.path("run/odoo.conf"), "FILE")
		if want := strings.TrimSpace(s.path("venv/bin/python") + " " + s.path("odoo-bin") + " " + want); err != nil || got != want {
			t.Errorf("%q: %v, %s; want %s", args, err, got, want)
		}
	}
	for _, args := range []string{"-c x", "shell -c x", "--config x", "--config=x", "--conf=x", "-cx"} {
		if _, err := l.Argv(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), "ODOO_BASE_CONFIG_FILE") {
			t.Errorf("%q: %v", args, err)
		}
	}
	if got := strings.Join(l.Environ(), " "); strings.Contains(got, "canary") || !strings.Contains(got, "ODOO_DB_HOST=db") {
		t.Errorf("environment of Odoo: %s", got)
	}
}

func TestNoConfig(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	whole := s.write(t, "whole.conf", "[options]\nadmin_passwd = x\n", 0o600)
	for _, test := range []struct {
		env, warning, config string
	}{
		{"", "its defaults hold", ""},
		{"ODOO_GENERATE_CONFIG=no ODOO_DB_HOST=x", "ODOO_DB_HOST has no effect", ""},
		{"ODOO_RC=" + whole, "", whole},
		{"ODOO_CONFIG_FILE=" + whole + " ODOO_RC=" + whole, "", whole},
		{"ODOO_CONFIG_FILE=" + whole + " ODOO_GENERATE_CONFIG=0 ODOO_DB_PASSWORD=x", "ODOO_DB_PASSWORD has no effect", whole},
	} {
		l, err := s.launch(strings.Fields(test.env)...)
		if err != nil || l.Config != test.config || l.Renders() || !strings.HasPrefix(strings.Join(l.Warnings, "\n")+"\n", "") || test.warning != "" && !strings.Contains(strings.Join(l.Warnings, "\n"), test.warning) {
			t.Errorf("%s: %v, %+v", test.env, err, l)
			continue
		}
		if err := l.Write(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(s.path("run")); err == nil {
		t.Error("something was written")
	}
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	other := s.write(t, "bin/other-python", "#!/bin/sh\n", 0o755)
	path := "PATH=/nonexistent:" + s.path("bin")
	for _, test := range []struct{ env, python, missing string }{
		{"", s.path("venv/bin/python"), ""},
		{"ODOO_PYTHON=/none", s.path("venv/bin/python"), ""},
		{"ODOO_RUN_PYTHON=" + other, other, ""},
		{"ODOO_RUN_PYTHON=other-python", other, ""},
		{"ODOO_RUN_PYTHON=/none", "", "/none: there is no such Python"},
		{"ODOO_RUN_PYTHON=" + s.path("odoo-bin"), "", "no such Python"},
	} {
		l, err := s.launch(append(strings.Fields(test.env), path)...)
		missing := (*launch.NotFoundError)(nil)
		switch {
		case test.missing != "" && (!errors.As(err, &missing) || !strings.Contains(err.Error(), test.missing)):
			t.Errorf("%s: %v", test.env, err)
		case test.missing == "" && (err != nil || l.Python != test.python || l.Odoo != s.path("odoo-bin")):
			t.Errorf("%s: %v, %+v", test.env, err, l)
		}
	}
	missing := (*launch.NotFoundError)(nil)
	if _, err := launch.New(launch.Options{Environ: []string{"ODOO_VENV=/none", "ODOO_PYTHON=other-python", path, "ODOO_BIN=" + s.path("bin")}}); !errors.As(err, &missing) || missing.Variable != "ODOO_BIN" {
		t.Errorf("a directory for odoo-bin: %v", err)
	}
}
