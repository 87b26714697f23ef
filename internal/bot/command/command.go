// Package command reads what people ask of the bot in comments: one command a
// line, at the start of the line, outside of code, quotes and HTML comments.
package command

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Word is a command's name.
type Word string

// The commands.
const (
	Refresh Word = "refresh"
	Hold    Word = "hold"
	Unhold  Word = "unhold"
	Rebase  Word = "rebase"
	Accept  Word = "accept"
	Help    Word = "help"
)

// The kinds that /refresh takes in the place of a destination. A destination
// of such a name is written with its ./ before it.
const (
	All        = "all"
	Base       = "base"
	Python     = "python"
	Enterprise = "enterprise"
)

// What /accept takes.
const (
	Removals = "removals"
	Drift    = "drift"
)

// Bounds of what is read.
const (
	Most       = 10       // commands of a comment
	maxBody    = 64 << 10 // bytes of a comment that are read: GitHub takes no more
	maxLine    = 600      // bytes of a command
	maxShown   = 200      // bytes of a line that are kept
	maxWord    = 30       // bytes of a word that may have been meant as a command
	maxArgSize = 250      // bytes of an argument
)

// Command is one line. When Fault is set, only Word and Line count.
type Command struct {
	Word Word
	Line string // as it was written, cut; text that anybody may have written

	Kind        string // of /refresh: All, Base, Python or Enterprise, of /hold and /unhold one of the latter three; of /accept: Removals or Drift
	Dest        string // of /refresh, /hold and /unhold: a destination
	Remote, Ref string // of /refresh: one merge of Dest
	To          string // of /refresh: the full id of the commit that the merge is to be at

	// Fault says, in a sentence without what was written, why the line is no
	// command, and what would be. It is Markdown.
	Fault string
}

// Grammar lists the commands, each with what it does, to print for people.
func Grammar() [][2]string {
	return [][2]string{
		{"/refresh", "move what this pull request is about to its newest commits; elsewhere, everything"},
		{"/refresh ./DEST", "move every merge of a destination"},
		{"/refresh ./DEST REMOTE REF", "move this merge alone"},
		{"/refresh ./DEST --to COMMIT", "move the destination's first merge to that commit; another one with `REMOTE REF` before `--to`"},
		{"/refresh base", "move the images that Dockerfiles build on; `python`, the Python lock; `enterprise`, the mirror of Odoo Enterprise"},
		{"/refresh all", "move everything"},
		{"/hold ./DEST", "propose nothing for a destination any more"},
		{"/hold base", "propose no images that Dockerfiles build on any more; `python`, no Python lock; `enterprise`, no import into the mirror"},
		{"/unhold ./DEST", "propose again; also `base`, `python` and `enterprise`"},
		{"/rebase", "make this pull request of the bot's anew, on the default branch as it is now"},
		{"/accept removals", "in a mirror of Enterprise: remove the modules that the bundle lacks, with the others"},
		{"/accept drift", "in a mirror of Enterprise: import the bundle although Community's modules differ in it"},
		{"/help", "show this"},
	}
}

// Parse finds the commands of a comment. A line that begins with a slash and a
// word that is no command is left out, unless the word is one but for a slip of
// the finger. After Most commands comes one with a Fault, and no more.
func Parse(body string) []Command {
	if len(body) > maxBody {
		body = body[:maxBody]
	}
	var found []Command
	for _, line := range spoken(body) {
		c, is := parseLine(line)
		if !is {
			continue
		}
		if len(found) == Most {
			c = Command{Word: c.Word, Line: c.Line, Fault: fmt.Sprintf("I take %d commands from a comment; this one and what follows was left out.", Most)}
			return append(found, c)
		}
		found = append(found, c)
	}
	return found
}

// parseLine returns false for a line that is none for the bot.
func parseLine(line string) (Command, bool) {
	rest, ok := strings.CutPrefix(line, "/")
	if !ok {
		return Command{}, false
	}
	name := rest
	if i := strings.IndexFunc(rest, unicode.IsSpace); i >= 0 {
		name = rest[:i]
	}
	if name == "" || len(name) > maxWord || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '_' }) {
		return Command{}, false
	}
	c := Command{Word: Word(strings.ToLower(name)), Line: cut(line)}
	switch c.Word {
	case Refresh, Hold, Unhold, Rebase, Accept, Help:
	default:
		meant := meant(string(c.Word))
		if meant == "" {
			return Command{}, false
		}
		c.Fault = "there is no such command. Near: `/" + string(meant) + "`. All: `/refresh`, `/hold`, `/unhold`, `/rebase`, `/accept`, `/help`."
		return c, true
	}
	c.Fault = c.parse(line, strings.Fields(rest)[1:])
	return c, true
}

// parse reads the words after the command's name. It returns the fault.
func (c *Command) parse(line string, args []string) string {
	if len(line) > maxLine {
		return "this is too long for a command."
	}
	for _, arg := range args {
		if len(arg) > maxArgSize {
			return "this is too long for a command."
		}
	}
	switch c.Word {
	case Refresh:
		return c.parseRefresh(args)
	case Hold, Unhold:
		switch {
		case len(args) == 0 || strings.HasPrefix(args[0], "-"):
			return "name one destination: `/" + string(c.Word) + " ./odoo`; or `base`, `python` or `enterprise`."
		case len(args) > 1:
			return "name one destination, and nothing after it: `/" + string(c.Word) + " ./odoo`."
		}
		if kind := strings.ToLower(args[0]); kind == Base || kind == Python || kind == Enterprise {
			c.Kind = kind
			return ""
		}
		c.Dest = args[0]
	case Accept:
		if len(args) != 1 || args[0] != Removals && args[0] != Drift {
			return "say what of the bundle you accept: `/accept removals` or `/accept drift`."
		}
		c.Kind = args[0]
	default:
		if len(args) > 0 {
			return "`/" + string(c.Word) + "` takes nothing after it."
		}
	}
	return ""
}

const refreshUsage = "write `/refresh`, `/refresh ./DEST`, `/refresh ./DEST REMOTE REF` or `/refresh all`; and `--to COMMIT` after a destination, if it is to be that one."

func (c *Command) parseRefresh(args []string) string {
	args, fault := c.parseTo(args)
	if fault != "" {
		return fault
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			return refreshUsage
		}
	}
	switch len(args) {
	case 0:
		if c.To != "" {
			return "say which destination `--to` is about: `/refresh ./DEST --to COMMIT`."
		}
	case 1:
		if kind := strings.ToLower(args[0]); kind == All || kind == Base || kind == Python || kind == Enterprise {
			if c.To != "" {
				return "`--to` goes with one destination: `/refresh ./DEST --to COMMIT`."
			}
			c.Kind = kind
			return ""
		}
		c.Dest = args[0]
	case 3:
		c.Dest, c.Remote, c.Ref = args[0], args[1], args[2]
	default:
		return refreshUsage
	}
	return ""
}

// parseTo takes "--to COMMIT" or "--to=COMMIT" from the end of args.
func (c *Command) parseTo(args []string) (rest []string, fault string) {
	n := len(args)
	switch {
	case n > 0 && strings.HasPrefix(args[n-1], "--to="):
		rest, c.To = args[:n-1], strings.TrimPrefix(args[n-1], "--to=")
	case n > 1 && args[n-2] == "--to":
		rest, c.To = args[:n-2], args[n-1]
	case n > 0 && args[n-1] == "--to":
		return nil, "a commit goes after `--to`."
	default:
		return args, ""
	}
	if c.To = strings.ToLower(c.To); !gitname.IsObjectID(c.To) {
		return nil, "a commit goes after `--to`, by its whole id of 40 or 64 digits (0-9, a-f): servers do not find one by less."
	}
	return rest, ""
}

// meant returns the command that a word is but for one letter, or for two that
// are swapped, and "" when it is none. It is stricter than near.Names: other
// bots have commands, too, and a line may begin with a path.
func meant(word string) Word {
	for _, w := range []Word{Refresh, Unhold, Hold, Rebase, Accept, Help} {
		if word == "" || word[0] != string(w)[0] {
			continue
		}
		if levenshtein.ComputeDistance(word, string(w)) <= 1 || swapped(word, string(w)) {
			return w
		}
	}
	return ""
}

// swapped reports whether b is a with two neighbouring letters swapped.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) - 1 {
		if a[:i]+a[i+1:i+2]+a[i:i+1]+a[i+2:] == b {
			return true
		}
	}
	return false
}

func cut(line string) string {
	if len(line) <= maxShown {
		return line
	}
	return strings.ToValidUTF8(line[:maxShown], "") + "…"
}
