package web

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

const longestText = 2000 // characters of a text from elsewhere on a page

// public makes text from elsewhere fit to be shown: credentials of URLs out,
// controls and what turns the direction of writing shown as a box, and cut.
func public(s string) string {
	if plain(s) {
		return s
	}
	s = strings.ToValidUTF8(clip(gitname.Redact(s), 4*longestText), "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Cs, r):
			return '\uFFFD'
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > longestText {
		return string(runes[:longestText]) + "…"
	}
	return s
}

// plain reports whether there is nothing to do to s, as for most texts.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '@' {
			return false
		}
	}
	return len(s) <= longestText
}

// clean makes texts public.
func clean(texts ...*string) {
	for _, t := range texts {
		*t = public(*t)
	}
}

// cleanReport makes every text of a report public, and leaves out addresses
// that are no links.
func cleanReport(r *bot.Report) {
	clean(&r.Subject, &r.Forge, &r.Repo, &r.Kind, &r.Trigger, &r.Idle, &r.Error)
	r.WebURL = link(r.WebURL)
	for i := range r.Commands {
		clean(&r.Commands[i])
	}
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		clean(&o.Repo, &o.Group, &o.Title, &o.Reason)
		o.Action, o.URL = bot.Action(public(string(o.Action))), link(o.URL)
	}
	for i := range r.Pulls {
		clean(&r.Pulls[i].Title)
		r.Pulls[i].URL = link(r.Pulls[i].URL)
	}
	for i := range r.Destinations {
		d := &r.Destinations[i]
		clean(&d.Path, &d.Held)
		for j := range d.Merges {
			m := &d.Merges[j]
			clean(&m.Remote, &m.Ref, &m.Locked, &m.Newest, &m.Why, &m.Pull.Title)
			m.Verdict, m.URL, m.Pull.URL = refresh.Verdict(public(string(m.Verdict))), link(m.URL), link(m.Pull.URL)
		}
	}
}

// clip cuts s to n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// link returns s when it is an http or https URL without a credential, and ""
// otherwise: then the page shows text alone.
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}

// short is the beginning of an object id; another text stays.
func short(s string) string {
	if len(s) >= 40 && strings.Trim(s, "0123456789abcdef") == "" {
		return s[:10]
	}
	return public(s)
}

var wholeID = regexp.MustCompile(`\b[0-9a-f]{40,64}\b`)

// shortIDs is a text with 12 digits of each object id in it.
func shortIDs(s string) string {
	return wholeID.ReplaceAllStringFunc(s, func(id string) string { return id[:12] })
}

// faults takes a text apart in which every fault begins a line. What is
// indented belongs to the fault before it.
func faults(s string) []string {
	var all []string
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\n")
		if len(all) > 0 && (line == "" || strings.TrimLeft(line, " \t") != line) {
			all[len(all)-1] += "\n" + line
			continue
		}
		all = append(all, line)
	}
	return all
}

// count is a number of things: "1 merge", "2 merges".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// span is a duration in its largest unit: "5 min", "12 days".
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than 1 min"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}

// moment is a time as seen from another.
type moment struct{ At, Now time.Time }

// Zero reports whether there is no time to show.
func (m moment) Zero() bool { return m.At.IsZero() }

// Machine is the time in RFC 3339.
func (m moment) Machine() string { return m.At.UTC().Format(time.RFC3339) }

// Exact is the time as people write it.
func (m moment) Exact() string { return m.At.UTC().Format("2 Jan 2006, 15:04:05") + " UTC" }

// Relative is the distance: "5 min ago", "in 3 h".
func (m moment) Relative() string {
	d := m.Now.Sub(m.At)
	switch {
	case d <= -time.Minute:
		return "in " + span(-d)
	case d < 0:
		return fmt.Sprintf("in %d s", int(math.Ceil(-d.Seconds())))
	case d < time.Minute:
		return "just now"
	}
	return span(d) + " ago"
}

// Due is the distance of a time that something waits for: "in 3 h", "now".
func (m moment) Due() string {
	if !m.At.After(m.Now) {
		return "now"
	}
	return m.Relative()
}

// For is how long it has been so: "for 12 days".
func (m moment) For() string { return "for " + span(max(m.Now.Sub(m.At), 0)) }
