package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/test/pytools"
)

// recorded is what record.py prints.
type recorded struct {
	Args    []string
	Environ map[string]string
	PID     int
	Config  map[string]map[string]string
	Mode    string
}

const environments = 250

// Environments that are made by chance, each with what must come of it, which
// is told here from the contract and not from the program: a refusal with exit
// code 2 before Odoo starts, or Odoo with a configuration in which Python reads
// just this.
func TestGeneratedEnvironments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "odoo-run")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	refused := 0
	for i := range environments {
		g := newGenerator(t, filepath.Join(dir, fmt.Sprint(i)), uint64(i))
		got, code, said := g.run(t, program)
		if g.refused {
			refused++
		}
		switch {
		case g.refused && (code != 2 || got != nil || said == ""):
			t.Errorf("environment %d: exit code %d, want 2\n%s\n%s", i, code, strings.Join(g.env, "\n"), said)
		case g.refused:
		case code != 0 || got == nil:
			t.Errorf("environment %d: exit code %d\n%s\n%s", i, code, strings.Join(g.env, "\n"), said)
		default:
			g.compare(t, i, got)
		}
		if strings.Contains(said, "canary") || got != nil && strings.Contains(fmt.Sprint(got.Args, got.Environ), "canary") {
			t.Errorf("environment %d: a secret is shown: %s", i, said)
		}
	}
	if refused < environments/5 || refused > environments*4/5 {
		t.Errorf("%d of %d are refused; they show too little", refused, environments)
	}
}

// generator makes one environment.
type generator struct {
	*rand.Rand
	dir      string
	env      []string
	args     []string
	refused  bool
	rendered bool
	want     map[string]map[string]string // the configuration
	files    int
}

func newGenerator(t *testing.T, dir string, seed uint64) *generator {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	record, err := filepath.Abs(filepath.Join("testdata", "record.py"))
	if err != nil {
		t.Fatal(err)
	}
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 6)), dir: dir, want: map[string]map[string]string{"options": {}}}
	g.env = []string{"HOME=" + dir, "ODOO_RUN_PYTHON=" + pytools.Python(t), "ODOO_BIN=" + record, "ODOO_RUNTIME_RC=" + filepath.Join(dir, "run", "odoo.conf")}
	g.base(t)
	texts := []string{"plain", `%;#=,"`, "#x", "a = b", "[options]", "é ü", "%(db_user)s", "$HOME"}
	numbers := []string{"1", "80", "8069", "0010"}
	for _, option := range []string{"db_host", "db_user", "db_name", "dbfilter", "data_dir"} {
		if g.IntN(3) == 0 {
			g.set(option, texts[g.IntN(len(texts))])
		}
	}
	for _, option := range []string{"db_port", "http_port", "gevent_port", "workers", "max_cron_threads"} {
		if g.IntN(3) == 0 {
			g.set(option, numbers[g.IntN(len(numbers))])
		}
	}
	for _, option := range []string{"proxy_mode", "list_db"} {
		if g.IntN(3) == 0 {
			on := g.IntN(2) == 0
			g.set(option, map[bool][]string{true: {"true", "1", "YES", "on"}, false: {"False", "0", "no", "Off"}}[on][g.IntN(4)])
			g.want["options"][option] = map[bool]string{true: "True", false: "False"}[on]
		}
	}
	for _, option := range []string{"db_password", "admin_passwd", "addons_path"} {
		g.secret(t, option)
	}
	if g.IntN(8) == 0 {
		g.bad()
	}
	g.args = [][]string{{}, {"shell", "-d", "x"}, {"-d", "x", "--dev=all"}, {"neutralize", "--stdout"}}[g.IntN(4)]
	return g
}

func variableOf(option string) string {
	if option == "dbfilter" {
		return "ODOO_DBFILTER"
	}
	return "ODOO_" + strings.ToUpper(option)
}

func (g *generator) set(option, value string) {
	g.rendered = true
	g.env = append(g.env, variableOf(option)+"="+value)
	g.want["options"][option] = value
	if value == "0010" {
		g.want["options"][option] = "10"
	}
	if old := map[string]string{"http_port": "xmlrpc_port", "gevent_port": "longpolling_port"}[option]; old != "" {
		delete(g.want["options"], old)
	}
}

func (g *generator) file(t *testing.T, text string) string {
	t.Helper()
	g.files++
	path := filepath.Join(g.dir, fmt.Sprint("file", g.files))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secret sets an option by its variable, by a file, or by both.
func (g *generator) secret(t *testing.T, option string) {
	t.Helper()
	good := []string{"canary", `canary%;#=,"`, "canary = x", "#canary", "canary  x", "canaryé"}
	bad := []string{"canary\nadmin_passwd = x", " canary", "canary ", "None", "False", "\tcanary"}
	value := good[g.IntN(len(good))]
	if g.IntN(12) == 0 {
		value = bad[g.IntN(len(bad))]
	}
	fits := slices.Contains(good, value)
	if option == "addons_path" {
		value = strings.ReplaceAll(value, "canary", "addons") // no secret
	}
	variable := variableOf(option)
	end := []string{"", "\n", "\r\n"}[g.IntN(3)]
	switch g.IntN(6) {
	case 0, 1:
		g.set(option, value)
		g.refused = g.refused || !fits
	case 2, 3:
		g.set(option+"_file", g.file(t, value+end))
		delete(g.want["options"], option+"_file")
		g.want["options"][option] = value
		g.refused = g.refused || !fits
	case 4:
		if g.IntN(4) == 0 {
			g.env = append(g.env, variable+"=canary", variable+"_FILE="+g.file(t, "canary"))
			g.refused = true
		}
	}
}

// base names a base file, or none.
func (g *generator) base(t *testing.T) {
	t.Helper()
	good := []string{
		"; kept\n[options]\nlist_db = True\n; kept\nlog_level = info\n\n[queue_job]\nchannels = root:2\n",
		"[options]\r\nWorkers: 3\r\nxmlrpc_port = 1\r\n",
		"[queue_job]\nchannels = a,\n  b\n[options]\n  limit_time_cpu = 60\n",
		"[options]\nworkers = 1\n[other]\n",
	}
	parsed := []map[string]map[string]string{
		{"options": {"list_db": "True", "log_level": "info"}, "queue_job": {"channels": "root:2"}},
		{"options": {"workers": "3", "xmlrpc_port": "1"}},
		{"options": {"limit_time_cpu": "60"}, "queue_job": {"channels": "a,\nb"}},
		{"options": {"workers": "1"}, "other": {}},
	}
	bad := []string{
		"", "[option]\n", "workers = 1\n", "[options]\na = 1\nA = 2\n", "[options]\n[options]\n", "\ufeff[options]\n", "[options]\nnonsense\n",
		"[options]\ndb_password = canary\n", "[options]\nADMIN_PASSWD: canary\n", "[DEFAULT]\naddons_path = canary\n[options]\n", "[options]\na = \xff\n",
	}
	switch n := g.IntN(8); {
	case n < 4:
		which := g.IntN(len(good))
		g.env = append(g.env, "ODOO_BASE_CONFIG_FILE="+g.file(t, good[which]))
		g.want, g.rendered = parsed[which], true
	case n == 4:
		g.env = append(g.env, "ODOO_BASE_CONFIG_FILE="+g.file(t, bad[g.IntN(len(bad))]))
		g.refused = true
	}
}

// bad adds something that is refused.
func (g *generator) bad() {
	all := []string{
		"ODOO_DB_PASSWORD_FILE=/nonexistent", "ODOO_BASE_CONFIG_FILE=/nonexistent", "ODOO_LIST_DB=maybe", "ODOO_DB_PORT=70000", "ODOO_WORKERS=two",
		"ODOO_ADMIN_PASSWD_FILE=/", "ODOO_ADDONS_PATH_FILE=/dev/null", "ODOO_HTTP_PORT= 80", "ODOO_GENERATE_CONFIG=perhaps", "ODOO_DB_HOST=a\nb",
	}
	add := all[g.IntN(len(all))]
	name, _, _ := strings.Cut(add, "=")
	g.env = slices.DeleteFunc(g.env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	g.env = append(g.env, add)
	g.refused = true
}

// run starts odoo-run as its own program.
func (g *generator) run(t *testing.T, program string) (got *recorded, code int, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, g.args...)
	cmd.Env = g.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if stdout.Len() > 0 {
		got = &recorded{}
		if err := json.Unmarshal(stdout.Bytes(), got); err != nil {
			t.Fatalf("%v: %s", err, stdout.Bytes())
		}
		if got.PID != cmd.Process.Pid {
			t.Errorf("Odoo is process %d and was started as %d", got.PID, cmd.Process.Pid)
		}
	}
	return got, code, stderr.String()
}

func (g *generator) compare(t *testing.T, i int, got *recorded) {
	t.Helper()
	runtime := filepath.Join(g.dir, "run", "odoo.conf")
	args := slices.Clone(g.args)
	want := g.want
	if g.rendered {
		at := 0
		if len(args) > 0 && args[0][0] != '-' {
			at = 1
		}
		args = slices.Insert(args, at, "-c", runtime)
		if got.Mode != "600 700" {
			t.Errorf("environment %d: modes %s", i, got.Mode)
		}
		want["options"] = maps.Clone(want["options"])
		if _, ok := want["options"]["list_db"]; !ok {
			want["options"]["list_db"] = "False"
		}
		if _, ok := want["options"]["admin_passwd"]; !ok {
			drawn := got.Config["options"]["admin_passwd"]
			if len(drawn) < 20 || drawn == "admin" {
				t.Errorf("environment %d: admin_passwd is %q", i, drawn)
			}
			want["options"]["admin_passwd"] = drawn
		}
	} else {
		want = nil
	}
	if diff := cmp.Diff(args, got.Args); diff != "" && len(args)+len(got.Args) > 0 {
		t.Errorf("environment %d: arguments\n%s", i, diff)
	}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("environment %d: configuration\n%s\n%s", i, strings.Join(g.env, "\n"), diff)
	}
}
