package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// hold is a destination, or a kind of refresh beside merges, that nothing is
// proposed for, at somebody's word. One of the two is set.
type hold struct {
	Dest  string    `json:"dest,omitempty"`
	Kind  string    `json:"kind,omitempty"`
	By    string    `json:"by"`            // login
	URL   string    `json:"url,omitempty"` // of the comment
	Since time.Time `json:"since"`
}

// name is what people hold: "./odoo", "base".
func (h hold) name() string { return cmp.Or(h.Dest, h.Kind) }

func (h hold) String() string {
	return fmt.Sprintf("held by %s since %s; /unhold %s lifts that", h.By, h.Since.UTC().Format("2006-01-02"), h.name())
}

// same reports whether two holds are of the same.
func (h hold) same(other hold) bool {
	if h.Dest == "" || other.Dest == "" {
		return h.Dest == other.Dest && h.Kind == other.Kind
	}
	return path.Clean(h.Dest) == path.Clean(other.Dest)
}

// holds are what an issue of the bot in the repository lists, so that they
// live as long as the repository, and everybody sees them. Only issues of the
// bot's own account count. Who closes the issue lifts all of them.
type holds struct {
	all    []hold
	issues []forge.Issue // that list them, the oldest last
}

const (
	holdsTitle = "Odyssey: held destinations"
	holdsMark  = "<!-- odyssey holds "
	maxHolds   = 200
)

var holdsPattern = regexp.MustCompile(`(?m)^` + holdsMark + `(\[.*\]) -->\r?$`)

// readHolds reads the holds in the bot's own open issues.
func readHolds(own []forge.Issue) (found holds) {
	for _, issue := range own {
		parts := holdsPattern.FindStringSubmatch(issue.Body)
		var listed []hold
		if issue.State != forge.Open || parts == nil || len(parts[1]) > maxMark || json.Unmarshal([]byte(parts[1]), &listed) != nil {
			continue
		}
		found.issues = append(found.issues, issue)
		for _, h := range listed {
			one := (h.Dest == "") == holdable(h.Kind)
			if _, twice := found.of(h); one && !twice && len(found.all) < maxHolds {
				found.all = append(found.all, h)
			}
		}
	}
	return found
}

// holdable reports whether a name is that of a kind of refresh that can be held as
// a whole. Of merges the destinations are.
func holdable(kind string) bool {
	return refresh.IsKind(kind) && refresh.Kind(kind) != refresh.Merges
}

func (h holds) of(what hold) (hold, bool) {
	i := slices.IndexFunc(h.all, what.same)
	if i < 0 {
		return hold{}, false
	}
	return h.all[i], true
}

func (h holds) find(dest string) (hold, bool) { return h.of(hold{Dest: dest}) }

func (h holds) kind(kind refresh.Kind) (hold, bool) { return h.of(hold{Kind: string(kind)}) }

func (h holds) destinations() (dests []string) {
	for _, one := range h.all {
		if one.Dest != "" {
			dests = append(dests, one.Dest)
		}
	}
	return dests
}

// names are what is held, for people.
func (h holds) names() (all []string) {
	for _, one := range h.all {
		all = append(all, one.name())
	}
	return all
}

// errNoIssues: the repository has its issues switched off.
var errNoIssues error = &RefusedError{"I keep what is held in an issue of this repository, and it has its issues switched off."}

// write makes the issue list these holds: it is opened for the first, edited
// in place, and closed after the last. Writing what is there already changes
// nothing.
func (h holds) write(ctx context.Context, f Forge, repo forge.Repo, all []hold) error {
	body := holdsBody(repo, all)
	if len(all) > maxHolds || len(body)-strings.LastIndex(body, holdsMark) > maxMark {
		return &RefusedError{fmt.Sprintf("%d holds are there already, and there is no room for more. To stop everything, disable merges in %s.", len(all)-1, refresh.Code(refresh.ConfigFile))}
	}
	if len(h.issues) == 0 {
		if len(all) == 0 {
			return nil
		}
		_, err := f.CreateIssue(ctx, repo, forge.NewIssue{Title: holdsTitle, Body: body})
		if errors.Is(err, forge.ErrNotFound) || errors.Is(err, forge.ErrConflict) {
			return errNoIssues
		}
		return err
	}
	// Two runs at once may have made two issues: the oldest stays.
	keep := slices.MinFunc(h.issues, func(a, b forge.Issue) int { return int(a.Number - b.Number) })
	edit := forge.Edit{Body: body}
	if len(all) == 0 {
		edit.State = forge.Closed
	}
	if edit.Body != keep.Body || edit.State != "" {
		if _, err := f.EditIssue(ctx, repo, keep.Number, edit); err != nil {
			return err
		}
	}
	for _, other := range h.issues {
		if other.Number != keep.Number {
			if _, err := f.EditIssue(ctx, repo, other.Number, forge.Edit{State: forge.Closed}); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdsBody is the issue's text.
func holdsBody(repo forge.Repo, all []hold) string {
	var b strings.Builder
	if len(all) == 0 {
		b.WriteString("Nothing is held any more.\n")
	} else {
		b.WriteString("I propose nothing for these until somebody says `/unhold`, here or in a pull request. A pull request that is open for one stays as it is.\n\n")
	}
	for _, h := range all {
		since := h.Since.UTC().Format("2006-01-02")
		if strings.HasPrefix(h.URL, repo.WebURL+"/") {
			since = refresh.Link(since, h.URL)
		}
		fmt.Fprintf(&b, "- %s, held by %s since %s\n", refresh.Code(h.name()), refresh.Inline(h.By), since)
	}
	data, err := json.Marshal(all)
	if err != nil || len(all) == 0 {
		data = []byte("[]")
	}
	if len(all) > 0 {
		b.WriteString("\n<sub>Closing this issue lifts all of them.</sub>\n")
	}
	return b.String() + "\n" + holdsMark + string(data) + " -->\n"
}

// without lists all but one.
func (h holds) without(what hold) []hold {
	return slices.DeleteFunc(slices.Clone(h.all), what.same)
}
