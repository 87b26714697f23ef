package pep508

import (
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Error is a fault at a place of a requirement or marker.
type Error struct {
	Text   string // all that was parsed
	Offset int    // in bytes of Text
	Msg    string
}

const maxShown = 40 // bytes of the text that an error shows

func (e *Error) Error() string {
	rest := strings.TrimSpace(e.Text[min(e.Offset, len(e.Text)):])
	place := "at the end"
	if rest != "" {
		// Redact first: a cut credential is not found any more.
		place = "before " + quote(gitname.Redact(rest))
	}
	return fmt.Sprintf("%s, %s (column %d)", e.Msg, place, e.Offset+1)
}

func quote(text string) string {
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
