package refresh

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	gmhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html/atom"

	nethtml "golang.org/x/net/html"
)

// hostile is what strangers may write into a commit's title, an author's name
// or a ref. It is the table of the tests below and the seed of the fuzzing.
func hostile() []string {
	return []string{
		// Who would be told, what would be closed or referred to.
		"@org/team @alice, cc @bob", "fixes #1, closes acme/image#2, resolves !3, GH-4, gh-5, JIRA-6, AB2-7, A_B-8",
		"##1 @@a !!2 #!@3", "me@example.org mailto:me@example.org xmpp:me@example.org/x", "acme/image@1601de2198ed",
		// Links.
		"https://evil.example/acme/image/issues/1", "HTTP://EVIL.EXAMPLE www.evil.example WwW.evil.example wwwwww.evil.example", "ftp://a.b :// :///",
		"[a](https://evil.example) ![b](//evil.example/x.png) [c]: /x", "[[a.png]] [[[a|b]]] [[[[", "<https://evil.example> <me@example.org>", "[^1] [x][y] [ ] [x]",
		// Markup.
		"*a* **b** _c_ __d__ ~e~ ~~f~~ `g` ``h`` $i$ $$j$$ ${k} ==l==", "``` fence", "a | b \\| c \\\\| d ||", `trailing \`, `\`, "\\`\\*", "# h", "> q", "- l", "1. l", "---", "===", ": d", "|---|",
		"    code", "\tcode", "a  \nb", "a\r\n\r\n# b\n<div>", "a\n\n</details>\n\nb",
		// HTML.
		"<img src=x onerror=alert(1)>", "</details></td></summary></li></ul></table>", "<script>alert(1)</script>", "<!-- a", "-->", "<!-- odyssey target=0 -->", "&lt;b&gt; &amp; &#60; &#x3c; &nbsp; &", "<a href=\"javascript:alert(1)\">", "<?php ?> <![CDATA[ ]]>",
		// What cannot be seen, and what turns text around.
		"\u202egnitirw\u202c \u2066a\u2069 \u200fb", "a\u200bb\u200c\u200d\ufeff\u00ad\u034f\u115f\u3164\uffa0\u2800\U000e0041", "a\x00b\x1b[31mc\x7f\u0085d\u2028e\u2029f", "\xff\xfe\xed\xa0\x80 \ud7ff \uffff \U0010ffff", "⬆️ done, ✓︎", "z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308",
		"@\ufe0forg #\u200b1 :\ufe0f//a", "\u2800\u2800", "\ufe0f", " ", "",
		// Length.
		strings.Repeat("a", 5000), strings.Repeat("@", 500), strings.Repeat("\u202e", 500), strings.Repeat("&", 119) + "&amp;", strings.Repeat("\\", 121), strings.Repeat("[", 200), strings.Repeat("z\u0301", 100),
	}
}

// M1 and M2: a stranger's line is shown as it is, and does nothing.
func TestFault_M1_M2_Inline(t *testing.T) {
	t.Parallel()
	for _, text := range hostile() {
		checkInline(t, text)
	}
}

func FuzzInline(f *testing.F) {
	for _, text := range hostile() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkInline(t, text) })
}

// tableOf lists the elements of a table of two columns with these in its body.
func tableOf(body ...string) string {
	return strings.Join(append([]string{"table", "thead", "tr", "th", "th", "tbody", "tr"}, body...), " ")
}

// place is where a body shows strangers' text.
type place struct {
	name     string
	source   string // with %s for the text
	elements string // all that it may render to
	texts    int    // how often it shows the text
	escape   func(string) string
}

func places() []place {
	const link = "[`abc1234`](https://git.example/c)"
	return []place{
		{"table cell", "| a | b |\n|---|---|\n| %s | x |\n| y | " + link + " · %s |\n", tableOf("td", "td", "tr", "td", "td", "a", "code"), 2, inline},
		{"list item", "<details><summary>x</summary>\n\n- " + link + " %s · %s\n- last\n\n</details>\n", "details summary ul li a code li", 2, inline},
		{"warning", "⚠️ **%s was set back**: x\n\nNext.\n", "p strong p", 1, inline},
		{"quote", "> x\n>\n> - %s → `abc`\n", "blockquote p ul li code", 1, inline},
		{"code span", "- %s — there is no such destination.\n", "ul li code", 1, Code},
		{"summary", "<details><summary>x of %s</summary>\n\n- y\n\n</details>\n", "details summary ul li", 1, htmlText},
	}
}

func checkInline(t *testing.T, text string) {
	t.Helper()
	if n := utf8.RuneCountInString(visible(text, maxText)); n > maxText {
		t.Errorf("%q: %d characters are shown", text, n)
	}
	for _, p := range places() {
		if p.name == "warning" && visible(text, maxText) == "" {
			continue // **** is no emphasis, and no merge is without a name
		}
		escaped := p.escape(text)
		// The entity is the gap; the source must be inert as if it were one.
		inert(t, p.name+", source", text, strings.ReplaceAll(escaped, "&#8203;", gap))
		args := slices.Repeat([]any{escaped}, p.texts)
		elements, shown, links := render(t, fmt.Sprintf(p.source, args...))
		if elements != p.elements {
			t.Errorf("%s: %q renders to %s\nwant %s\nsource %s", p.name, text, elements, p.elements, escaped)
		}
		if slices.ContainsFunc(links, func(l string) bool { return l != "https://git.example/c" }) {
			t.Errorf("%s: %q links to %q", p.name, text, links)
		}
		inert(t, p.name+", rendered", text, shown)
		if n := strings.Count(squeeze(shown), squeeze(visible(text, maxText))); visible(text, maxText) != "" && n < p.texts {
			t.Errorf("%s: %q is not shown as it is, but %q", p.name, text, shown)
		}
	}
}

// squeeze takes out gaps and white space, which HTML folds.
func squeeze(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, gap, "")), "")
}

// reference matches what forges make a mention, a reference or a link of.
var reference = regexp.MustCompile(`@[\pL\pN_-]|[#!]\d|(?i:\bgh-\d)|\b[A-Z][A-Z0-9_]+-\d|://|(?i:\bwww\.)|\[\[`)

// inert reports references in text, and characters that cannot be seen.
func inert(t *testing.T, where, original, text string) {
	t.Helper()
	for _, found := range reference.FindAllString(text, -1) {
		t.Errorf("%s: %q has %q: %q", where, original, found, text)
	}
	for _, r := range text {
		if r != '\n' && string(r) != gap && (!unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Variation_Selector, r) && r != 0xfe0f) {
			t.Errorf("%s: %q has %U: %q", where, original, r, text)
		}
	}
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList), goldmark.WithRendererOptions(gmhtml.WithUnsafe()))

// render returns the elements that Markdown becomes, in order, its text
// without markup, and the addresses that it links to or loads from. Attributes
// that Markdown's own syntax does not need are an error.
func render(t *testing.T, source string) (elements, text string, links []string) {
	t.Helper()
	var page strings.Builder
	if err := markdown.Convert([]byte(source), &page); err != nil {
		t.Fatal(err)
	}
	var names []string
	var shown strings.Builder
	tokens := nethtml.NewTokenizer(strings.NewReader(page.String()))
	for {
		switch kind := tokens.Next(); kind {
		case nethtml.ErrorToken:
			return strings.Join(names, " "), shown.String(), links
		case nethtml.TextToken:
			shown.WriteString(tokens.Token().Data)
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			token := tokens.Token()
			names = append(names, token.Data)
			for _, a := range token.Attr {
				links = append(links, a.Val)
				if token.DataAtom != atom.A || a.Key != "href" {
					t.Errorf("<%s> has the attribute %s=%q", token.Data, a.Key, a.Val)
				}
			}
		case nethtml.CommentToken, nethtml.DoctypeToken:
			names = append(names, tokens.Token().String())
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"acme 17.0-hotfix-stock":        "acme 17.0-hotfix-stock",
		"odoo saas-17.4":                "odoo saas-17.4",
		"odoo-dev 17.0-opw-4301234-abc": "odoo-dev 17.0-opw-4301234-abc",
		"oca refs/pull/3091/head":       "oca refs/pull/3091/head",
		"./oca/@org/x":                  "./oca/@|org/x",
		"a #12":                         "a #|12",
		"fixes-GH-12":                   "fixes-GH-|12",
		"./x [[y]]":                     "./x [|[y]]",
		"https://a":                     "https:/|/a",
	} {
		if got := strings.ReplaceAll(plain(text), gap, "|"); got != want {
			t.Errorf("plain(%q) = %q, want %q", text, got, want)
		}
	}
}

// M1: what strangers name closes and tells nothing in places where Markdown is
// not rendered either.
func TestFault_M1_Plain(t *testing.T) {
	t.Parallel()
	for _, text := range hostile() {
		if prose := Inline(text); utf8.RuneCountInString(visible(text, maxText)) < maxText && prose != inline(text) {
			t.Errorf("%q is %q, and in prose %q", text, inline(text), prose)
		} else {
			inert(t, "prose", text, strings.ReplaceAll(prose, "&#8203;", gap))
		}
		got := plain(text)
		inert(t, "plain", text, got)
		if strings.ContainsAny(got, "\n\r") {
			t.Errorf("%q has more than one line: %q", text, got)
		}
	}
}

// M2: what cannot be seen is written out, and what is long is cut.
func TestFault_M2_Visible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a \t\n b\u00a0c\u2028d\u3000":          "a b c d",
		"\u202egnp\u202c.exe":                   "U+202EgnpU+202C.exe",
		"a\x00\x1b[31m\x7f":                     "aU+0000U+001B[31mU+007F",
		"a\u200b\u3164\u2800\U000e0041":         "aU+200BU+3164U+2800U+E0041",
		"\xff\xc3(":                             "\ufffd\ufffd(",
		"a\ufe00\u180b\U000e0100":               "aU+FE00U+180BU+E0100",
		"⬆️ ok":                                 "⬆ ok",
		"e\u0301tude, ก็ ó̇":                    "e\u0301tude, ก็ ó̇",
		"z\u0301\u0302\u0303\u0304\u0305\u0306": "z\u0301\u0302\u0303\u0304U+0305U+0306",
		strings.Repeat("x", maxText):            strings.Repeat("x", maxText),
		strings.Repeat("é", maxText+1):          strings.Repeat("é", maxText-1) + "…",
		strings.Repeat("\u202e", 1<<20):         strings.Repeat("U+202E", maxText/6)[:maxText-1] + "…",
		strings.Repeat("\u202e", maxText/6):     strings.Repeat("U+202E", maxText/6),
	} {
		if diff := cmp.Diff(want, visible(text, maxText)); diff != "" {
			t.Errorf("visible(%.40q) (-want +got):\n%s", text, diff)
		}
	}
}
