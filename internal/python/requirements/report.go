package requirements

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Text is a requirements file for pip or uv: the options, then a line for
// each of Lines. It names no file and no directory. "" when there is nothing.
func (result *Result) Text() string {
	var b strings.Builder
	for _, o := range result.Options {
		b.WriteString(o.Text + "\n")
	}
	for _, line := range result.Lines {
		b.WriteString(line.Text + "\n")
	}
	return b.String()
}

// ConstraintsText is a constraints file. "" when there is nothing.
func (result *Result) ConstraintsText() string {
	var b strings.Builder
	for _, line := range result.Constraints {
		b.WriteString(line.Text + "\n")
	}
	return b.String()
}

// Markdown reports what was decided, for a pull request or a job's summary.
func (result *Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Python requirements%s\n\n", forPython(result.python))
	fmt.Fprintf(&b, "Active: %s, %s, %s.", count(len(result.Lines), "requirement"), count(len(result.Constraints), "constraint"), count(len(result.Options), "option"))
	if len(result.Dropped)+len(result.Replaced)+len(result.Bounding) == 0 {
		b.WriteString(" No marker is false, nothing is overridden.\n")
	} else {
		b.WriteString("\n")
	}
	if len(result.Replaced) > 0 {
		t := table{title: "Replaced by an override", head: []string{"was", "at", "is", "by"}}
		for _, r := range result.Replaced {
			was := r.Old.short()
			if r.Constraint {
				was += " (constraint)"
			}
			t.rows = append(t.rows, []string{was, r.Old.String(), r.New.short(), r.New.String()})
		}
		t.write(&b)
	}
	if len(result.Bounding) > 0 {
		t := table{title: "Overrides that no requirement names; they hold as constraints for what others need", head: []string{"override", "at"}}
		for _, line := range result.Bounding {
			t.rows = append(t.rows, []string{line.short(), line.String()})
		}
		t.write(&b)
	}
	if len(result.Dropped) > 0 {
		t := table{title: "Left out, as the marker is false", head: []string{"requirement", "marker", "at"}, folded: true}
		for _, line := range result.Dropped {
			t.rows = append(t.rows, []string{line.short(), line.Marker, line.String()})
		}
		t.write(&b)
	}
	if len(result.Lines) > 0 {
		t := table{title: "Kept", head: []string{"requirement", "at"}, folded: true}
		for _, line := range result.Lines {
			t.rows = append(t.rows, []string{line.short(), line.String()})
		}
		t.write(&b)
	}
	return b.String()
}

func forPython(version string) string {
	if version == "" {
		return ""
	}
	return " for Python " + escape(version)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// short is a line without its hashes and settings.
func (l Line) short() string {
	text, _, _ := strings.Cut(l.Text, " --hash=")
	return text
}

// table is one of code spans.
type table struct {
	title  string
	head   []string
	rows   [][]string
	folded bool
}

func (t table) write(b *strings.Builder) {
	if t.folded {
		fmt.Fprintf(b, "\n<details><summary>%s: %d</summary>\n\n", t.title, len(t.rows))
	} else {
		fmt.Fprintf(b, "\n%s:\n\n", t.title)
	}
	b.WriteString("| " + strings.Join(t.head, " | ") + " |\n|" + strings.Repeat("---|", len(t.head)) + "\n")
	for _, row := range t.rows {
		for _, cell := range row {
			b.WriteString("| `" + escape(cell) + "` ")
		}
		b.WriteString("|\n")
	}
	if t.folded {
		b.WriteString("\n</details>\n")
	}
}

const (
	maxCell = 120
	gap     = "\u200b" // forges look for references in what a text renders to; a gap in them stops that
)

// reference is what a forge may take for a person, an issue or a link.
var reference = regexp.MustCompile(`@[A-Za-z0-9]|[#!][0-9]|://|(?i:www|GH-[0-9])`)

// escape makes text safe in a code span within a table: it ends neither, and
// hides nothing.
func escape(text string) string {
	var shown []rune
	for _, r := range text {
		switch {
		case len(shown) > maxCell:
			continue
		case r == '`':
			shown = append(shown, '\'')
		case r == '|':
			shown = append(shown, '\\', '|')
		case r == '\\':
			shown = append(shown, '/')
		case r != ' ' && (!unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)):
			shown = append(shown, []rune(fmt.Sprintf("U+%04X", r))...)
		default:
			shown = append(shown, r)
		}
	}
	if len(shown) > maxCell {
		shown = append(shown[:maxCell-1], '…')
	}
	return reference.ReplaceAllStringFunc(string(shown), func(s string) string { return s[:1] + gap + s[1:] })
}
