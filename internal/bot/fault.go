package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

const (
	faultsTitle = "Odyssey: files of this repository need mending"
	faultsMark  = "<!-- odyssey faults"
	maxFaults   = 20
)

var faultsPattern = regexp.MustCompile(`(?m)^` + faultsMark + `(?: ([a-z]+))? -->\r?$`)

// faultsOfKind is the mark of the issue about what hinders a kind of refresh.
func faultsOfKind(kind refresh.Kind) string {
	if kind == refresh.Merges {
		return faultsMark + " -->"
	}
	return faultsMark + " " + string(kind) + " -->"
}

// tellsFaults reports whether an issue is the one about what hinders a kind of
// refresh.
func tellsFaults(issue forge.Issue, kind refresh.Kind) bool {
	parts := faultsPattern.FindStringSubmatch(issue.Body)
	return parts != nil && refresh.Kind(cmp.Or(parts[1], string(refresh.Merges))) == kind
}

// faultsTale is what hinders a kind of refresh.
type faultsTale struct {
	kind    refresh.Kind
	faults  []error
	partial bool // they hinder some merges, and no others
}

// tellFaults keeps the one issue about what hinders a kind of refresh as it
// should be: open with the faults, and closed when there are none. It returns
// the issue's address, "" when there is none. own are the bot's issues.
func tellFaults(ctx context.Context, f Forge, repo forge.Repo, tale faultsTale, own []forge.Issue) (string, error) {
	var open *forge.Issue
	for i := range own {
		if own[i].State != forge.Open || !tellsFaults(own[i], tale.kind) {
			continue
		}
		if open != nil { // two runs at once
			if _, err := f.EditIssue(ctx, repo, own[i].Number, forge.Edit{State: forge.Closed}); err != nil {
				return "", err
			}
			continue
		}
		open = &own[i]
	}
	if len(tale.faults) == 0 {
		if open == nil {
			return "", nil
		}
		_, err := f.EditIssue(ctx, repo, open.Number, forge.Edit{State: forge.Closed})
		return "", err
	}
	body := tale.body(repo)
	if open == nil {
		made, err := f.CreateIssue(ctx, repo, forge.NewIssue{Title: faultsTitle, Body: body})
		if errors.Is(err, forge.ErrNotFound) || errors.Is(err, forge.ErrConflict) {
			return "", nil // issues are switched off
		}
		return made.URL, err
	}
	if open.Body == body {
		return open.URL, nil
	}
	_, err := f.EditIssue(ctx, repo, open.Number, forge.Edit{Body: body})
	return open.URL, err
}

func (tale faultsTale) body(repo forge.Repo) string {
	until := " in this repository until this is mended on `" + repo.DefaultBranch + "`:"
	hinders := "I do nothing" + until
	switch {
	case tale.partial:
		hinders = "I cannot find what these lines name, so their merges stay where they are locked until the lines are mended on `" + repo.DefaultBranch + "`, or the remotes are. All others go on:"
	case tale.kind != refresh.Merges:
		hinders = "I make no `" + string(tale.kind) + "` refreshes" + until
	}
	return hinders + "\n\n- " + strings.Join(describeFaults(tale.faults), "\n- ") +
		"\n\n<sub>I look again at the next push and at the next run, and close this issue when all is well.</sub>\n\n" + faultsOfKind(tale.kind) + "\n"
}

// describeFaults writes faults as Markdown, in which what is quoted of a file
// is escaped.
func describeFaults(faults []error) (lines []string) {
	for _, fault := range faults[:min(len(faults), maxFaults)] {
		at, text, hint := faultParts(fault)
		line := refresh.Inline(text)
		if at != "" {
			line = refresh.Code(at) + ": " + line
		}
		for extra := range strings.SplitSeq(hint, "\n") {
			if extra = strings.TrimSpace(extra); extra != "" {
				line += "<br>" + refresh.Inline(extra)
			}
		}
		lines = append(lines, line)
	}
	if more := len(faults) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", more))
	}
	return lines
}

// faultParts takes a fault apart: "repos.yaml:14", what is wrong, what to do.
func faultParts(fault error) (at, text, hint string) {
	place := func(path string, line int) string {
		if line > 0 {
			return fmt.Sprintf("%s:%d", path, line)
		}
		return path
	}
	var inFile *yamldoc.Error
	var file *forge.FileError
	var remote *lock.RemoteError
	switch {
	case errors.As(fault, &inFile):
		return place(inFile.Path, inFile.Line), inFile.Msg, inFile.Hint
	case errors.As(fault, &file):
		return file.Path, file.Reason, ""
	case errors.As(fault, &remote):
		text, hint, _ = strings.Cut("remote "+remote.Name+": "+remote.Err.Error(), "\n")
		return place(remote.Path, remote.Line), text, hint
	}
	return "", fault.Error(), ""
}
