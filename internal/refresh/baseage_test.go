package refresh_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/refresh"
)

// aging is a foundation whose images have to be known for an hour, and a clock.
type aging struct {
	*foundation
	memory refresh.Memory
	now    time.Time
	policy string
	named  bool
}

func newAging(t *testing.T, policy string) *aging {
	t.Helper()
	return &aging{newFoundation(t), memory{}, time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), "base: {minimumAge: 1h" + policy + "}", false}
}

// looks returns the tag or digest that a Dockerfile is to have, "" when it stays,
// and what is said.
func (a *aging) looks(image string, after time.Duration) (next, said string) {
	a.t.Helper()
	a.now = a.now.Add(after)
	parsed, err := config.ParseRepo(".odyssey.yaml", []byte(a.policy))
	if err != nil {
		a.t.Fatal(err)
	}
	source := &refresh.BaseImages{Registry: oci.New(oci.Options{Attempts: 1}), Now: func() time.Time { return a.now }, Memory: a.memory}
	offer, err := source.Offer(a.t.Context(), refresh.Repository{Policy: parsed, Tree: checkout{"Dockerfile": "FROM " + a.Host + "/" + image + "\n"}, Named: a.named})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, h := range offer.Held {
		said += h.Reason
	}
	if len(offer.Drafts) == 0 {
		if said != "" && offer.Waiting["odyssey/base"] == "" {
			a.t.Error("what is open is closed")
		}
		return "", said
	}
	_, next, _ = strings.Cut(strings.TrimSpace(string(offer.Drafts[0].Files[0].New)), "/")
	return next, said
}

// What is new waits its time, and on a line that moves often the newest is
// proposed that is old enough.
func TestBaseImages_minimumAge(t *testing.T) {
	t.Parallel()
	a := newAging(t, "")
	tag := func(n string) string { return "python:3.12." + n + "-slim@" + a.push("python:3.12."+n+"-slim", n) }
	one := tag("1")
	check := func(after time.Duration, want, wantSaid string) {
		t.Helper()
		got, said := a.looks(one, after)
		if got != want || said != wantSaid {
			t.Errorf("%s: %q, said %q; want %q, %q", a.now.Format("15:04"), got, said, want, wantSaid)
		}
	}
	check(0, "", "")
	two := tag("2")
	check(0, "", "its newest, 3.12.2-slim, is known since 2026-11-23 06:00 UTC; minimumAge has it wait until 2026-11-23 07:00 UTC")
	three := tag("3")
	check(59*time.Minute, "", "its newest, 3.12.3-slim, is known since 2026-11-23 06:59 UTC; minimumAge has it wait until 2026-11-23 07:59 UTC")
	check(time.Minute, two, "its newest, 3.12.3-slim, is known since 2026-11-23 06:59 UTC; minimumAge has it wait until 2026-11-23 07:59 UTC; 3.12.2-slim is the newest that is old enough")
	check(time.Hour, three, "")
}

// Under one tag the builds count; what somebody asks for by name does not wait, and
// stays proposed.
func TestBaseImages_minimumAgeOfBuilds(t *testing.T) {
	t.Parallel()
	a := newAging(t, ", follow: tag")
	first := "python:3.12@" + a.push("python:3.12", "1")
	a.looks(first, 0)
	second := "python:3.12@" + a.push("python:3.12", "2")
	if next, _ := a.looks(first, 30*time.Minute); next != "" {
		t.Error(next)
	}
	third := "python:3.12@" + a.push("python:3.12", "3")
	if next, _ := a.looks(first, 30*time.Minute); next != "" {
		t.Error(next)
	}
	if next, said := a.looks(first, 30*time.Minute); next != second {
		t.Errorf("%s, want %s: %s", next, second, said)
	}
	if next, _ := a.looks(third, 0); next != "" {
		t.Errorf("goes back to %s", next)
	}
	a.named = true
	if next, said := a.looks(first, 0); next != third || said != "" {
		t.Errorf("asked for: %s, %s", next, said)
	}
	a.named = false
	if next, _ := a.looks(first, 0); next != third {
		t.Errorf("after that: %s", next)
	}
}

func TestBaseImages_minimumAgeForgotten(t *testing.T) {
	t.Parallel()
	a := newAging(t, "")
	one := "python:3.12.1@" + a.push("python:3.12.1", "1")
	a.push("python:3.12.2", "2")
	a.memory = nil
	if next, said := a.looks(one, 0); next != "" || !strings.Contains(said, "nobody remembers") {
		t.Errorf("%s, %s", next, said)
	}
	kept := memory{}
	a.memory = kept
	a.looks(one, 0)
	for key := range kept {
		kept[key] = []byte("{")
	}
	if next, _ := a.looks(one, time.Hour); next != "" {
		t.Error(next)
	}
	if next, _ := a.looks(one, -3*time.Hour); next != "" {
		t.Error(next)
	}
	if next, _ := a.looks(one, time.Hour); next == "" {
		t.Error("a clock that was ahead keeps it waiting")
	}
}
