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
	return markup.Replace(htmlText(text))
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
	return text
}

var (
	mention = regexp.MustCompile(`([@#!])`)
	ticket  = regexp.MustCompile(`([A-Za-z])-([0-9])`) // GH-1, JIRA-1
	address = regexp.MustCompile(`(?i)(:/|www)`)       // https://…, www.…
)

// visible cuts text at maxText characters, folds white space, and writes
// characters that cannot be seen as U+XXXX.
func visible(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	var b strings.Builder
	count := 0
	for _, r := range text {
		if count++; count > maxText {
			b.WriteString("…")
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "U+%04X", r)
		}
	}
	return b.String()
}
