package e2e

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to turn the clock of a schedule back

	"github.com/nuobit/odyssey/test/world"
)

// A schedule that came while the bot was down is made up for once, and D7: not
// as often as it was missed.
func TestFault_D7_ScheduleFires(t *testing.T) {
	s := newStage(t)
	server := s.Serve(t, world.ServeOptions{})
	store := s.path("odyssey.db")
	ticks := func(statement string) (rows int64) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+store+"?_pragma=busy_timeout(5000)")
		must(t, err)
		defer db.Close()
		result, err := db.ExecContext(t.Context(), statement)
		must(t, err)
		rows, err = result.RowsAffected()
		must(t, err)
		return rows
	}
	s.eventually(func() string {
		if ticks(`UPDATE odyssey_tick SET at = at WHERE key LIKE '% merges'`) != 1 {
			return "no tick is recorded"
		}
		return ""
	})
	server.Kill()
	if n := ticks(fmt.Sprintf(`UPDATE odyssey_tick SET at = at - %d WHERE key LIKE '%% merges'`, (48 * time.Hour).Nanoseconds())); n != 1 {
		t.Fatalf("%d ticks are of merges", n)
	}
	s.grow("odoo", hotfix, "[FIX] stock: one") // of which no webhook tells
	server = s.Serve(t, world.ServeOptions{})
	s.eventually(func() string {
		if len(s.pullRequests("open")) != 1 {
			return "the schedule opens no pull request"
		}
		return ""
	})
	db, err := sql.Open("sqlite", "file:"+store+"?mode=ro")
	must(t, err)
	defer db.Close()
	var runs int
	must(t, db.QueryRowContext(t.Context(), `SELECT wanted_generation FROM odyssey_target WHERE kind = 'merges'`).Scan(&runs))
	if runs > 3 { // one when it was first seen, by each process perhaps, and the one of twelve made up for
		t.Errorf("merges were asked for %d times", runs)
	}
	server.Kill()
}

// R4: two replicas share the work through PostgreSQL; either may be lost.
func TestFault_R4_Replicas(t *testing.T) {
	s := newStage(t)
	database, err := postgres()
	must(t, err)
	url, err := database.Database(t.Context())
	must(t, err)
	o := world.ServeOptions{Store: url}
	one, two := s.serve(o), s.serve(o) // each is told of each event
	k := s.talk()
	s.grow("odoo", hotfix, "[FIX] stock: one")
	var said []comment
	for i := range 6 {
		if i == 3 { // a push causes a job of another kind, perhaps in the other one
			s.commit("Say something", map[string]string{"README.md": "# Something\n"})
		}
		said = append(said, k.say(s.Owner, fmt.Sprintf("Number %d.\n\n/refresh ./odoo\n", i)))
	}
	s.eventually(func() string {
		if len(k.reactions(said[0])) == 0 {
			return "no command is taken"
		}
		return ""
	})
	one.Kill()
	for _, c := range said {
		k.ends(c, "rocket")
	}
	s.one()
	if all := s.pullRequests("all"); len(all) != 1 {
		t.Errorf("%d pull requests were opened", len(all))
	}
	if replies := k.replies(); len(replies) > len(said) {
		t.Errorf("%d replies to %d comments", len(replies), len(said))
	}

	three := s.Serve(t, world.ServeOptions{Store: url, Listen: strings.TrimPrefix(one.Webhooks, "http://")})
	two.Kill()
	s.grow("odoo", hotfix, "[FIX] stock: two")
	k.ends(k.say(s.Owner, "/refresh ./odoo"), "rocket")
	if pr := s.one(); !strings.Contains(pr.Title, "+2") {
		t.Errorf("the pull request is %q", pr.Title)
	}
	if !three.Ready(t.Context()) {
		t.Error("the last one is not ready")
	}
}
