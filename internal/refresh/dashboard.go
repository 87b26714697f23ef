package refresh

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Verdict is what became of a source, in one word.
type Verdict string

// The verdicts.
const (
	Current  Verdict = "current"  // nothing is newer
	Pinned   Verdict = "pinned"   // repos.yaml names a commit
	Proposed Verdict = "proposed" // a pull request is open
	OnHold   Verdict = "held"     // a person holds its destination
	Waiting  Verdict = "waiting"  // something else has to come first
	Unlocked Verdict = "unlocked" // the lock lacks it
	Lost     Verdict = "lost"     // its ref is gone, or its server does not tell
)

// Decision says why a source was, or was not, refreshed.
type Decision struct {
	Standing
	Verdict Verdict
	Behind  int    // commits, at least; -1: not known
	Why     string // one sentence without its full stop, not escaped
	Pull    Pull   // that is open about it; zero when none is
}

// Pull is a pull request to point at.
type Pull struct {
	URL   string `json:"url,omitempty"`
	Title string `json:"title,omitempty"`
}

// Item is one of the pull requests that are about no source, or why there is
// none: the base image, the Python lock.
type Item struct {
	Name string // for people: "base images"
	Why  string // not escaped
	Pull Pull
}

// Dashboard is what the issue about a repository says.
type Dashboard struct {
	Decisions []Decision // in the order of repos.yaml
	Items     []Item
	// Boxes are commands that a tick asks for, each with what is said of it.
	// Commands alone: they are named, for there is nobody who sees a tick.
	Boxes    []Box
	Commands bool
	Failed   bool     // the last run, so that this is from one before
	Notes    []string // Markdown: what there is to say once
}

// Box is a command that a tick in the dashboard asks for.
type Box struct{ Command, Text string }

// DashboardTitle is the title of the issue.
const DashboardTitle = "Odyssey: where the sources stand"

// Body writes the issue, at most maxBody bytes of it.
func (d *Dashboard) Body() string {
	for rows := 500; ; rows /= 2 {
		if text := d.body(rows); len(text) <= maxBody || rows == 0 {
			return text
		}
	}
}

func (d *Dashboard) body(rows int) string {
	var b strings.Builder
	for _, note := range d.Notes {
		b.WriteString("> " + strings.ReplaceAll(strings.TrimSpace(note), "\n", "\n> ") + "\n\n")
	}
	if d.Failed {
		b.WriteString("⚠️ **The last run failed**; what follows is what was known before.\n\n")
	}
	b.WriteString(d.summary() + "\n\n")
	if shown, more := head(d.rows(), rows); len(shown) > 0 {
		b.WriteString("| source | locked | newest | |\n|---|---|---|---|\n" + strings.Join(shown, ""))
		if more > 0 {
			fmt.Fprintf(&b, "| … and %s | | | |\n", count(more, "more source"))
		}
		b.WriteByte('\n')
	}
	for _, i := range d.Items {
		fmt.Fprintf(&b, "- %s: %s\n", inline(i.Name), said(i.Pull, i.Why))
	}
	if len(d.Items) > 0 {
		b.WriteByte('\n')
	}
	if shown, more := head(d.boxes(), rows); len(shown) > 0 {
		b.WriteString("Tick to ask for it, if you may write here:\n\n" + strings.Join(shown, ""))
		if more > 0 {
			fmt.Fprintf(&b, "\n%s, by comment: `/refresh ./DEST`, `/hold ./DEST`.\n", count(more, "more"))
		}
		b.WriteByte('\n')
	} else if d.Commands {
		b.WriteString("Commands, in a comment: `/refresh all` · `/refresh ./DEST` · `/hold ./DEST` · `/help`.\n\n")
	}
	b.WriteString("<sub>The bot edits this issue when something changes, and says nothing here. Not wanted? `dashboard: {enabled: false}` in `" + ConfigFile + "`.</sub>\n")
	return b.String()
}

// summary answers the first question: is there something to do?
func (d *Dashboard) summary() string {
	tally := map[Verdict]int{}
	for _, one := range d.Decisions {
		tally[one.Verdict]++
	}
	var parts []string
	for _, kind := range []struct {
		verdict Verdict
		text    string
	}{
		{Lost, "out of reach"}, {Proposed, "in a pull request"}, {Waiting, "waiting"}, {OnHold, "held"}, {Unlocked, "not locked yet"}, {Pinned, "pinned"}, {Current, "current"},
	} {
		if n := tally[kind.verdict]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind.text))
		}
	}
	if len(parts) == 0 {
		return "There are no sources."
	}
	return "**" + count(len(d.Decisions), "source") + ": " + strings.Join(parts, ", ") + ".**"
}

func (d *Dashboard) rows() (rows []string) {
	last := ""
	for _, one := range d.Decisions {
		name := inline(one.Remote + " " + one.Ref)
		if one.Dest != last {
			name = Code(one.Dest) + " " + name
		} else {
			name = "⤷ " + name
		}
		last = one.Dest
		web := newUpstream(one.URL)
		newest := web.commit(one.Newest)
		switch {
		case one.Verdict == Lost:
			newest = "⚠️"
		case one.Locked == one.Newest:
			newest = "–"
		case one.Behind > 0 && one.Locked != "":
			newest += " " + web.compare(fmt.Sprintf("+%d", one.Behind), one.Locked, one.Newest)
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |\n", name, web.orNone(one.Locked), newest, said(one.Pull, one.Why)))
	}
	return rows
}

// said links the pull request, and says why.
func said(pull Pull, why string) string {
	var parts []string
	if pull.URL != "" {
		name := "pull request"
		if path.Base(path.Dir(pull.URL)) == "runs" {
			name = "run"
		}
		if n := path.Base(pull.URL); strings.Trim(n, "0123456789") == "" && n != "" {
			name += " " + n // "#12" would be a reference, and ping the pull request
		}
		parts = append(parts, Link(name, pull.URL))
	}
	if why != "" {
		parts = append(parts, inline(why))
	}
	return cmp.Or(strings.Join(parts, ": "), "–")
}

// tick is the beginning of a box's line; the command in it is what is obeyed.
const tick = " <!-- odyssey do: "

func (d *Dashboard) boxes() (lines []string) {
	for _, box := range d.Boxes {
		if command := Attribute(box.Command); command != "" {
			lines = append(lines, "- [ ]"+tick+command+" --> "+inline(box.Text)+"\n")
		}
	}
	return lines
}

// Attribute makes a command fit for a hidden mark: what would end the mark, or
// the line, makes it empty.
func Attribute(command string) string {
	if strings.Contains(command, "--") && strings.Contains(command, ">") || strings.ContainsFunc(command, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return command
}

// Ticked lists the commands whose boxes are ticked in a dashboard, each once, in
// their order. Only those that offered says are of today's dashboard count: the
// text is for everybody to edit who may write to the repository.
func Ticked(body string, offered []Box) []string {
	return slices.DeleteFunc(ticked(body), func(command string) bool {
		return !slices.ContainsFunc(offered, func(b Box) bool { return b.Command == command })
	})
}

// Ticks lists the commands whose boxes an edit has ticked, as the text tells them.
func Ticks(before, after string) []string {
	was := ticked(before)
	return slices.DeleteFunc(ticked(after), func(command string) bool { return slices.Contains(was, command) })
}

// ticked lists the commands of a text whose boxes are ticked.
func ticked(body string) (commands []string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(body, "\r\n", "\n"), "\n") {
		rest, is := strings.CutPrefix(line, "- [x]"+tick)
		if !is {
			rest, is = strings.CutPrefix(line, "- [X]"+tick)
		}
		command, _, ended := strings.Cut(rest, " -->")
		if !is || !ended || command == "" || slices.Contains(commands, command) {
			continue
		}
		if commands = append(commands, command); len(commands) == maxTicks {
			break
		}
	}
	return commands
}

// maxTicks is how many ticks of a text are looked at.
const maxTicks = 50

// Tick ticks the box of a command in a dashboard's text.
func Tick(body, command string) string {
	return strings.ReplaceAll(body, "- [ ]"+tick+command+" -->", "- [x]"+tick+command+" -->")
}
