package queue_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/queue"
)

// sound fails unless the store's tables hold together.
func sound(t *testing.T, s *scene, q *queue.Queue) {
	t.Helper()
	for what, query := range map[string]string{
		"target without its job": `SELECT COUNT(*) FROM odyssey_target WHERE job <> 0 AND job NOT IN
			(SELECT id FROM river_job WHERE state IN ('available', 'scheduled', 'retryable', 'running'))`,
		"job without its target": `SELECT COUNT(*) FROM river_job WHERE state IN ('available', 'scheduled', 'retryable', 'running')
			AND id NOT IN (SELECT job FROM odyssey_target)`,
		"item that waits for no job": `SELECT COUNT(*) FROM odyssey_item i WHERE i.state = 'waiting' AND NOT EXISTS
			(SELECT 1 FROM odyssey_target t WHERE t.subject = i.subject AND t.kind = i.kind AND t.job <> 0)`,
	} {
		if n, err := q.Count(t.Context(), query); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
	if s.kind != "sqlite" {
		return
	}
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", " ", "%20").Replace(s.path)+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %s, %v", verdict, err)
	}
}

// What was committed is known after a kill, whether a 2xx was sent or not:
// nothing is lost, and a redelivery has no second effect.
func TestFault_C2_killedAfterCommit(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		p := s.start(t, "accept")
		p.expect(t, "open")
		var committed []string
		for range 100 {
			committed = append(committed, strings.TrimPrefix(p.next(t), "committed "))
		}
		p.kill()
		for line := range p.lines {
			committed = append(committed, strings.TrimPrefix(line, "committed "))
		}
		q := s.open(t, nil)
		sound(t, s, q)
		for _, id := range committed {
			if accept(t, q, id, merges("a/"+id), command("a/b", id)) {
				t.Errorf("delivery %s is lost", id)
			}
		}
		var (
			log   runLog
			items []string
			runs  = map[string]int{}
		)
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		settled(t, q)
		for _, j := range log.all() {
			runs[j.Subject+" "+j.Kind]++
			items = append(items, itemIDs(j)...)
		}
		for _, id := range committed {
			if n := runs["gitea:a/"+id+" merges"]; n != 1 {
				t.Errorf("delivery %s ran %d times", id, n)
			}
			if !strings.Contains(" "+strings.Join(items, " ")+" ", " "+id+" ") {
				t.Errorf("item %s is lost", id)
			}
		}
		sound(t, s, q)
	})
}

func TestFault_C9_killedWhileItRan(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		first := s.open(t, nil)
		want(t, first, command("a/b", "1"))
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		p := s.start(t, "work")
		p.expect(t, "open")
		p.expect(t, "run gitea:a/b")
		p.kill()

		q := s.open(t, nil)
		accept(t, q, "new", command("a/b", "2"))
		var log runLog
		work(t, q, func(ctx context.Context, job queue.Job) error {
			log.add(job)
			return job.Fence(ctx)
		})
		until(t, "it runs", func() bool { return len(log.all()) > 0 })
		settled(t, q)
		got := log.all()
		if len(got) != 1 || got[0].Attempt != 2 || !cmp.Equal(itemIDs(got[0]), []string{"1", "2"}) {
			t.Errorf("ran %+v", got)
		}
		sound(t, s, q)
	})
}

// A job that kills its process each time is dead after all its attempts.
func TestFault_C9_killsItsProcess(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, func(o *queue.Options) { o.Attempts = 2 })
		want(t, q, command("a/b", "1"))
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			p := s.start(t, "work")
			p.expect(t, "open")
			p.expect(t, "run gitea:a/b")
			p.kill()
		}
		q = s.open(t, nil)
		work(t, q, func(context.Context, queue.Job) error {
			t.Error("it runs once more")
			return nil
		})
		settled(t, q)
		dead := jobs(t, q, queue.Dead)
		if len(dead) != 1 || !strings.Contains(dead[0].Error, "ended or was halted") {
			t.Errorf("%+v", jobs(t, q))
		}
		sound(t, s, q)
	})
}

func TestFault_R1_storeIsFull(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		fill, free := `PRAGMA max_page_count = 1`, `PRAGMA max_page_count = 1000000`
		if s.kind == "postgres" {
			// PostgreSQL's own error for it, from its own server.
			if err := q.Exec(t.Context(), `CREATE FUNCTION full_disk() RETURNS trigger AS $$
				BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql`); err != nil {
				t.Fatal(err)
			}
			fill = `CREATE TRIGGER full_disk BEFORE INSERT ON odyssey_item EXECUTE FUNCTION full_disk()`
			free = `DROP TRIGGER full_disk ON odyssey_item`
		}
		if err := q.Exec(t.Context(), fill); err != nil {
			t.Fatal(err)
		}
		var err error
		taken := 0
		for err == nil && taken < 1000 { // what is left of the last pages
			r := command("a/b", fmt.Sprint(taken))
			r.Item.Data = []byte(`"` + strings.Repeat("x", 10_000) + `"`)
			if _, err = q.Accept(t.Context(), queue.Delivery{Source: "gitea", ID: fmt.Sprint(taken), Event: "push"}, r); err == nil {
				taken++
			}
		}
		if !errors.Is(err, queue.ErrFull) || !strings.Contains(err.Error(), "make room") {
			t.Errorf("a full store says %v", err)
		}
		if s.kind == "sqlite" { // the other one is full for items alone
			if err := q.Ready(t.Context()); !errors.Is(err, queue.ErrFull) {
				t.Errorf("a full store is ready: %v", err)
			}
		}
		if err := q.Exec(t.Context(), free); err != nil {
			t.Fatal(err)
		}
		if err := q.Ready(t.Context()); err != nil {
			t.Errorf("with room again: %v", err)
		}
		if !accept(t, q, fmt.Sprint(taken), command("a/b", fmt.Sprint(taken))) {
			t.Error("what was refused is known")
		}
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		settled(t, q)
		if got := log.all(); len(got) != 1 || len(got[0].Items) != taken+1 {
			t.Errorf("ran %d jobs after %d deliveries", len(got), taken+1)
		}
		sound(t, s, q)
	})
}

// Two replicas share the work. When one is killed, the leader or not, the
// other does all of it: what the first was at, what is for later, and ticks.
func TestFault_R4_leaderIsKilled(t *testing.T) {
	t.Parallel()
	s := postgresScene(t)
	p := s.start(t, "work")
	p.expect(t, "open")
	q := s.open(t, nil)
	until(t, "the child leads", func() bool {
		n, err := q.Count(t.Context(), "SELECT COUNT(*) FROM river_leader")
		return err == nil && n == 1
	})
	var log runLog
	work(t, q, func(ctx context.Context, job queue.Job) error {
		log.add(job)
		return job.Fence(ctx)
	})
	const n = 40
	for i := range n {
		want(t, q, merges(fmt.Sprintf("%d/quick", i)))
	}
	settled(t, q)
	byChild := 0
	seen := map[string]int{}
	for len(p.lines) > 0 {
		seen[strings.TrimPrefix(p.next(t), "run ")]++
		byChild++
	}
	for _, j := range log.all() {
		seen[j.Subject]++
	}
	for subject, n := range seen {
		if n != 1 {
			t.Errorf("%s ran %d times", subject, n)
		}
	}
	if len(seen) != n || byChild == 0 || byChild == n {
		t.Errorf("%d ran, %d of them by the child; want %d, and some of them", len(seen), byChild, n)
	}

	// Have the child at a slow job, and kill it.
	for i := 0; len(p.lines) == 0; i++ {
		want(t, q, merges(fmt.Sprintf("%d/slow", i)))
		time.Sleep(50 * time.Millisecond)
	}
	slow := strings.TrimPrefix(p.next(t), "run ")
	p.kill()
	later := merges("a/later")
	later.Delay = 2 * time.Second
	want(t, q, later)
	if ok, err := q.Tick(t.Context(), "k", time.Now(), merges("a/tick")); !ok || err != nil {
		t.Errorf("tick: %v, %v", ok, err)
	}
	settled(t, q)
	runs := map[string]int{}
	for _, j := range log.all() {
		runs[j.Subject]++
	}
	for _, subject := range []string{slow, "gitea:a/later", "gitea:a/tick"} {
		if runs[subject] != 1 {
			t.Errorf("%s ran %d times", subject, runs[subject])
		}
	}
	sound(t, s, q)
}

// A replica that was halted for so long that another does its job learns so
// when it asks, and its end of the job counts for nothing.
func TestFault_R5_haltedPastRescue(t *testing.T) {
	t.Parallel()
	for _, repo := range []string{"a/succeeds", "a/fails"} { // in the halted process
		t.Run(repo, func(t *testing.T) {
			t.Parallel()
			haltedPastRescue(t, repo)
		})
	}
}

func haltedPastRescue(t *testing.T, repo string) {
	t.Helper()
	s := postgresScene(t)
	q := s.open(t, nil)
	want(t, q, command(repo, "1"))
	p := s.start(t, "work")
	p.expect(t, "open")
	p.expect(t, "run gitea:"+repo)
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var log runLog
	proceed := make(chan struct{})
	work(t, q, func(ctx context.Context, job queue.Job) error {
		log.add(job)
		select {
		case <-proceed:
		case <-ctx.Done():
		}
		return job.Fence(ctx)
	})
	until(t, "it runs here", func() bool { return len(log.all()) == 1 })
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	p.expect(t, "fence "+queue.ErrFenced.Error())
	// Its River writes the end of the job a little later.
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	p.expect(t, "worked <nil>")
	if got := jobs(t, q, queue.Running); len(got) != 1 || got[0].ID != log.all()[0].ID {
		t.Errorf("running: %+v", got)
	}
	want(t, q, command(repo, "2"))
	close(proceed)
	until(t, "two runs", func() bool { return len(log.all()) == 2 })
	settled(t, q)
	got := log.all()
	if len(got) != 2 || !cmp.Equal(itemIDs(got[0]), []string{"1"}) || !cmp.Equal(itemIDs(got[1]), []string{"2"}) || got[0].Attempt != 2 {
		t.Errorf("ran %+v", got)
	}
	sound(t, s, q)
}

func TestFault_R6_migrateAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		const n = 4
		var children []*process
		for range n {
			children = append(children, s.start(t, "open"))
		}
		open := 0
		for _, p := range children {
			line := p.next(t)
			if line == "open" {
				open++
			} else if s.kind != "sqlite" || !strings.Contains(line, "another odyssey-bot uses "+s.path) {
				t.Errorf("a process says %q", line)
			}
		}
		if wanted := map[string]int{"sqlite": 1, "postgres": n}[s.kind]; open != wanted {
			t.Errorf("%d of %d processes have the store; want %d", open, n, wanted)
		}
		for _, p := range children {
			p.kill()
		}
		q := s.open(t, nil) // the lock went with its process
		sound(t, s, q)
	})
}
