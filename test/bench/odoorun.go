package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/odoo/conf"
	"github.com/nuobit/odyssey/test/setup"
)

// What is asked for, and how often each is started.
const (
	startTime   = 10 * time.Millisecond
	startRatio  = 10.0
	startRounds = 101
)

// renderScript does what odoo-run does, as one would without it. It trusts what
// it is given.
const renderScript = `#!/usr/bin/env bash
set -euo pipefail
if [[ -n ${ODOO_DB_PASSWORD:-} && -n ${ODOO_DB_PASSWORD_FILE:-} ]]; then
    echo 'set one of ODOO_DB_PASSWORD and ODOO_DB_PASSWORD_FILE' >&2
    exit 2
fi
install -d -m 700 "${ODOO_RUNTIME_RC%/*}"
umask 077
"$RENDER_PYTHON" -I - <<'END'
import configparser, os, sys

env = os.environ
parser = configparser.RawConfigParser()
parser.optionxform = str.lower
with open(env["ODOO_BASE_CONFIG_FILE"], encoding="utf-8") as base:
    parser.read_file(base)
options = parser["options"]

def secret(name):
    if env.get(name + "_FILE"):
        with open(env[name + "_FILE"], encoding="utf-8") as text:
            return text.read().rstrip("\n")
    return env.get(name)

values = {
    "addons_path": secret("ODOO_ADDONS_PATH"), "admin_passwd": secret("ODOO_ADMIN_PASSWD"), "db_host": env.get("ODOO_DB_HOST"),
    "db_user": env.get("ODOO_DB_USER"), "db_password": secret("ODOO_DB_PASSWORD"), "workers": env.get("ODOO_WORKERS"),
}
for name, value in values.items():
    if value:
        options[name] = value
temporary = env["ODOO_RUNTIME_RC"] + ".new"
with open(temporary, "w", encoding="utf-8") as text:
    parser.write(text)
os.rename(temporary, env["ODOO_RUNTIME_RC"])
END
exec "$ODOO_RUN_PYTHON" "$ODOO_BIN" -c "$ODOO_RUNTIME_RC" "$@"
`

const benchBase = `; production
[options]
list_db = False
proxy_mode = True
limit_time_cpu = 600
limit_time_real = 1200
log_level = info

[queue_job]
channels = root:2,root.mail:1
`

// odooRun starts both with the same environment. In the place of Python stands
// true; how long that takes when it is started alone is taken off.
func (s *suite) odooRun(ctx context.Context) error {
	r, err := newStarter(ctx, filepath.Join(s.dir, "odoo-run"))
	if err != nil {
		return err
	}
	var alone, ours, script []time.Duration
	for range startRounds {
		for _, c := range []struct {
			took *[]time.Duration
			argv []string
		}{{&alone, []string{r.target, "odoo-bin", "-c", "x"}}, {&ours, []string{r.program}}, {&script, []string{r.script}}} {
			took, err := r.start(ctx, c.argv)
			if err != nil {
				return err
			}
			*c.took = append(*c.took, took)
		}
		// Each time there is something to write.
		if err := errors.Join(os.RemoveAll(r.runtime("ours")), os.RemoveAll(r.runtime("script"))); err != nil {
			return err
		}
	}
	off := median(alone)
	own, other := median(ours)-off, median(script)-off
	ratio := float64(other) / float64(own)
	fmt.Printf("  bash and Python, start to exec         %8.1f ms\n", milliseconds(other))
	fmt.Printf("  odoo-run, start to exec                %8.1f ms (asked: less than %v; true alone took %.1f ms)\n", milliseconds(own), startTime, milliseconds(off))
	fmt.Printf("  ratio                                  %8.1f times faster (asked: %g)\n", ratio, startRatio)
	if own >= startTime {
		err = fmt.Errorf("odoo-run takes %v from start to exec, asked is less than %v", own, startTime)
	}
	if ratio < startRatio {
		err = errors.Join(err, fmt.Errorf("odoo-run is %.1f times faster, asked are %g", ratio, startRatio))
	}
	return errors.Join(err, r.same(ctx))
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// starter is a directory with what an image has.
type starter struct{ dir, program, script, target, python string }

func newStarter(ctx context.Context, dir string) (*starter, error) {
	tools, err := setup.Part("pytools", "pytools")
	if err != nil {
		return nil, err
	}
	r := &starter{dir: dir, program: filepath.Join(dir, "odoo-run"), script: filepath.Join(dir, "odoo-run.sh"), python: filepath.Join(tools, "bin", "python")}
	if r.target, err = exec.LookPath("true"); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "make", "odoo-run", "ODOO_RUN="+r.program).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build odoo-run: %w\n%s", err, out)
	}
	for name, text := range map[string]string{
		"base.conf": benchBase, "odoo-bin": "", "db-password": "s3cret\n", "admin-password": "%;#=\n", "addons_path": dir + "\n", "odoo-run.sh": renderScript,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// runtime is the directory into which one of them renders.
func (r *starter) runtime(who string) string { return filepath.Join(r.dir, "run-"+who) }

// start runs one of them to its end.
func (r *starter) start(ctx context.Context, argv []string) (time.Duration, error) {
	who := "ours"
	if argv[0] == r.script {
		who = "script"
	}
	in := func(name string) string { return filepath.Join(r.dir, name) }
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "RENDER_PYTHON=" + r.python, "ODOO_RUN_PYTHON=" + r.target, "ODOO_BIN=" + in("odoo-bin"),
		"ODOO_RUNTIME_RC=" + filepath.Join(r.runtime(who), "odoo.conf"), "ODOO_BASE_CONFIG_FILE=" + in("base.conf"), "ODOO_DB_HOST=db", "ODOO_DB_USER=odoo",
		"ODOO_WORKERS=4", "ODOO_DB_PASSWORD_FILE=" + in("db-password"), "ODOO_ADMIN_PASSWD_FILE=" + in("admin-password"), "ODOO_ADDONS_PATH_FILE=" + in("addons_path"),
	}
	var said strings.Builder
	cmd.Stderr = &said
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", argv[0], err, said.String())
	}
	return time.Since(begun), nil
}

// same checks that both have rendered the same options.
func (r *starter) same(ctx context.Context) error {
	var texts []string
	for _, who := range []string{"ours", "script"} {
		program := map[string]string{"ours": r.program, "script": r.script}[who]
		if _, err := r.start(ctx, []string{program}); err != nil {
			return err
		}
		file, err := conf.ReadFile(filepath.Join(r.runtime(who), "odoo.conf"))
		if err != nil {
			return err
		}
		var lines []string
		for _, section := range file.Sections() {
			for _, o := range file.Options(section) {
				lines = append(lines, section+" "+o.Name+" = "+o.Value)
			}
		}
		slices.Sort(lines)
		texts = append(texts, strings.Join(lines, "\n"))
	}
	if texts[0] != texts[1] {
		return fmt.Errorf("they have rendered different options:\n%s\n\n%s", texts[0], texts[1])
	}
	return nil
}
