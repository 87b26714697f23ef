package bot_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/gitserver"
)

// reports is a bot.Upstreams: what was reported by commit.
type reports struct {
	came  map[string]forge.Combined
	asked []string
	err   error
	known bool
}

func (r *reports) Combined(_ context.Context, _ forge.Repo, _, commit string) (forge.Combined, bool, error) {
	r.asked = append(r.asked, commit)
	return r.came[commit], r.known, r.err
}

// greened is a scene in which ./web is on a server, with the commits that came
// after what is locked, the oldest first.
func greened(t *testing.T, n int) (s *scene, said *reports, ids []string) {
	t.Helper()
	s = newScene(t, "merges: {requireGreen: true}")
	srv := gitserver.New(t)
	repo := srv.Repo(t, "OCA/web")
	var all []string
	for i := range n + 1 {
		all = append(all, repo.Commit(t, "17.0", map[string]string{"f": fmt.Sprint(i)}))
	}
	client := git.New(git.Options{Policy: gitname.Operator(false), Environ: os.Environ(), Backoff: time.Millisecond})
	kept, err := client.OpenPartials("")
	must(t, err)
	t.Cleanup(func() { must(t, kept.Close()) })
	s.bot.URLs, err = gitname.Bot([]string{srv.URL})
	must(t, err)
	s.bot.Rehearser = kept
	said = &reports{came: map[string]forge.Combined{}, known: true}
	s.bot.Upstreams = said
	key := repo.URL + " 17.0"
	s.git.commits[key] = all[0]
	text := strings.ReplaceAll(repos, "https://git.example.org/web.git", repo.URL)
	s.push("main", map[string]string{refresh.ReposFile: text, refresh.LockFile: strings.NewReplacer("https://git.example.org/web.git", repo.URL, id(3), all[0]).Replace(s.newest())})
	s.git.commits[key] = all[n]
	return s, said, all[1:]
}

func TestRequireGreen(t *testing.T) {
	t.Parallel()
	s, said, ids := greened(t, 4)
	said.came[ids[3]], said.came[ids[1]], said.came[ids[0]] = forge.Red, forge.Green, forge.Green
	outcomes := s.run("./web opened")
	body := s.one().Body
	want := "**Not the newest:** `oca 17.0` moves to "
	if !strings.Contains(body, want) || !strings.Contains(body, "/commit/"+ids[3]+") (its checks failed), [`") || !strings.Contains(body, "/commit/"+ids[2]+") (no status).") {
		t.Errorf("%+v: text:\n%s", outcomes, body)
	}
	if lock, err := s.fake.File(t.Context(), s.repo, "odyssey/merge/web", refresh.LockFile); err != nil || !strings.Contains(string(lock), ids[1]) {
		t.Errorf("%v: proposed:\n%s", err, lock)
	}
	if got, want := fmt.Sprint(said.asked), fmt.Sprint([]string{ids[3], ids[2], ids[1]}); got != want {
		t.Errorf("asked about %s, want %s", got, want)
	}
	s.run("./web unchanged")
	explained, err := s.bot.Explain(t.Context(), s.fake, s.name)
	must(t, err)
	why := explained.Decisions[2].Why
	if want := fmt.Sprintf("its newest commit, %.7s, is not green yet: its checks failed; %.7s is the newest that is", ids[3], ids[1]); why != want || explained.Decisions[2].Verdict != refresh.Proposed {
		t.Errorf("explained: %+v", explained.Decisions[2])
	}
	said.came[ids[3]] = forge.Green
	s.run("./web updated")
}

// What nobody can say to be green is not proposed, and it is told why. A command
// that names the merge does not ask.
func TestRequireGreen_none(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(s *scene, said *reports, ids []string)
		want    string
		asked   int
	}{
		"no status at all": {func(*scene, *reports, []string) {}, "is not green yet: no status; nor is any of the 2 commits before it", 3},
		"none of many has ended": {func(_ *scene, said *reports, ids []string) {
			for _, id := range ids {
				said.came[id] = forge.Pending
			}
		}, "is not green yet: its checks have not ended; nor is any of the 2 commits before it", 3},
		"a host that nobody knows": {func(_ *scene, said *reports, _ []string) { said.known = false }, "none of the forges in odyssey.yaml serves http", 1},
		"a forge that is silent":   {func(_ *scene, said *reports, _ []string) { said.err = errors.New("token hunter2") }, "is not green yet: its forge does not answer now", 1},
		"may not see":              {func(_ *scene, said *reports, _ []string) { said.err = forge.ErrUnauthorized }, "does not let the bot see its checks", 1},
		"nobody asks":              {func(s *scene, _ *reports, _ []string) { s.bot.Upstreams = nil }, "none of the forges", 0},
		"nobody walks back":        {func(s *scene, _ *reports, _ []string) { s.bot.Rehearser = nil }, "is not green yet: no status", 1},
		"too young as well": {func(s *scene, _ *reports, _ []string) {
			s.bot.Memory = memory{}
			s.push("main", map[string]string{refresh.ConfigFile: "merges: {requireGreen: true, minimumAge: 1h}"})
		}, "minimumAge has it wait until", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, said, ids := greened(t, 3)
			test.prepare(s, said, ids)
			outcomes := s.run("./web held")
			if reason := outcomes[0].Reason; !strings.Contains(reason, test.want) || strings.Contains(reason, "hunter2") {
				t.Errorf("reason %q", reason)
			}
			if len(said.asked) != test.asked {
				t.Errorf("asked %d times: %v", len(said.asked), said.asked)
			}
			s.bot.Rehearser = nil
			s.demand(only("./web", "oca", "17.0", ""), "./web opened")
			if len(said.asked) != test.asked {
				t.Errorf("a command asks: %v", said.asked[test.asked:])
			}
		})
	}
}

// Of many commits a bounded number is asked about, and of held destinations none.
func TestRequireGreen_bounds(t *testing.T) {
	t.Parallel()
	s, said, _ := greened(t, 30)
	s.run("./web held")
	if len(said.asked) != 20 {
		t.Errorf("asked about %d commits", len(said.asked))
	}
	_, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{Destinations: []string{"./odoo"}})
	must(t, err)
	if len(said.asked) != 20 {
		t.Error("a command about another destination asks")
	}
}

// What came of the checks of a private remote is not told to everybody.
func TestFault_T1_RequireGreen(t *testing.T) {
	t.Parallel()
	s, said, ids := greened(t, 3)
	declared, err := s.fake.File(t.Context(), s.repo, "main", refresh.ReposFile)
	must(t, err)
	_, after, _ := strings.Cut(string(declared), "http://")
	s.git.closed, _, _ = strings.Cut(after, "/")
	said.came[ids[2]], said.came[ids[0]] = forge.Red, forge.Green
	s.run("./web opened")
	if body := s.one().Body; strings.Contains(body, "its checks failed") || strings.Contains(body, ids[2][:7]) {
		t.Errorf("text:\n%s", body)
	}
	explained, err := s.bot.Explain(t.Context(), s.fake, s.name)
	must(t, err)
	if why := explained.Decisions[2].Why; strings.Contains(why, "checks") || strings.Contains(why, ids[2][:7]) {
		t.Errorf("explained: %s", why)
	}
}
