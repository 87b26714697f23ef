package requirements

import (
	"fmt"
	"regexp"
	"strings"
)

// logical is a line after continuations, comments and variables.
type logical struct {
	number int    // 1-based, of the first of the joined lines
	text   string // without comment and blanks around; never empty
	raw    string // the same before ${VARIABLES} were replaced
}

// shown is what an error may show of part, a piece of the line: a value of
// the environment may be a secret.
func (l logical) shown(part string) string {
	if l.text != l.raw {
		part = l.raw
	}
	return quoted(part)
}

var (
	commentText  = regexp.MustCompile(`(^|[\s\p{Z}]+)#.*$`)
	variableText = regexp.MustCompile(`\$\{([A-Z0-9_]+)\}`)
	userinfo     = regexp.MustCompile(`://[^/\s]*@`)
	secretName   = regexp.MustCompile(`(^|_)(TOKEN|PASSWORD|PASSWD|PASS|PWD|SECRET|KEY|APIKEY|CREDENTIALS?|AUTH|PAT)(_|$)`)
)

const maxLine = 256 << 10 // bytes of a joined line; one hash has 80

// logicalLines joins, strips and expands text as pip does. The value of what
// environ lacks is an error here, as is a line that pip reads otherwise than
// it looks.
func logicalLines(text string, environ map[string]string) ([]logical, []fault) {
	var lines []logical
	var faults []fault
	add := func(number int, joined string) {
		joined = strings.TrimSpace(commentText.ReplaceAllString(joined, ""))
		if joined == "" {
			return
		}
		l := logical{number: number, text: joined, raw: joined}
		if err := l.check(); err != nil {
			faults = append(faults, fault{number, err})
			return
		}
		if err := l.expand(environ); err != nil {
			faults = append(faults, fault{number, err})
			return
		}
		lines = append(lines, l)
	}
	var joined strings.Builder
	first := 0
	for i, line := range strings.Split(text, "\n") {
		comment := strings.HasPrefix(strings.TrimSpace(line), "#")
		if strings.HasSuffix(line, `\`) && !comment {
			if joined.Len() == 0 {
				first = i + 1
			}
			joined.WriteString(strings.Trim(line, `\`))
			continue
		}
		if comment {
			line = " " + line // a comment ends what is joined
		}
		if joined.Len() == 0 {
			add(i+1, line)
			continue
		}
		joined.WriteString(line)
		add(first, joined.String())
		joined.Reset()
	}
	if joined.Len() > 0 {
		add(first, joined.String())
	}
	return lines, faults
}

func (l logical) check() error {
	if len(l.text) > maxLine {
		return advise(fmt.Sprintf("a line of %d KiB; %d are allowed", len(l.text)>>10, maxLine>>10), "")
	}
	if strings.HasSuffix(l.text, `\`) {
		return advise("a backslash that joins no line, as blanks or a comment follow it", "make it the last character of the line")
	}
	return nil
}

// expand replaces ${NAME}. What is put in ends up in the lock, so names that
// say that they hold a secret are refused.
func (l *logical) expand(environ map[string]string) error {
	for _, found := range variableText.FindAllStringSubmatch(l.raw, -1) {
		name, value := found[1], environ[found[1]]
		switch {
		case environ == nil:
			return advise(fmt.Sprintf("%s: variables are not expanded in this file", found[0]), "write the value, or move the line into a file of your own")
		case strings.HasPrefix(name, "PIP_"), strings.HasPrefix(name, "UV_"), userinfo.MatchString(value):
			return advise(fmt.Sprintf("${%s} may hold credentials, and would be sent to whoever the line names", name), secretHint)
		case secretName.MatchString(name):
			return advise(fmt.Sprintf("${%s} would be written into the lock", name), secretHint)
		case value == "":
			return advise(fmt.Sprintf("the environment variable %s is not set", name), "give it a value, or write that here")
		case strings.ContainsAny(value, "\r\n"):
			return advise(fmt.Sprintf("the environment variable %s has more than one line", name), "")
		}
		l.text = strings.ReplaceAll(l.text, found[0], value)
		if len(l.text) > maxLine {
			return advise(fmt.Sprintf("with its variables the line has more than %d KiB", maxLine>>10), "")
		}
	}
	return nil
}

const secretHint = "keep credentials out of requirements files: put the index with its credentials into PIP_INDEX_URL, PIP_EXTRA_INDEX_URL or pip.conf"
