package bot

import (
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

// hold is a destination that nothing is proposed for, at somebody's word.
type hold struct {
	Dest  string    `json:"dest"`
	By    string    `json:"by"`            // login
	URL   string    `json:"url,omitempty"` // of the comment
	Since time.Time `json:"since"`
}

func (h hold) String() string {
	return fmt.Sprintf("held by %s since %s; /unhold %s lifts that", h.By, h.Since.UTC().Format("2006-01-02"), h.Dest)
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
			if _, twice := found.find(h.Dest); h.Dest != "" && !twice && len(found.all) < maxHolds {
				found.all = append(found.all, h)
			}
		}
	}
	return found
}

func (h holds) find(dest string) (hold, bool) {
	i := slices.IndexFunc(h.all, func(other hold) bool { return path.Clean(other.Dest) == path.Clean(dest) })
	if i < 0 {
		return hold{}, false
	}
	return h.all[i], true
}

func (h holds) destinations() (dests []string) {
	for _, one := range h.all {
		dests = append(dests, one.Dest)
	}
	return dests
}

// errNoIssues: the repository has its issues switched off.
var errNoIssues error = &RefusedError{"I keep what is held in an issue of this repository, and it has its issues switched off."}

// write makes the issue list these holds: it is opened for the first, edited
// in place, and closed after the last. Writing what is there already changes
// nothing.
func (h holds) write(ctx context.Context, f Forge, repo forge.Repo, all []hold) error {
	body := holdsBody(repo, all)
	if len(all) > maxHolds || len(body)-strings.LastIndex(body, holdsMark) > maxMark {
		return &RefusedError{fmt.Sprintf("%d destinations are held already, and there is no room for more. To stop everything, disable merges in %s.", len(all)-1, refresh.Code(refresh.ConfigFile))}
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
		b.WriteString("I propose nothing for these destinations until somebody says `/unhold`, here or in a pull request. A pull request that is open for one stays as it is.\n\n")
	}
	for _, h := range all {
		since := h.Since.UTC().Format("2006-01-02")
		if strings.HasPrefix(h.URL, repo.WebURL+"/") {
			since = refresh.Link(since, h.URL)
		}
		fmt.Fprintf(&b, "- %s, held by %s since %s\n", refresh.Code(h.Dest), refresh.Inline(h.By), since)
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

// without lists all but the hold of one destination.
func (h holds) without(dest string) []hold {
	return slices.DeleteFunc(slices.Clone(h.all), func(one hold) bool { return path.Clean(one.Dest) == path.Clean(dest) })
}
