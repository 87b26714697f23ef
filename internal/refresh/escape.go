package refresh

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// How many characters of a stranger's line are shown: in what a pull request
// lists, and where the line is what the matter is about.
const (
	maxText  = 120
	maxProse = 500
)

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

// Inline makes a stranger's line safe as a pull request's text does, up to 500
// characters of it.
func Inline(text string) string {
	return lineStart.ReplaceAllString(markup.Replace(html.Replace(unlinked(visible(text, maxProse)))), `$1\$2$3`)
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
func plain(text string) string { return unlinked(visible(text, maxText)) }

// unlinked breaks what a forge would make a link or a reference of.
func unlinked(text string) string {
	text = mention.ReplaceAllString(text, "$1"+gap)
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

// visible cuts text at so many characters, folds white space, and writes
// characters that cannot be seen, or that pile up, as U+XXXX.
func visible(text string, most int) string {
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
		if len(shown) > most {
			return string(shown[:most-1]) + "…"
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

// Code makes a code span of a stranger's line, as safe as Inline is.
func Code(text string) string {
	text = plain(text)
	longest, run := 0, 0
	for _, r := range text {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if text == "" || strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// Link links Markdown text to a page of a forge, if url is the address of one.
func Link(text, url string) string {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsFunc(url, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("()<>[]\\`|\"", r)
	}) {
		return text
	}
	return "[" + text + "](" + url + ")"
}
