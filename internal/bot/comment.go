package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/bot/command"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

// CommentItem is what an item of a job of the kind "commands" holds: a comment
// as an event told of it, or without the comment that Author edited the bot's
// issue of this number.
type CommentItem struct {
	Comment int64     `json:"comment"` // its id
	Number  int64     `json:"number"`  // of the pull request or issue
	Author  string    `json:"author"`
	Body    string    `json:"body"`
	Head    string    `json:"head,omitempty"` // of the pull request when the comment was written; "" when the event did not say
	Created time.Time `json:"created"`
	Bot     bool      `json:"bot,omitempty"`    // Author is known to be no person
	Ticked  []string  `json:"ticked,omitempty"` // commands whose boxes Author has ticked
}

// commands obeys the comments of a job, one after the other. After a fault
// that may pass, the next attempt goes on where this one stopped: what is
// finished has its last reaction.
func (w *Worker) commands(ctx context.Context, at place, job queue.Job) error {
	s := &session{Worker: w, at: at, attempt: job.Attempt, started: w.Bot.Now()}
	err := s.open(ctx)
	if err == nil && s.obeys() {
		for _, item := range job.Items {
			var told CommentItem
			switch {
			case json.Unmarshal(item.Data, &told) != nil || told.Comment < 0 || told.Comment == 0 && told.Number <= 0:
				at.log.Error("item is no comment")
			case told.Comment == 0:
				err = s.tick(ctx, told)
			default:
				err = s.treat(ctx, told)
			}
			if err != nil {
				break
			}
		}
	}
	return s.close(ctx, err)
}

// session is the work on one job's comments.
type session struct {
	*Worker
	at       place
	attempt  int
	started  time.Time
	repo     forge.Repo
	snapshot forge.Snapshot
	policy   config.Repo

	last     result // of the last run
	ran      bool
	judged   bool   // a run has seen whether the files have faults
	fault    string // them, in public words; "" when there are none
	broken   error  // them; nil when there are none
	judge    result // of the run that has seen it
	now      *holds // what is held since a command changed it; nil when none did
	outcomes []Outcome
	trigger  []string // logins whose commands were taken
	taken    []string // these commands, as they were written
	ticked   ticked
}

// open reads the repository and its policy.
func (s *session) open(ctx context.Context) (err error) {
	s.repo, err = s.at.forge.Repo(ctx, s.at.name)
	if errors.Is(err, forge.ErrNotFound) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if err != nil || s.repo.Archived || s.repo.Empty {
		return err
	}
	s.snapshot, err = s.at.forge.Snapshot(ctx, s.repo, refresh.Files())
	if faults, others := faultsOf(err); len(faults) > 0 && !others {
		err = nil // a run says so
	}
	if err != nil {
		return err
	}
	// With a broken policy the default one decides who may ask, and the run
	// says what is broken.
	if s.policy, err = config.ParseRepo(refresh.ConfigFile, s.snapshot.Files[refresh.ConfigFile]); err != nil {
		s.policy = config.DefaultRepo()
	}
	return nil
}

func (s *session) obeys() bool {
	return !s.repo.Archived && !s.repo.Empty && s.policy.Commands.Enabled
}

// close reports on the session. It returns its error, or why the dashboard could
// not be kept.
func (s *session) close(ctx context.Context, err error) error {
	report := s.report(s.at, kindCommands, s.started, s.repo)
	report.Outcomes, report.Commands, report.Error = s.outcomes, s.taken, publicly(err)
	if len(s.trigger) > 0 {
		report.Trigger = "comment by " + strings.Join(slices.Compact(s.trigger), ", ")
	}
	before, known := s.Worker.last(ctx, s.at.subject)
	report.Destinations = s.last.destinations(before.Destinations, report.Finished)
	report.Pulls = s.last.pulls(before.Pulls)
	if s.now != nil {
		noteHolds(report.Destinations, *s.now)
	}
	s.put(ctx, report)
	if s.judged && err == nil {
		s.check(ctx)
	}
	if s.judged {
		before.Error = s.fault
	}
	if known && (s.ran || s.judged || s.now != nil) {
		before.Destinations, before.Pulls = report.Destinations, report.Pulls
		s.put(ctx, before)
	}
	if looked := s.ran || s.now != nil || len(s.ticked.commands) > 0; err != nil || s.fault != "" || !looked {
		return err
	}
	return s.keepDashboard(ctx, s.at, s.repo, s.policy, s.ticked)
}

// talk is one comment that is being treated.
type talk struct {
	forge.Comment
	head   string // of the pull request when it was written; "" when not known
	seen   string // head of the pull request that the reply is to name; "" none
	taken  bool   // an earlier attempt has begun with it
	pull   *forge.PullRequest
	branch forge.Branch // the pull request's; zero of a fork's, and when it is gone
}

// treat obeys one comment. It asks again for all that an event may have told
// wrongly or too early.
func (s *session) treat(ctx context.Context, told CommentItem) error {
	if told.Body != "" && len(command.Parse(told.Body)) == 0 {
		return nil
	}
	done, err := s.at.forge.Reactions(ctx, s.repo, told.Comment)
	if errors.Is(err, forge.ErrNotFound) || slices.Contains(done, forge.Done) || slices.Contains(done, forge.Confused) {
		return nil // deleted, or treated
	}
	if err != nil {
		return err
	}
	comment, err := s.at.forge.Comment(ctx, s.repo, told.Comment)
	if errors.Is(err, forge.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	all := command.Parse(comment.Body)
	if len(all) == 0 || comment.Bot || strings.EqualFold(comment.Author, s.repo.Account) {
		return nil
	}
	t := &talk{Comment: comment, head: told.Head, taken: slices.Contains(done, forge.Seen)}
	if t.taken {
		if finished, err := s.finish(ctx, t); finished || err != nil {
			return err
		}
	}
	reason, err := s.forbids(ctx, t, told)
	if err != nil {
		return err
	}
	if reason != "" {
		return s.reply(ctx, t, []answer{{text: reason, refused: true}})
	}
	if !t.taken {
		if err := s.at.forge.React(ctx, s.repo, t.ID, forge.Seen); err != nil {
			return err
		}
	}
	s.trigger = append(s.trigger, t.Author)
	if t.OnPull {
		if err := s.look(ctx, t); err != nil {
			return err
		}
	}
	return s.obey(ctx, t, all)
}

// forbids says why a comment is not obeyed, "" when it is.
func (s *session) forbids(ctx context.Context, t *talk, told CommentItem) (string, error) {
	may, err := s.at.forge.Permission(ctx, s.repo, t.Author)
	switch {
	case errors.Is(err, forge.ErrUnauthorized):
		s.at.log.Error("permission not told", "err", err)
		return "The forge does not tell me who may write here. That is for the operator of this bot to mend: its account must be allowed to ask.", nil
	case err != nil:
		return "", err
	case !s.policy.Commands.Allow.May(t.Author, may >= forge.MayWrite, may >= forge.MayAdminister):
		return "I take commands only from " + s.obeyed() + ".", nil
	case t.Edited() || told.Body != "" && normal(told.Body) != normal(t.Body):
		return "This comment was edited, and I obey none that was. Write a new one.", nil
	}
	return "", nil
}

// obeyed says whose commands are.
func (s *session) obeyed() string {
	return strings.TrimSuffix(refresh.Inline(s.policy.Commands.Allow.String()), ",")
}

// normal is a text without the differences that forges make between what they
// send and what they keep.
func normal(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
}

// look reads the pull request that was commented on.
func (s *session) look(ctx context.Context, t *talk) error {
	pr, err := s.at.forge.PullRequest(ctx, s.repo, t.Number)
	if errors.Is(err, forge.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	t.pull = &pr
	if pr.FromFork || pr.State != forge.Open {
		return nil
	}
	t.branch, err = s.at.forge.Branch(ctx, s.repo, pr.Head)
	if errors.Is(err, forge.ErrNotFound) {
		return nil
	}
	return err
}
