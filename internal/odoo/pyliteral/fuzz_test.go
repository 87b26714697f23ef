package pyliteral_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/nuobit/odyssey/internal/odoo/pyliteral"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// FuzzParse: an error has a line of the file, and a value is one that can be
// written down.
func FuzzParse(f *testing.F) {
	for _, group := range literals() {
		for _, literal := range group {
			f.Add([]byte(literal))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := pyliteral.Parse("m.py", data)
		fault := (*yamldoc.Error)(nil)
		switch {
		case errors.As(err, &fault):
			lines := 1 + bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r"))
			if fault.Line < 1 && len(data) <= pyliteral.MaxSize || fault.Line > lines {
				t.Errorf("line %d of %d: %v", fault.Line, lines, err)
			}
		case err != nil:
			t.Errorf("%v is no *yamldoc.Error", err)
		default:
			_ = text(canonical(v)) // panics on a value of no known type
		}
	})
}
