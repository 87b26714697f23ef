package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nuobit/odyssey/test/clitest"
	"github.com/nuobit/odyssey/test/postgrestest"
	"github.com/nuobit/odyssey/test/pytools"
)

func TestMain(m *testing.M) {
	commands := map[string]func(){}
	for _, name := range names() {
		commands[name] = main
	}
	testscript.Main(withPostgres{m}, commands)
}

// withPostgres stops the server that the tests have used.
type withPostgres struct{ m *testing.M }

func (w withPostgres) Run() int { return postgrestest.Main(w.m) }

// TestScript runs testdata/script/*.txtar. $PYTHON is a Python, and $RECORD an
// odoo-bin that prints what it was given.
func TestScript(t *testing.T) {
	t.Parallel()
	record, err := filepath.Abs(filepath.Join("testdata", "record.py"))
	if err != nil {
		t.Fatal(err)
	}
	clitest.Scripts(t, "testdata/script", map[string]string{
		"PYTHON": pytools.Python(t), "RECORD": record, "ODOO_RUN_PYTHON": pytools.Python(t), "ODOO_BIN": record, "PATH": os.Getenv("PATH"),
	}, map[string]clitest.Command{"powerless": powerless})
}

// powerless runs a program that must exit with N, without root's right to read
// every file.
func powerless(ts *testscript.TestScript, neg bool, args []string) {
	clitest.Need(ts, neg, len(args) > 1, "powerless N COMMAND...")
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	if os.Geteuid() == 0 {
		args = append([]string{"setpriv", "--bounding-set=-dac_override,-dac_read_search"}, args...)
	}
	err = ts.Exec(args[0], args[1:]...)
	code := 0
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != n {
		ts.Fatalf("exit code %d, want %d\n%s", code, n, ts.ReadFile("stderr"))
	}
}
