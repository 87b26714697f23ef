package command

import (
	"regexp"
	"strings"
)

// spoken returns the lines of a Markdown text that are the author's own words,
// for all that the start of a line can tell. Left out are code, quotes, HTML
// comments, and blocks of HTML that show code or a quote. In doubt a line is
// left out: nobody is hurt by a command that must be said again.
func spoken(body string) []string {
	body = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body)
	s := scanner{}
	var lines []string
	for line := range strings.SplitSeq(body, "\n") {
		if s.next(line) {
			lines = append(lines, strings.TrimRight(line, " \t"))
		}
	}
	return lines
}

// scanner knows what the lines so far have opened.
type scanner struct {
	fence string // that is open: "```" or longer
	until string // what ends the HTML that is open, in lower case
	quote bool   // the line before was quoted
}

var (
	// A fence's opening: the fence, and what follows it.
	opening = regexp.MustCompile("^ {0,3}(`{3,}|~{3,})(.*)$")
	quoted  = regexp.MustCompile(`^ {0,3}>`)
	// HTML whose content is shown as code, as a quote, or not at all.
	hiding = regexp.MustCompile(`(?i)<(pre|code|script|style|textarea|blockquote|template|xmp|title)(?:[\s>/]|$)`)
)

// next takes a line and reports whether it is spoken.
func (s *scanner) next(line string) bool {
	switch {
	case s.fence != "":
		if isClosing(line, s.fence) {
			s.fence = ""
		}
		return false
	case s.until != "":
		s.close(line)
		return false
	case quoted.MatchString(line):
		s.quote = true
		return false
	}
	if parts := opening.FindStringSubmatch(line); parts != nil && (parts[1][0] == '~' || !strings.Contains(parts[2], "`")) {
		s.fence, s.quote = parts[1], false
		return false
	}
	if strings.TrimSpace(line) == "" {
		s.quote = false
		return false
	}
	if s.quote {
		return false // a quoted paragraph goes on without its mark
	}
	s.open(line)
	return true
}

func isClosing(line, fence string) bool {
	line = strings.TrimRight(line, " \t")
	trimmed := strings.TrimLeft(line, " ")
	return len(line)-len(trimmed) <= 3 && len(trimmed) >= len(fence) && strings.Trim(trimmed, fence[:1]) == ""
}

// open notes the HTML that a line opens and does not close.
func (s *scanner) open(line string) {
	for {
		comment := strings.Index(line, "<!--")
		tag := hiding.FindStringSubmatchIndex(line)
		switch {
		case comment >= 0 && (tag == nil || comment < tag[0]):
			s.until, line = "-->", line[comment+len("<!--"):]
		case tag != nil:
			s.until, line = "</"+strings.ToLower(line[tag[2]:tag[3]]), line[tag[3]:]
		default:
			return
		}
		if line = s.rest(line); s.until != "" {
			return
		}
	}
}

// close looks in a line for the end of the HTML that is open, and for what it
// opens after that.
func (s *scanner) close(line string) {
	if rest := s.rest(line); s.until == "" {
		s.open(rest)
	}
}

// rest returns what follows the end of the HTML that is open, "" when there is
// no end.
func (s *scanner) rest(line string) string {
	end := strings.Index(lower(line), s.until)
	if end < 0 {
		return ""
	}
	line = line[end+len(s.until):]
	s.until = ""
	return line
}

// lower makes ASCII letters lower case, and leaves every other byte where it
// is.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
