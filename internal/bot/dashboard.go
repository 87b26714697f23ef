package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

const dashboardMark = "<!-- odyssey dashboard -->"

var dashboardPattern = regexp.MustCompile(`(?m)^` + dashboardMark + `\r?$`)

// boardBucket is where it is kept, by subject and as JSON, which dashboard was
// written last. What does not change then costs no call, and one that people
// closed stays closed. Losing it costs a call, or another issue.
const boardBucket = "dashboard"

// written is the dashboard of a repository as it was written last.
type written struct {
	Number int64  `json:"number"`
	Digest string `json:"digest"`        // of its text; "" of none
	Off    bool   `json:"off,omitempty"` // closed by the bot, because the policy says so
}

// ticked is what came of boxes that somebody ticked.
type ticked struct {
	commands []string // that are treated, whatever came of it
	notes    []string // Markdown
}

// keepDashboard has the issue about a repository say what the reports on it say.
// Boxes that are ticked and not treated yet stay ticked.
func (w *Worker) keepDashboard(ctx context.Context, at place, repo forge.Repo, policy config.Repo, said ticked) error {
	if w.Reports == nil || !w.Dashboards || repo.Archived || w.Bot.mirrorAt(at.forge, repo.Name) != nil {
		return nil
	}
	board := w.dashboard(ctx, at, policy)
	board.Notes = said.notes
	next := written{Digest: digest([]byte(board.Body()))}
	if !policy.Dashboard.Enabled {
		next = written{Off: true}
	}
	last := w.written(ctx, at)
	if next.Digest == last.Digest && next.Off == last.Off && len(said.commands) == 0 {
		return nil
	}
	own, err := ownIssues(ctx, at.forge, repo)
	if err != nil {
		return err
	}
	switch open := openDashboard(own); {
	case next.Off:
		err = w.closeDashboards(ctx, at, repo, own, 0)
		next.Number = last.Number
	case open != nil:
		next.Number = open.Number
		err = w.editDashboard(ctx, at, repo, own, *open, keepTicks(board, open.Body, said))
	case last.Number > 0 && !last.Off:
		next = last // people closed it
	case last.Number > 0:
		next.Number = last.Number
		_, err = at.forge.EditIssue(ctx, repo, last.Number, forge.Edit{Body: boardText(board), State: forge.Open})
	default:
		var made forge.Issue
		made, err = at.forge.CreateIssue(ctx, repo, forge.NewIssue{Title: refresh.DashboardTitle, Body: boardText(board)})
		next.Number = made.Number
	}
	if err != nil && !errors.Is(err, forge.ErrNotFound) && !errors.Is(err, forge.ErrConflict) { // issues are switched off
		return err
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	return w.Reports.Put(ctx, boardBucket, at.subject, data)
}

// written reads what was written last; zero when that is not known.
func (w *Worker) written(ctx context.Context, at place) (last written) {
	data, err := w.Reports.Get(ctx, boardBucket, at.subject)
	if err != nil || data == nil || json.Unmarshal(data, &last) != nil {
		return written{}
	}
	return last
}

// boardText is the issue's text.
func boardText(board *refresh.Dashboard) string { return board.Body() + "\n" + dashboardMark + "\n" }

// keepTicks returns the text of a dashboard in which the boxes are ticked that
// are ticked in the issue and were not treated.
func keepTicks(board *refresh.Dashboard, before string, said ticked) string {
	text := boardText(board)
	for _, command := range refresh.Ticked(before, board.Boxes) {
		if !slices.Contains(said.commands, command) {
			text = refresh.Tick(text, command)
		}
	}
	return text
}

// editDashboard writes the issue, unless it says that already, and closes others
// that two runs at once have made.
func (w *Worker) editDashboard(ctx context.Context, at place, repo forge.Repo, own []forge.Issue, open forge.Issue, text string) error {
	if text != strings.ReplaceAll(open.Body, "\r\n", "\n") {
		if _, err := at.forge.EditIssue(ctx, repo, open.Number, forge.Edit{Body: text}); err != nil {
			return err
		}
	}
	return w.closeDashboards(ctx, at, repo, own, open.Number)
}

// closeDashboards closes all dashboards but one.
func (w *Worker) closeDashboards(ctx context.Context, at place, repo forge.Repo, own []forge.Issue, but int64) error {
	for _, issue := range own {
		if issue.Number == but || issue.State != forge.Open || !dashboardPattern.MatchString(issue.Body) {
			continue
		}
		if _, err := at.forge.EditIssue(ctx, repo, issue.Number, forge.Edit{State: forge.Closed}); err != nil {
			return err
		}
	}
	return nil
}

// openDashboard finds the oldest open issue that is a dashboard.
func openDashboard(own []forge.Issue) (found *forge.Issue) {
	for i := range own {
		if own[i].State == forge.Open && dashboardPattern.MatchString(own[i].Body) && (found == nil || own[i].Number < found.Number) {
			found = &own[i]
		}
	}
	return found
}

// dashboard makes the dashboard of what the reports say.
func (w *Worker) dashboard(ctx context.Context, at place, policy config.Repo) *refresh.Dashboard {
	merges, _ := w.last(ctx, at.subject)
	d := &refresh.Dashboard{Failed: merges.Error != "", Commands: w.Bot.Commands && policy.Commands.Enabled}
	for _, dest := range merges.Destinations {
		d.Decisions = append(d.Decisions, dest.decisions()...)
	}
	var unhold []refresh.Box
	for _, kind := range policy.Kinds() {
		known := slices.Contains(w.Bot.Kinds(), refresh.Kind(kind.Name))
		if !known || kind.Name == kindMerges || !kind.Enabled {
			continue
		}
		items, held := w.items(ctx, at, kind.Name)
		d.Items = append(d.Items, items...)
		if held {
			unhold = append(unhold, refresh.Box{Command: "/unhold " + kind.Name, Text: "propose " + kind.Name + " again"})
		}
	}
	if d.Commands {
		d.Boxes = slices.Concat(unhold, boxes(merges.Destinations))
	}
	return d
}

// items says what came of the last job of a kind, and whether people hold it.
func (w *Worker) items(ctx context.Context, at place, kind string) (all []refresh.Item, held bool) {
	var r Report
	data, err := w.Reports.Get(ctx, ReportBucket, ReportKey(at.subject, kind))
	switch {
	case err != nil || data == nil || json.Unmarshal(data, &r) != nil:
		return []refresh.Item{{Name: kind, Why: "not looked at yet"}}, false
	case r.Held != "":
		item := refresh.Item{Name: kind, Why: r.Held}
		for _, o := range r.Outcomes {
			if o.URL != "" && o.Action != Closed {
				item.Pull = refresh.Pull{URL: o.URL, Title: o.Title}
			}
		}
		return []refresh.Item{item}, true
	case r.Error != "":
		return []refresh.Item{{Name: kind, Why: "the last run failed"}}, false
	}
	for _, o := range r.Outcomes {
		if o.Action == Closed {
			continue
		}
		name := kind
		if o.Group != "" && o.Group != kind {
			name += " " + o.Group
		}
		all = append(all, refresh.Item{Name: name, Why: o.Reason, Pull: refresh.Pull{URL: o.URL, Title: o.Title}})
	}
	if len(all) == 0 {
		all = append(all, refresh.Item{Name: kind, Why: cmp.Or(r.Idle, "nothing is newer")})
	}
	return all, false
}

// boxes offers what may be asked for where something is newer or held.
func boxes(dests []DestinationReport) []refresh.Box {
	var all []refresh.Box
	for _, d := range dests {
		name := "./" + path.Clean(d.Path) // "enterprise" alone is a kind of refresh
		late := slices.ContainsFunc(d.Merges, func(m MergeReport) bool { return m.Locked != m.Newest && m.Locked != "" })
		switch {
		case strings.ContainsAny(d.Path, " \t"): // no command can name it
		case d.Held != "":
			all = append(all, refresh.Box{Command: "/unhold " + name, Text: "propose " + d.Path + " again"})
		case late:
			all = append(all,
				refresh.Box{Command: "/refresh " + name, Text: "refresh " + d.Path},
				refresh.Box{Command: "/hold " + name, Text: "hold " + d.Path})
		}
	}
	return append(all, refresh.Box{Command: "/refresh all", Text: "refresh everything"}) // after what was held is not any more
}

// decisions are what the report says of a destination's merges.
func (d DestinationReport) decisions() (all []refresh.Decision) {
	for _, m := range d.Merges {
		one := refresh.Decision{
			Standing: refresh.Standing{Dest: d.Path, Remote: m.Remote, Ref: m.Ref, Locked: m.Locked, Newest: m.Newest, URL: m.URL},
			Verdict:  m.Verdict, Behind: m.Behind, Why: m.Why, Pull: m.Pull,
		}
		switch { // a command may have held it, or lifted that, since
		case d.Held != "" && one.Verdict != refresh.Current && one.Verdict != refresh.Pinned && one.Verdict != refresh.Lost:
			one.Verdict, one.Why = refresh.OnHold, d.Held
		case d.Held == "" && one.Verdict == refresh.OnHold:
			one.Verdict, one.Why = refresh.Waiting, "the next run looks at it"
		}
		all = append(all, one)
	}
	return all
}
