package cli_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

var (
	errPlain  = errors.New("plain")
	errFault  = &yamldoc.Error{Path: "f.yaml", Line: 3, Msg: "is wrong", Hint: "mend it"}
	errName   = &lock.NameError{Kind: "destination", Name: "./odo", Near: []string{"./odoo"}, All: []string{"./odoo", "./web"}}
	errRemote = &lock.RemoteError{Path: "repos.yaml", Line: 4, Name: "odoo", Err: errPlain}
)

func TestCode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  error
		want int
	}{
		{"none", nil, cli.ExitDone},
		{"any", errPlain, cli.ExitFailed},
		{"usage", cli.Usagef("no %s", "such"), cli.ExitInvalid},
		{"a fault in a file", errFault, cli.ExitInvalid},
		{"a wrapped fault", fmt.Errorf("plan: %w", errFault), cli.ExitInvalid},
		{"a name", errName, cli.ExitInvalid},
		{"a remote", errRemote, cli.ExitFailed},
		{"a remote beside a fault", errors.Join(errFault, errRemote), cli.ExitFailed},
		{"faults with a note", &cli.NoteError{Err: errors.Join(errFault, errFault), Note: "x"}, cli.ExitInvalid},
		{"a code of its own", &cli.ExitError{Code: 5}, 5},
		{"a wrapped code", fmt.Errorf("x: %w", &cli.ExitError{Code: 5, Err: errPlain}), 5},
		{"cancelled", context.Canceled, cli.ExitFailed},
	} {
		if got := cli.Code(test.err); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestPrintError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", errPlain, "error: plain\n"},
		{"with a hint", errFault, "error: f.yaml:3: is wrong\n  mend it\n"},
		{"a name", errName, "error: there is no destination ./odo\n  near: ./odoo\n  all: ./odoo, ./web\n"},
		{"several", errors.Join(errFault, errors.Join(errPlain, errRemote)), "error: f.yaml:3: is wrong\n  mend it\nerror: plain\nerror: repos.yaml:4: remote odoo: plain\n"},
		{"several with a note", &cli.NoteError{Err: errors.Join(errFault, errPlain), Note: "the lock was not changed"}, "error: f.yaml:3: is wrong\n  mend it\nerror: plain\n  the lock was not changed\n"},
		{"two causes are one error", fmt.Errorf("%w and %w", errPlain, errPlain), "error: plain and plain\n"},
	} {
		var b strings.Builder
		cli.PrintError(&b, test.err)
		if b.String() != test.want {
			t.Errorf("%s\ngot  %q\nwant %q", test.name, b.String(), test.want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	note := &cli.NoteError{Err: errFault, Note: "nothing was written"}
	if got := note.Error(); got != "f.yaml:3: is wrong\n  mend it\n  nothing was written" || !errors.Is(note, errFault) {
		t.Errorf("got %q", got)
	}
	if got := (&cli.ExitError{Code: 3}).Error(); got != "exit code 3" {
		t.Errorf("got %q", got)
	}
	if err := cli.Usagef("no: %w", errPlain); err.Error() != "no: plain" || !errors.Is(err, errPlain) {
		t.Errorf("got %v", err)
	}
	if got := cli.Each(nil); got != nil {
		t.Errorf("got %v", got)
	}
}

// command has a flag, one argument, and an end of its own.
func command(end error) *cobra.Command {
	root := &cobra.Command{Use: "tool"}
	root.PersistentFlags().Int("n", 0, "a number")
	root.AddCommand(&cobra.Command{
		Use: "sub [X]", Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(*cobra.Command, []string) error { return end },
	})
	return root
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		args   []string
		end    error
		code   int
		stderr string
	}{
		{"done", []string{"sub"}, nil, 0, ""},
		{"failed", []string{"sub"}, errPlain, 1, "error: plain\n"},
		{"nothing to say", []string{"sub"}, &cli.ExitError{Code: 3}, 3, ""},
		{"a code and words", []string{"sub"}, &cli.ExitError{Code: 4, Err: errPlain}, 4, "error: plain\n"},
		{"unknown flag", []string{"sub", "--x"}, nil, 2, "error: unknown flag: --x\n  see: tool sub --help\n"},
		{"bad value", []string{"sub", "--n", "x"}, nil, 2, "error: invalid argument \"x\" for \"--n\" flag: strconv.ParseInt: parsing \"x\": invalid syntax\n  see: tool sub --help\n"},
		{"too many arguments", []string{"sub", "a", "b"}, nil, 2, "error: 2 arguments are too few or too many; write: tool sub [X]\n  see: tool sub --help\n"},
		{"unknown command", []string{"sup"}, nil, 2, "error: unknown command \"sup\" for \"tool\"\n\nDid you mean this?\n\tsub\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var stderr strings.Builder
			if code := cli.Run(command(test.end), test.args, &stderr); code != test.code || stderr.String() != test.stderr {
				t.Errorf("got  %d, %q\nwant %d, %q", code, stderr.String(), test.code, test.stderr)
			}
		})
	}
}

func TestLogFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string // what is left of a debug, an info and an error line
	}{
		{nil, "info,error"},
		{[]string{"--log-level", "debug"}, "debug,info,error"},
		{[]string{"--log-level", "ERROR"}, "error"},
		{[]string{"-q"}, "error"},
		{[]string{"--quiet", "--log-level", "debug"}, "error"},
		{[]string{"--log-format", "json"}, "info,error"},
	} {
		var flags cli.LogFlags
		cmd := &cobra.Command{Use: "tool", Run: func(*cobra.Command, []string) {}}
		flags.Register(cmd)
		cmd.SetArgs(test.args)
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		log, err := flags.Logger(&b)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("debug")
		log.Info("info")
		log.Error("error", "repo", "a b")
		pattern := `msg=(\w+)`
		if flags.Format == "json" {
			pattern = `"msg":"(\w+)"`
		}
		var got []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(b.String(), -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, ",") != test.want {
			t.Errorf("%q: got %q", test.args, b.String())
		}
	}
	for _, flags := range []cli.LogFlags{{Format: "text", Level: "loud"}, {Format: "xml", Level: "info"}} {
		if _, err := flags.Logger(os.Stderr); cli.Code(err) != cli.ExitInvalid {
			t.Errorf("%+v: %v", flags, err)
		}
	}
}

// answers is a resolver that does not ask.
type answers struct{}

func (answers) Resolve(context.Context, string, []string) (map[string]string, error) {
	return map[string]string{"a": "b"}, nil
}

func (answers) Refs(context.Context, string) ([]string, error) { return []string{"x"}, nil }

func TestProgress(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := cli.NewProgress(answers{}, &b, false)
	if got, err := p.Resolve(t.Context(), "u", nil); err != nil || got["a"] != "b" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := p.Refs(t.Context(), "u"); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	p.Finish()
	if b.Len() > 0 {
		t.Errorf("no terminal, and it printed %q", b.String())
	}
}

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if cli.IsTerminal(file) || cli.IsTerminal(&strings.Builder{}) {
		t.Error("neither a file nor a buffer is a terminal")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if got := cli.Version(); !regexp.MustCompile(`^\S+ \(commit \S+, go1\.\S+\)$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}
