package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/odoo/launch"
)

// Exit codes beside those of cli.
const (
	exitIsOdoo     = 3   // odoo-init: the database is one of Odoo
	exitNotEmpty   = 4   // odoo-init: the database has tables
	exitUpdated    = 5   // odoo-update --detailed-exitcode: something was updated
	exitNotFound   = 127 // Odoo or Python is missing
	exitCannotExec = 126 // and this is for one that does not run
)

// app is what the commands share: the outside world, read once.
type app struct {
	stdout, stderr io.Writer
	options        launch.Options
	quiet, check   bool
}

// names are the commands, each a name of the program.
func names() []string {
	return []string{"odoo-run", "odoo-init", "odoo-update", "odoo-shell", "odoo-neutralize"}
}

// command is the command that a name of the program stands for.
func (a *app) command(name string) *cobra.Command {
	var cmd *cobra.Command
	switch name {
	case "odoo-init":
		cmd = a.init()
	case "odoo-update":
		cmd = a.update()
	case "odoo-shell":
		cmd = a.shell()
	case "odoo-neutralize":
		cmd = a.neutralize()
	default:
		cmd = a.odoo()
	}
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stderr)
	cmd.Version = cli.Version()
	cmd.DisableFlagsInUseLine = true
	flags := cmd.Flags()
	flags.BoolVar(&a.check, "check", false, "check the configuration and say what would run; change nothing")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no warnings and no progress")
	return cmd
}

// words puts the program's own flags in front of a --, and what is for Odoo
// behind it. Odoo-run's own stand before the first word for Odoo; with the
// others they may stand anywhere before a --.
func words(cmd *cobra.Command, args []string) []string {
	if cmd.Name() == "odoo-run" && len(args) > 0 && (args[0] == "completion" || strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)) {
		return args
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	var own, rest []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		n := ownWords(cmd, args[i:])
		if n == 0 && cmd.Name() == "odoo-run" {
			rest = append(rest, args[i:]...)
			break
		}
		if n == 0 {
			rest = append(rest, args[i])
			continue
		}
		own = append(own, args[i:i+n]...)
		i += n - 1
	}
	return append(append(own, "--"), rest...)
}

// ownWords is how many words a flag of the command takes at the beginning of
// args; 0 if there is none.
func ownWords(cmd *cobra.Command, args []string) int {
	name, _, hasValue := strings.Cut(args[0], "=")
	flag := cmd.Flags().Lookup(strings.TrimPrefix(name, "--"))
	if !strings.HasPrefix(name, "--") && len(name) == 2 && name[0] == '-' {
		flag = cmd.Flags().ShorthandLookup(name[1:])
	}
	switch {
	case flag == nil || !strings.HasPrefix(name, "-"):
		return 0
	case hasValue || flag.NoOptDefVal != "" || len(args) == 1:
		return 1
	}
	return 2
}

func (a *app) odoo() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "odoo-run [--check] [ODOO_WORD...]",
		Short: "Start Odoo with a configuration made of settings and secrets",
		Long: `Start Odoo with what the environment, the image and secrets say. All words
after odoo-run's own flags are Odoo's; its command, such as shell, comes first.

Odoo takes the place of this process. No secret is in its arguments or its
environment: they are in $ODOO_RUNTIME_RC (/run/odoo/odoo-runtime.conf), which
only its user may read. docs/odoo-run.md tells which variables there are.

The other commands of the family are links to this program: odoo-init,
odoo-update, odoo-shell and odoo-neutralize.`,
		Example: `  ODOO_DB_HOST=db ODOO_DB_PASSWORD_FILE=/run/secrets/db odoo-run -d production
  odoo-run --check
  odoo-run shell -d production
  odoo-run -- --version`,
		Args:      cobra.ArbitraryArgs,
		ValidArgs: []string{"cloc", "db", "neutralize", "populate", "scaffold", "server", "shell"},
		RunE:      func(_ *cobra.Command, args []string) error { return a.replace(args) },
	}
	return cmd
}

func (a *app) shell() *cobra.Command {
	return &cobra.Command{
		Use:   "odoo-shell DB [ODOO_WORD...]",
		Short: "Open a Python shell on a database",
		Long: `Open a Python shell in which env is the environment of a database. A program
that comes in by stdin is run. The configuration is that of odoo-run.`,
		Example: `  odoo-shell production
  echo 'print(env["res.partner"].search_count([]))' | odoo-shell production`,
		Args: databaseArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.replace(append([]string{"shell", "-d", args[0]}, args[1:]...))
		},
	}
}

func (a *app) neutralize() *cobra.Command {
	var stdout bool
	cmd := &cobra.Command{
		Use:   "odoo-neutralize DB [--stdout] [ODOO_WORD...]",
		Short: "Make a copy of a database harmless",
		Long: `Have Odoo (16 or newer) switch off in a database what reaches the world: mail servers,
payment providers, scheduled actions. With --stdout the SQL is printed instead.
The configuration is that of odoo-run.`,
		Example: `  odoo-neutralize staging
  odoo-neutralize staging --stdout > neutralize.sql`,
		Args: databaseArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			words := []string{"neutralize", "-d", args[0]}
			if stdout {
				words = append(words, "--stdout")
			}
			return a.replace(append(words, args[1:]...))
		},
	}
	cmd.Flags().BoolVar(&stdout, "stdout", false, "print the SQL, and run none of it")
	return cmd
}

// launch finds out how Odoo is to be started, and says what is to be said.
func (a *app) launch() (*launch.Launch, error) {
	l, err := launch.New(a.options)
	if err != nil {
		return nil, coded(err)
	}
	if !a.quiet {
		for _, warning := range l.Warnings {
			fmt.Fprintf(a.stderr, "warning: %s\n", warning)
		}
	}
	return l, nil
}

// replace has Odoo take the place of this process.
func (a *app) replace(args []string) error {
	l, err := a.launch()
	if err != nil {
		return err
	}
	argv, err := l.Argv(args...)
	if err != nil {
		return coded(err)
	}
	if a.check {
		return a.say(l, argv)
	}
	if err := l.Write(); err != nil {
		return err
	}
	if err := syscall.Exec(argv[0], argv, l.Environ()); err != nil {
		return &cli.ExitError{Code: exitCannotExec, Err: fmt.Errorf("run %s: %w", argv[0], err)}
	}
	return nil
}

// say tells what would be done.
func (a *app) say(l *launch.Launch, commands ...[]string) error {
	if err := l.Check(); err != nil {
		return err
	}
	var b strings.Builder
	switch {
	case l.Config == "":
		b.WriteString("config: none\n")
	case !l.Renders():
		fmt.Fprintf(&b, "config: %s, as it is\n", l.Config)
	case l.Base == "":
		fmt.Fprintf(&b, "config: %s, rendered\n", l.Config)
	default:
		fmt.Fprintf(&b, "config: %s, rendered into a copy of %s\n", l.Config, l.Base)
	}
	for _, v := range l.Values {
		fmt.Fprintf(&b, "  %-36s  %s\n", v.Option+" = "+v.Text, v.Source)
	}
	for _, argv := range commands {
		b.WriteString("run: " + strings.Join(quoted(argv), " ") + "\n")
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

// quoted are words as a shell takes them.
func quoted(argv []string) []string {
	var all []string
	for _, word := range argv {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool {
			return !strings.ContainsRune("%+,-./:=@_", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		all = append(all, word)
	}
	return all
}

// coded gives errors of settings and missing programs their exit codes.
func coded(err error) error {
	missing := (*launch.NotFoundError)(nil)
	if errors.As(err, &missing) {
		return &cli.ExitError{Code: exitNotFound, Err: err}
	}
	setting := (*launch.SettingError)(nil)
	if errors.As(err, &setting) {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	return err
}

// databaseArgs wants a database's name first.
func databaseArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Usagef("%s needs the name of a database\n  see: %s --help", cmd.Name(), cmd.Name())
	}
	return checkDatabase(args[0])
}

// checkDatabase refuses what Odoo takes for something else than one database.
func checkDatabase(name string) error {
	bad := strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`,/\'"`, r) })
	const most = 63 // bytes of a name in PostgreSQL
	if name == "" || len(name) > most || bad || name[0] == '-' || strings.TrimSpace(name) != name || slices.Contains([]string{"None", "True", "False"}, name) {
		return cli.Usagef("%q is no name of a database", name)
	}
	return nil
}
