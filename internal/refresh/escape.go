package refresh

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// maxText is how many characters of a stranger's line are shown.
const maxText = 120

// inline makes a stranger's line safe inside Markdown on any forge: one line,
// no markup, no HTML, nobody mentioned, no issue referenced or closed, nothing
// linked, and characters that hide or reorder text made visible.
func inline(text string) string {
	return lineStart.ReplaceAllString(markup.Replace(htmlText(text)), `$1\$2$3`)
}

// htmlText is inline for places where HTML is read but Markdown is not.
func htmlText(text string) string {
	return html.Replace(plain(text))
}

var (
	html   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", gap, "&#8203;")
	markup = strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "~", `\~`, "$", `\$`, "{", `\{`, "}", `\}`,
	)
	lineStart = regexp.MustCompile(`^(?:([0-9]+)([.)])|([-+=:]))`) // of lists, headings and the like
)

// gap is a zero-width space. Some forges look for references in the source of
// a text and some in what it renders to; a gap inside them stops both.
const gap = "\u200b"

// plain makes a line safe where Markdown is not rendered but references are
// found: titles and commit messages.
func plain(text string) string {
	text = mention.ReplaceAllString(visible(text), "$1"+gap)
	text = ticket.ReplaceAllString(text, "$1-"+gap+"$2")
	text = address.ReplaceAllString(text, "$1"+gap)
	for range 2 { // the brackets of a pair may each begin another one
		text = strings.ReplaceAll(text, "[[", "["+gap+"[")
	}
	return text
}

var (
	mention = regexp.MustCompile(`([@#!])`)
	// GH-1, JIRA-1, AB2-1; not saas-17.4, which people copy.
	ticket  = regexp.MustCompile(`([A-Z][A-Z0-9_]*|[Gg][Hh])-([0-9])`)
	address = regexp.MustCompile(`(?i)(:/|www)`) // https://…, www.…
)

// visible cuts text at maxText characters, folds white space, and writes
// characters that cannot be seen, or that pile up, as U+XXXX.
func visible(text string) string {
	var shown []rune
	space, marks := false, 0
	for _, r := range text {
		if unicode.IsSpace(r) {
			space = len(shown) > 0
			continue
		}
		if space {
			shown, space = append(shown, ' '), false
		}
		if marks++; !unicode.IsMark(r) {
			marks = 0
		}
		switch {
		case r == 0xfe0e, r == 0xfe0f: // choose between a black and a coloured emoji
		case hidden(r), marks > maxMarks:
			shown = append(shown, []rune(fmt.Sprintf("U+%04X", r))...)
		default:
			shown = append(shown, r)
		}
		if len(shown) > maxText {
			return string(shown[:maxText-1]) + "…"
		}
	}
	return string(shown)
}

// maxMarks is how many accents and the like one character may carry; more of
// them cover the lines above and below.
const maxMarks = 4

// hidden reports whether r shows nothing, or changes how others show: what
// Unicode calls default ignorable, and blanks that it does not call white space.
func hidden(r rune) bool {
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		strings.ContainsRune("\u2800\U00016fe4\U0001d159", r)
}
