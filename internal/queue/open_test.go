package queue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/postgrestest"
)

// lockedBuffer is a log that many write and one reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestOpen_leavesNoGoroutine(t *testing.T) { //nolint:paralleltest // it counts the goroutines of the process
	postgrestest.New(t)
	ignore := goleak.IgnoreCurrent()
	for _, s := range []*scene{
		{kind: "sqlite", path: filepath.Join(t.TempDir(), "queue.db")},
		{kind: "postgres", url: postgrestest.URL(t)},
	} {
		q, err := queue.Open(t.Context(), s.options())
		if err != nil {
			t.Fatal(err)
		}
		want(t, q, merges("a/b"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- q.Work(ctx, workFunc(func(context.Context, queue.Job) error { return nil })) }()
		settled(t, q)
		if err := q.Work(ctx, nil); err == nil {
			t.Error("two work on one queue")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := q.Want(t.Context(), merges("a/b")); err == nil {
			t.Error("a closed queue took a request")
		}
		if err := q.Ready(t.Context()); err == nil {
			t.Error("a closed queue is ready")
		}
	}
	goleak.VerifyNone(t, ignore)
}

// The password is in no error and no log, whatever is wrong with the URL.
func TestFault_T1_storeURL(t *testing.T) {
	t.Parallel()
	good := postgrestest.URL(t)
	const canary = "c4n4ry-p4ssw0rd"
	change := func(f func(u *url.URL)) string {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("c4n4ry-us3r", canary)
		f(u)
		return u.String()
	}
	for name, u := range map[string]string{
		"wrong password": change(func(*url.URL) {}),
		"nobody there":   change(func(u *url.URL) { u.Host = "127.0.0.1:1" }),
		"no such host":   change(func(u *url.URL) { u.Host = "c4n4ry-h0st.invalid" }),
		"bad port":       change(func(u *url.URL) { u.Host = "127.0.0.1:65536" }),
		"bad option":     change(func(u *url.URL) { u.RawQuery = "sslmode=c4n4ry-m0de" }),
		"bad file":       change(func(u *url.URL) { u.RawQuery = "sslmode=verify-full&sslrootcert=/c4n4ry-f1le" }),
		"bad escape":     "postgres://c4n4ry-us3r:%zz" + canary + "@127.0.0.1/x",
		"another scheme": "mysql://c4n4ry-us3r:" + canary + "@127.0.0.1/x",
		"no URL":         "host=127.0.0.1 password=" + canary,
		"spaces":         "postgres://c4n4ry-us3r:" + canary + " @127.0.0.1/x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lockedBuffer
			q, err := queue.Open(t.Context(), queue.Options{URL: secret.New(u), Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			if err == nil {
				_ = q.Close()
				t.Fatal("it opened")
			}
			if text := err.Error() + log.String(); strings.Contains(text, "c4n4ry") {
				t.Errorf("the URL shows: %s", text)
			}
			t.Log(err)
		})
	}
}

// River logs what the database says; a connection that breaks is reported at
// length, and without the password.
func TestFault_T1_brokenConnection(t *testing.T) {
	t.Parallel()
	srv := postgrestest.New(t)
	u := postgrestest.URL(t)
	var log lockedBuffer
	o := (&scene{url: u}).options()
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	q, err := queue.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	work(t, q, func(context.Context, queue.Job) error { return nil })
	want(t, q, merges("a/b"))
	settled(t, q)
	parsed, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(parsed.Path, "/")
	if err := srv.Exec(t.Context(), "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false"); err != nil {
		t.Fatal(err)
	}
	kill := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'"
	if err := srv.Exec(t.Context(), kill); err != nil {
		t.Fatal(err)
	}
	until(t, "somebody complains", func() bool { return strings.Count(log.String(), "level=") > 3 })
	if err := q.Want(t.Context(), merges("a/b")); err == nil || strings.Contains(err.Error(), srv.Password) {
		t.Errorf("without its database it says %v", err)
	}
	if err := q.Ready(t.Context()); err == nil || strings.Contains(err.Error(), srv.Password) {
		t.Errorf("without its database it says %v", err)
	}
	if err := srv.Exec(t.Context(), "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is ready again", func() bool { return q.Ready(t.Context()) == nil })
	want(t, q, merges("a/b"))
	settled(t, q)
	if text := log.String(); strings.Contains(text, srv.Password) || strings.Contains(text, u) {
		t.Errorf("the password is in the log:\n%s", text)
	}
}

func TestOpen_storeOfANewerProgram(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		if err := q.Exec(t.Context(), "INSERT INTO odyssey_schema (version) VALUES (999)"); err != nil {
			t.Fatal(err)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		for _, attach := range []bool{false, true} {
			o := s.options()
			o.Attach = attach
			if _, err := queue.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "newer odyssey-bot") {
				t.Errorf("attach %v: %v", attach, err)
			}
		}
	})
}

func TestOpen_faults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noise := filepath.Join(dir, "noise.db")
	if err := os.WriteFile(noise, bytes.Repeat([]byte("noise "), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    queue.Options
		want string
	}{
		"neither":      {queue.Options{}, "either the path"},
		"both":         {queue.Options{Path: "x", URL: secret.New("postgres://x")}, "either the path"},
		"negative":     {queue.Options{Path: filepath.Join(dir, "a.db"), Workers: -1}, "negative"},
		"no database":  {queue.Options{Path: noise}, "no database any more"},
		"a directory":  {queue.Options{Path: dir}, "directory"},
		"no directory": {queue.Options{Path: filepath.Join(dir, "no", "a.db")}, "there is no directory"},
		"below a file": {queue.Options{Path: filepath.Join(noise, "x.db")}, "not a directory"},
	} {
		q, err := queue.Open(t.Context(), c.o)
		if err == nil {
			_ = q.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func TestOpen_fileIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &scene{kind: "sqlite", path: filepath.Join(dir, "queue.db")}
	want(t, s.open(t, nil), merges("a/b"))
	for _, name := range []string{"queue.db", "queue.db-wal", "queue.db-shm", "queue.db.lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// What is old is forgotten, what waits or is dead for less than Keep is not.
func TestQueue_forgets(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		var mu sync.Mutex
		now := time.Now()
		q := s.open(t, func(o *queue.Options) {
			o.Keep = 30 * 24 * time.Hour
			o.Now = func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				return now
			}
		})
		stop := work(t, q, func(_ context.Context, job queue.Job) error {
			if job.Subject == "gitea:a/dead" {
				return queue.Park(errors.New("no luck"))
			}
			return nil
		})
		accept(t, q, "1", command("a/done", "1"), command("a/dead", "1"))
		settled(t, q)
		stop()
		waits := command("a/waits", "1")
		waits.Delay = time.Hour
		accept(t, q, "2", waits)
		count := func() (n [2]int) {
			for i, table := range []string{"odyssey_delivery", "odyssey_item"} {
				var err error
				if n[i], err = q.Count(t.Context(), "SELECT COUNT(*) FROM "+table); err != nil {
					t.Fatal(err)
				}
			}
			return n
		}
		for _, c := range []struct {
			after time.Duration
			want  [2]int
		}{{29 * 24 * time.Hour, [2]int{2, 3}}, {2 * 24 * time.Hour, [2]int{0, 1}}} {
			mu.Lock()
			now = now.Add(c.after)
			mu.Unlock()
			if err := q.Tend(t.Context(), "nobody"); err != nil {
				t.Fatal(err)
			}
			if got := count(); got != c.want {
				t.Errorf("after %v: %d deliveries and items; want %d", c.after, got, c.want)
			}
		}
		if !accept(t, q, "1") {
			t.Error("a forgotten delivery is known")
		}
	})
}

// Whatever ends a job without us, the next request of its subject has one.
func TestQueue_mendsWhatOthersDid(t *testing.T) {
	t.Parallel()
	both(t, func(s *scene) {
		t := s.T
		q := s.open(t, nil)
		want(t, q, command("a/gone", "1"), command("a/dead", "1"), command("a/again", "1"), command("a/unrecorded", "1"))
		for _, sql := range []string{
			"DELETE FROM river_job WHERE args ->> 'subject' = 'gitea:a/gone'",
			"UPDATE river_job SET state = 'discarded', finalized_at = CURRENT_TIMESTAMP WHERE args ->> 'subject' IN ('gitea:a/dead', 'gitea:a/again')",
			"UPDATE river_job SET state = 'completed', finalized_at = CURRENT_TIMESTAMP WHERE args ->> 'subject' = 'gitea:a/unrecorded'",
		} {
			if err := q.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		want(t, q, command("a/again", "2"))
		if err := q.Tend(t.Context(), "nobody"); err != nil {
			t.Fatal(err)
		}
		sound(t, s, q)
		var log runLog
		work(t, q, func(_ context.Context, job queue.Job) error {
			log.add(job)
			return nil
		})
		settled(t, q)
		got := map[string]string{}
		for _, j := range log.all() {
			got[j.Subject] = strings.Join(itemIDs(j), " ")
		}
		if len(got) != 3 || got["gitea:a/gone"] != "1" || got["gitea:a/unrecorded"] != "1" || got["gitea:a/again"] != "1 2" {
			t.Errorf("ran %v", got)
		}
		for _, d := range jobs(t, q, queue.Dead) {
			if d.Subject != "gitea:a/dead" {
				continue
			}
			retry(t, q, d.ID)
		}
		settled(t, q)
		if j := log.all()[3]; j.Subject != "gitea:a/dead" || len(j.Items) != 1 {
			t.Errorf("ran %+v", j)
		}
	})
}

// A replica is not taken for dead while it answers, whatever its clock says.
func TestFault_R3_clocksDiffer(t *testing.T) {
	t.Parallel()
	s := postgresScene(t)
	late := s.open(t, func(o *queue.Options) {
		o.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
		o.Lease = time.Second
	})
	var log runLog
	proceed := make(chan struct{})
	work(t, late, func(ctx context.Context, job queue.Job) error {
		log.add(job)
		<-proceed
		return job.Fence(ctx)
	})
	want(t, late, merges("a/b"))
	until(t, "it runs", func() bool { return len(log.all()) == 1 })
	early := s.open(t, func(o *queue.Options) {
		o.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
		o.Lease = time.Second
	})
	work(t, early, func(_ context.Context, job queue.Job) error {
		log.add(job)
		return nil
	})
	time.Sleep(3 * time.Second)
	close(proceed)
	settled(t, early)
	if n := len(log.all()); n != 1 {
		t.Errorf("%d runs", n)
	}
}

// Where the file is taken away, nothing more is accepted, and what runs counts
// no more: another process may work on the next one.
func TestQueue_fileTakenAway(t *testing.T) {
	t.Parallel()
	s := &scene{kind: "sqlite", path: filepath.Join(t.TempDir(), "queue.db")}
	q := s.open(t, nil)
	began, fenced := make(chan struct{}), make(chan error, 1)
	work(t, q, func(ctx context.Context, job queue.Job) error {
		close(began)
		for ctx.Err() == nil {
			if err := job.Fence(ctx); err != nil {
				fenced <- err
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
		return ctx.Err()
	})
	want(t, q, merges("a/b"))
	<-began
	for _, name := range []string{"", "-wal", "-shm", ".lock"} {
		if err := os.Remove(s.path + name); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-fenced; !errors.Is(err, queue.ErrFenced) {
		t.Errorf("the job goes on: %v", err)
	}
	if _, err := q.Accept(t.Context(), queue.Delivery{Source: "gitea", ID: "1", Event: "push"}, merges("a/b")); err == nil || !strings.Contains(err.Error(), "taken away") {
		t.Errorf("a delivery is accepted: %v", err)
	}
	if err := q.Ready(t.Context()); err == nil {
		t.Error("it is ready")
	}
	other := s.open(t, nil)
	want(t, other, merges("a/b"))
	if err := q.Want(t.Context(), merges("a/b")); err == nil {
		t.Error("it works on another's file")
	}
}
