package conf

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// line is a line of a file and what ends it: \n, \r\n, \r, or nothing at the
// end of the file.
type line struct{ text, end string }

// splitLines separates lines where Python does when it reads text.
func splitLines(text string) []line {
	var lines []line
	for text != "" {
		at := strings.IndexAny(text, "\r\n")
		if at < 0 {
			return append(lines, line{text: text})
		}
		end := text[at : at+1]
		if strings.HasPrefix(text[at:], "\r\n") {
			end = "\r\n"
		}
		lines = append(lines, line{text[:at], end})
		text = text[at+len(end):]
	}
	return lines
}

// isSpace is Python's str.isspace, which also takes the separators of ASCII.
func isSpace(r rune) bool { return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r) }

// Strip is Python's str.strip: s without the spaces at its ends. A value that it
// changes cannot stand in a file.
func Strip(s string) string { return strip(s) }

// strip is Python's str.strip.
func strip(s string) string { return strings.TrimFunc(s, isSpace) }

// indent returns what stands before a line's text, and how many characters
// that are.
func indent(s string) (text string, width int) {
	text = s[:len(s)-len(strings.TrimLeftFunc(s, isSpace))]
	return text, utf8.RuneCountInString(text)
}

// lower is Python's str.lower.
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return cases.Lower(language.Und).String(s)
		}
	}
	return strings.ToLower(s)
}
