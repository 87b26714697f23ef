package requirements

import (
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
)

// LineOf returns the number of the line of a requirements file that names a
// package (normalised), from 1; 0 when none does. Lines that cannot be read count
// for nothing.
func LineOf(data []byte, name string) int {
	text, _ := decode(data)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		if r, err := pep508.Parse(strings.TrimSpace(line)); err == nil && r.Normalized == name {
			return n
		}
	}
	return 0
}
