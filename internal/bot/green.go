package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Upstreams asks the forges of upstream repositories.
type Upstreams interface {
	// Combined returns what was reported on a commit of the repository at a URL.
	// repo is the one on whose behalf is asked. known is false when no forge that
	// may be asked serves it.
	Combined(ctx context.Context, repo forge.Repo, url, commit string) (came forge.Combined, known bool, err error)
}

// Bounds of what forges are asked about commits.
const (
	mostCandidates = 20  // commits of a merge, the newest included
	mostReports    = 200 // commits of a run
	walkingBack    = 4 * time.Minute
)

// reports is what was reported on commits, for the time of a visit.
type reports struct {
	came  map[string]forge.Combined // by remote and commit
	asked int
}

// notGreen says why a commit is not proposed, or why nobody knows.
type notGreen struct {
	why   string
	known bool // the forge has answered
}

// green reports whether a commit is green, nil, or why it is not.
func (r *reconciler) green(ctx context.Context, url, commit string) (*notGreen, error) {
	key := refresh.RemoteID(url) + " " + commit
	came, told := r.visit.reports.came[key]
	if !told {
		if r.visit.reports.asked++; r.visit.reports.asked > mostReports {
			return &notGreen{why: fmt.Sprintf("the run has asked about %d commits already; the next one goes on", mostReports)}, nil
		}
		known := false
		var err error
		if r.Upstreams != nil {
			came, known, err = r.Upstreams.Combined(ctx, r.repo, url, commit)
		}
		switch {
		case err != nil && (ctx.Err() != nil || errors.Is(err, context.Canceled)):
			return nil, err
		case errors.Is(err, forge.ErrUnauthorized):
			r.Log.Warn("upstream checks not shown", "repo", r.repo.String(), "remote", gitname.Redact(url), "sha", commit, "err", err)
			return &notGreen{why: "its forge does not let the bot see its checks"}, nil
		case err != nil:
			r.Log.Warn("upstream checks not told", "repo", r.repo.String(), "remote", gitname.Redact(url), "sha", commit, "err", err)
			return &notGreen{why: "its forge does not answer now"}, nil
		case !known:
			return &notGreen{why: "none of the forges in odyssey.yaml serves " + gitname.Redact(url)}, nil
		}
		if r.visit.reports.came == nil {
			r.visit.reports.came = map[string]forge.Combined{}
		}
		r.visit.reports.came[key] = came
	}
	switch came {
	case forge.Green:
		return nil, nil //nolint:nilnil // it is green, as the comment says
	case forge.Pending:
		return &notGreen{"its checks have not ended", true}, nil
	case forge.Red:
		return &notGreen{"its checks failed", true}, nil
	}
	return &notGreen{"no status", true}, nil
}

// greenest narrows down how far a merge may move to the newest commit that is
// green, on the way that its ref took.
func (r *reconciler) greenest(ctx context.Context, s refresh.Standing, limit refresh.Limit, limited bool) (refresh.Limit, bool, error) {
	tip := s.Newest
	if limited {
		tip = limit.To
	}
	if tip == "" {
		return limit, true, nil
	}
	fault, err := r.green(ctx, s.URL, tip)
	if fault == nil || err != nil {
		return limit, limited, err
	}
	why := "its newest commit, " + tip[:7] + ", is not green yet: " + fault.why
	if limited {
		why = limit.Why + "; of those that are old enough the newest, " + tip[:7] + ", is not green yet: " + fault.why
	}
	limit.To, limit.Over = "", append(limit.Over, refresh.PassedOver{Commit: tip, Why: fault.why})
	if !fault.known {
		limit.Why = why
		return limit, true, nil
	}
	line, err := r.line(ctx, s, tip)
	if err != nil {
		return limit, true, err
	}
	for i, commit := range line {
		if fault, err = r.green(ctx, s.URL, commit); err != nil {
			return limit, true, err
		}
		if fault == nil {
			limit.To, limit.Why = commit, why+"; "+commit[:7]+" is the newest that is"
			return limit, true, nil
		}
		limit.Over = append(limit.Over, refresh.PassedOver{Commit: commit, Why: fault.why})
		if !fault.known {
			limit.Why = why + fmt.Sprintf("; of the %d before it, %s", i+1, fault.why)
			return limit, true, nil
		}
	}
	if len(line) > 0 {
		why += fmt.Sprintf("; nor is any of the %d commits before it", len(line))
	}
	limit.Why = why
	return limit, true, nil
}

// discreetly takes out of a limit what came of the checks of a remote that the
// repository must not tell of.
func (r *reconciler) discreetly(ctx context.Context, s refresh.Standing, limit refresh.Limit) (refresh.Limit, error) {
	if len(limit.Over) == 0 || r.repo.Private {
		return limit, nil
	}
	d, err := r.discretion(ctx, r.forge, r.repo, []string{s.URL}, nil)
	if err == nil && !d.Tells(s.URL) {
		limit.Why, limit.Over = "its newest commit is not yet one that "+refresh.ConfigFile+" lets through", nil
	}
	return limit, err
}

// line lists the commits before tip on the first-parent way to what is locked,
// the newest first, as many as may be asked about. Each has what is locked in its
// history, so that there is none when the ref was rewritten.
func (r *reconciler) line(ctx context.Context, s refresh.Standing, tip string) ([]string, error) {
	if r.Rehearser == nil {
		return nil, nil
	}
	bounded, cancel := context.WithTimeout(ctx, walkingBack)
	defer cancel()
	line, err := r.walk(bounded, s, tip)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		r.Log.Warn("commits before the newest not found", "repo", r.repo.String(), "remote", gitname.Redact(s.URL), "sha", tip, "err", err)
		return nil, nil
	}
	return line, nil
}

func (r *reconciler) walk(ctx context.Context, s refresh.Standing, tip string) (line []string, err error) {
	at := func(commit string) []git.Tip {
		return []git.Tip{{URL: s.URL, Want: git.Want{Commit: commit, Ref: s.Ref}}}
	}
	rehearsal, err := r.Rehearser.Rehearse(ctx, at(tip), at(s.Locked))
	if err != nil {
		return nil, err
	}
	defer rehearsal.Close() //nolint:contextcheck // a directory for temporary files
	all, rewritten, err := rehearsal.Line(ctx, s.Locked, tip)
	if err != nil || rewritten || len(all) < 2 {
		return nil, err
	}
	for _, commit := range all[1:min(len(all), mostCandidates)] {
		if relation, err := rehearsal.Relate(ctx, s.Locked, commit); err != nil || !relation.FastForward {
			return line, err
		}
		line = append(line, commit)
	}
	return line, nil
}
