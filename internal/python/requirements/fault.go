package requirements

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// fault is an error at a line of a file.
type fault struct {
	line int
	err  error
}

// advice is an error with what to do next.
type advice struct{ msg, hint string }

func (a *advice) Error() string { return a.msg }

func advise(msg, hint string) error { return &advice{msg, hint} }

// at returns err as an error of a file's line.
func at(path string, line int, err error) error {
	var located *yamldoc.Error
	if errors.As(err, &located) {
		return err
	}
	e := &yamldoc.Error{Path: path, Line: line, Msg: err.Error()}
	var a *advice
	if errors.As(err, &a) {
		e.Hint = a.hint
	}
	return e
}

const (
	maxFaults = 20 // that are reported together
	maxQuoted = 80 // bytes of a line that an error shows
)

// quoted is text for an error, cut and without credentials.
func quoted(text string) string {
	text = gitname.Redact(text)
	if len(text) > maxQuoted {
		text = strings.ToValidUTF8(text[:maxQuoted], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
