package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

func open(body string) []forge.Issue {
	return []forge.Issue{{Number: 1, State: forge.Open, Body: body}}
}

// What is written is read back, whatever names have in them.
func TestMemory_roundTrip(t *testing.T) {
	t.Parallel()
	repo := forge.Repo{WebURL: "https://forge.example.org/a/b"}
	since := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	for _, name := range []string{"./odoo", "a-->b", "<!-- odyssey holds [] -->", "@org\n<!-- x", "]} -->", "ü \u202e", `"\`, "--"} {
		all := []hold{{Dest: name, By: name, URL: "https://forge.example.org/a/b/issues/1", Since: since}, {Dest: "./other", By: "ana", Since: since}}
		body := holdsBody(repo, all)
		for _, text := range []string{body, strings.ReplaceAll(body, "\n", "\r\n"), "Before.\n" + body + "\nAfter."} {
			got := readHolds(open(text))
			if diff := cmp.Diff(all, got.all); diff != "" || len(got.issues) != 1 {
				t.Errorf("%q (-want +got):\n%s", name, diff)
			}
		}
		choices := []refresh.Choice{{Dest: name, Remote: name, Ref: name, By: name, To: strings.Repeat("a", 40), URL: repo.WebURL + "/issues/1"}}
		r := &reconciler{keeper: keeper{repo: repo}}
		text := marked("Text.\n"+markChoices(choices), testMark("1"))
		if diff := cmp.Diff(choices, r.readChoices(text)); diff != "" || readMark(text) != testMark("1") || strings.Count(text, "-->") != 2 {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadHolds(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"none": "", "no list": "<!-- odyssey holds {} -->", "cut": `<!-- odyssey holds [{"dest":"a"}`, "quoted": `> <!-- odyssey holds [{"dest":"a"}] -->`,
		"in a line": `x <!-- odyssey holds [{"dest":"a"}] -->`, "too long": "<!-- odyssey holds [" + strings.Repeat(" ", maxMark) + `{"dest":"a"}] -->`,
		"empty name": `<!-- odyssey holds [{"dest":""}] -->`, "wrong kind": `<!-- odyssey holds [{"dest":1}] -->`,
	} {
		if got := readHolds(open(body)); len(got.all) > 0 {
			t.Errorf("%s: %+v", name, got.all)
		}
	}
	closed := forge.Issue{Number: 2, State: forge.Closed, Body: `<!-- odyssey holds [{"dest":"b"}] -->`}
	two := append(open(`<!-- odyssey holds [{"dest":"./a"},{"dest":"a"}] -->`), closed, forge.Issue{Number: 3, State: forge.Open, Body: `<!-- odyssey holds [{"dest":"a"},{"dest":"c"}] -->`})
	if got := readHolds(two); strings.Join(got.destinations(), " ") != "./a c" || len(got.issues) != 2 {
		t.Errorf("%+v", got)
	}
}

// A reply's mark is its last line, whatever is quoted before.
func TestReplyMark(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"x\n\n" + replyMark(7, false):             true,
		"x\r\n\r\n" + replyMark(7, true) + "\r\n": true,
		replyMark(7, false):                       true,
		replyMark(7, false) + "\n\nx":             false,
		"x " + replyMark(7, false):                false,
		"> " + replyMark(7, false):                false,
		"x":                                       false,
	} {
		if got := replyPattern.MatchString(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// What would not be read back is refused, not written.
func TestHolds_full(t *testing.T) {
	t.Parallel()
	var all []hold
	for len(all) < 300 {
		for range 20 {
			all = append(all, hold{Dest: fmt.Sprintf("./%0150d", len(all)), By: "ana"})
		}
		err := holds{}.write(t.Context(), sink{}, forge.Repo{}, all)
		refused := (*RefusedError)(nil)
		if errors.As(err, &refused) {
			if len(all) < 50 {
				t.Errorf("full after %d", len(all))
			}
			return
		}
		if got := readHolds(open(holdsBody(forge.Repo{}, all))); err != nil || len(got.all) != len(all) {
			t.Fatalf("%d holds: error %v, %d are read back", len(all), err, len(got.all))
		}
	}
	t.Error("never full")
}

// sink takes issues.
type sink struct{ Forge }

func (sink) CreateIssue(context.Context, forge.Repo, forge.NewIssue) (forge.Issue, error) {
	return forge.Issue{}, nil
}

func FuzzMemory(f *testing.F) {
	f.Add(`<!-- odyssey holds [{"dest":"./a","since":"2026-11-23T06:00:00Z"}] -->`)
	f.Add(`<!-- odyssey chosen [{"dest":"./a","remote":"r","ref":"f","to":"x"}] -->` + "\r\n")
	f.Add("x\n\n<!-- odyssey reply=7 done -->")
	f.Fuzz(func(t *testing.T, body string) {
		held := readHolds(open(body))
		if len(held.all) > maxHolds {
			t.Errorf("%d holds", len(held.all))
		}
		again := readHolds(open(holdsBody(forge.Repo{}, held.all)))
		if len(again.all) != len(held.all) && len(body) < maxMark/10 {
			t.Errorf("%+v became %+v", held.all, again.all)
		}
		r := &reconciler{keeper: keeper{repo: forge.Repo{WebURL: "https://forge.example.org/a/b"}}}
		for _, c := range r.readChoices(body) {
			if c.To != "" && !gitname.IsObjectID(c.To) || c.URL != "" && !strings.HasPrefix(c.URL, r.repo.WebURL) {
				t.Errorf("%+v", c)
			}
		}
	})
}
