// Package cli is what the commands have in common: exit codes, errors,
// logging, version and output.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Exit codes that every command shares.
const (
	ExitDone    = 0
	ExitFailed  = 1
	ExitInvalid = 2 // wrong usage or invalid input
)

// ExitError ends a command with a code of its own. Err may be nil when there
// is nothing to say.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// Usagef is an error about how a command was called.
func Usagef(format string, args ...any) error {
	return &ExitError{Code: ExitInvalid, Err: fmt.Errorf(format, args...)}
}

// Run runs a command with its arguments, prints its error to stderr and
// returns the exit code.
func Run(cmd *cobra.Command, args []string, stderr io.Writer) int {
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return Usagef("%w\n  see: %s --help", err, c.CommandPath())
	})
	err := cmd.Execute()
	if err == nil {
		return ExitDone
	}
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	exit := (*ExitError)(nil)
	if silent := errors.As(err, &exit) && exit.Err == nil; !silent {
		PrintError(stderr, err)
	}
	return Code(err)
}

// errInterrupted: a signal ended the command, which put things in order first.
var errInterrupted = errors.New("interrupted")

// outOfReach is an error that says that something else failed, whatever other
// errors it wraps, and invalidInput one that the user can mend. The rooms that
// have such errors are not imported: each program links only its own.
type (
	outOfReach   interface{ OutOfReach() }
	invalidInput interface{ InvalidInput() }
)

// Code is the exit code of an error.
func Code(err error) int {
	exit, fault := (*ExitError)(nil), (*yamldoc.Error)(nil)
	var remote outOfReach
	var input invalidInput
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &remote):
		return ExitFailed
	case errors.As(err, &fault), errors.As(err, &input), strings.HasPrefix(err.Error(), "unknown command"):
		return ExitInvalid
	}
	return ExitFailed
}

// NoteError adds a line to an error that may be several joined ones.
type NoteError struct {
	Err  error
	Note string
}

func (e *NoteError) Error() string { return e.Err.Error() + "\n  " + e.Note }

func (e *NoteError) Unwrap() error { return e.Err }

// PrintError prints an error; joined ones each under a heading of their own.
func PrintError(w io.Writer, err error) {
	if exit, ok := err.(*ExitError); ok && exit.Err != nil { //nolint:errorlint // only the outermost is laid out
		err = exit.Err
	}
	if note, ok := err.(*NoteError); ok { //nolint:errorlint // only the outermost is laid out
		PrintError(w, note.Err)
		fmt.Fprintf(w, "  %s\n", note.Note)
		return
	}
	for _, e := range Each(err) {
		fmt.Fprintf(w, "error: %s\n", strings.TrimRight(e.Error(), "\n"))
	}
}

// Each returns the errors that errors.Join made one of, or err alone; none
// for nil.
func Each(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || fmt.Sprintf("%T", err) != "*errors.joinError" {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, Each(e)...)
	}
	return all
}

// Args wraps a check of the number of arguments so that its errors are wrong
// usage, and say what to write.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			_, form, _ := strings.Cut(cmd.Use, " ")
			switch {
			case cmd.HasSubCommands(): // cobra knows the near names
				return Usagef("%w\n  see: %s --help", err, cmd.CommandPath())
			case form == "":
				return Usagef("%s takes no arguments\n  see: %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return Usagef("%d arguments are too few or too many; write: %s %s\n  see: %s --help", len(args), cmd.CommandPath(), form, cmd.CommandPath())
		}
		return nil
	}
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// PrintJSON prints a value for machines.
func PrintJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// Parent makes a command of one that only holds others: without more words it
// prints its help, and a word that is none of its commands is wrong usage.
func Parent(cmd *cobra.Command) *cobra.Command {
	cmd.Args = Args(cobra.NoArgs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}
