package forgetest

import (
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

func (b bench) comments(t *testing.T, number int64) []forge.Comment {
	t.Helper()
	got, err := b.Forge.Comments(t.Context(), b.repo, number)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (b bench) say(t *testing.T, number int64, body string) forge.Comment {
	t.Helper()
	got, err := b.Forge.AddComment(t.Context(), b.repo, number, body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (b bench) comment(t *testing.T, id int64) forge.Comment {
	t.Helper()
	got, err := b.Forge.Comment(t.Context(), b.repo, id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// now checks that a comment was written in these minutes, in UTC, and returns
// it without what differs between forges.
func now(t *testing.T, c forge.Comment) forge.Comment {
	t.Helper()
	if age := time.Since(c.Created).Abs(); age > 10*time.Minute || c.Created.Location() != time.UTC || c.Updated.Location() != time.UTC {
		t.Errorf("written at %s, edited at %s", c.Created, c.Updated)
	}
	if c.ID == 0 || !strings.HasPrefix(c.URL, "http") {
		t.Errorf("id %d at %q", c.ID, c.URL)
	}
	if !c.Edited() {
		c.Updated = time.Time{}
	}
	c.ID, c.URL, c.Created = 0, "", time.Time{}
	return c
}

func exerciseComments(t *testing.T, b bench) {
	pr, issue := b.open(t, "talk"), b.Human.OpenIssue(t, "Talk", "here")
	wantEqual(t, "number of comments", len(b.comments(t, pr.Number)), 0)
	long := strings.Repeat("é🧭", 10_000)
	bodies := []string{"first\n", long, "<!-- odyssey:x -->\r\nlast"}
	for number, onPull := range map[int64]bool{pr.Number: true, issue: false} {
		var want, made []forge.Comment
		for _, body := range bodies {
			made = append(made, b.say(t, number, body))
			want = append(want, forge.Comment{Number: number, OnPull: onPull, Author: b.Login, Bot: b.Robot, Body: body})
		}
		id := b.Human.Comment(t, number, "/refresh")
		want = append(want, forge.Comment{Number: number, OnPull: onPull, Author: b.Human.Login(), Body: "/refresh"})
		listed := b.comments(t, number)
		wantEqual(t, "made and listed", listed[:len(made)], made)
		wantEqual(t, "one by one", b.comment(t, id), listed[len(listed)-1])
		for i := range listed {
			listed[i] = now(t, listed[i])
		}
		wantEqual(t, "comments", listed, want)
	}
}

// exerciseEdited: only a change of its text makes a comment an edited one.
func exerciseEdited(t *testing.T, b bench) {
	number := b.Human.OpenIssue(t, "Edit", "x")
	mine, theirs, gone := b.say(t, number, "mine").ID, b.Human.Comment(t, number, "theirs"), b.Human.Comment(t, number, "gone")
	before := b.comment(t, theirs)
	time.Sleep(1100 * time.Millisecond) // a forge may keep whole seconds

	for _, r := range []forge.Reaction{forge.Seen, forge.Done} {
		if err := b.Forge.React(t.Context(), b.repo, theirs, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Forge.Unreact(t.Context(), b.repo, theirs, forge.Seen); err != nil {
		t.Fatal(err)
	}
	b.Human.React(t, theirs, forge.Confused)
	b.say(t, number, "a reply")
	b.Human.EditIssue(t, number, forge.Edit{Title: "Another title", State: forge.Closed})
	wantEqual(t, "comment after reactions, a reply and the closing of the issue", b.comment(t, theirs), before)
	if before.Edited() {
		t.Error("a new comment is called edited")
	}

	if err := b.Forge.EditComment(t.Context(), b.repo, mine, "changed\n"); err != nil {
		t.Fatal(err)
	}
	if got := b.comment(t, mine); got.Body != "changed\n" || !got.Edited() || got.Author != b.Login {
		t.Errorf("%+v, want an edited one", got)
	}
	b.Human.EditComment(t, theirs, "/refresh all")
	if got := b.comment(t, theirs); got.Body != "/refresh all" || !got.Edited() || !got.Created.Equal(before.Created) {
		t.Errorf("%+v, want an edited one", got)
	}
	b.Human.DeleteComment(t, gone)
	_, err := b.Forge.Comment(t.Context(), b.repo, gone)
	wantIs(t, "deleted comment", err, forge.ErrNotFound)
	wantIs(t, "edit of a deleted comment", b.Forge.EditComment(t.Context(), b.repo, gone, "x"), forge.ErrNotFound)
}

func exerciseSince(t *testing.T, b bench) {
	pr, issue := b.open(t, "since"), b.Human.OpenIssue(t, "Since", "x")
	since := func(at time.Time) (bodies []string, last time.Time) {
		t.Helper()
		page, err := b.Forge.CommentsSince(t.Context(), b.repo, at)
		if err != nil || page.More {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, c := range page.Comments {
			if c.Updated.Before(last) {
				t.Errorf("%q comes after what is newer", c.Body)
			}
			last, bodies = c.Updated, append(bodies, c.Body)
			wantEqual(t, "the same comment, read alone", c, b.comment(t, c.ID))
		}
		return bodies, last
	}
	bodies, _ := since(time.Time{})
	wantEqual(t, "comments at first", len(bodies), 0)
	old := b.Human.Comment(t, issue, "old")
	b.say(t, pr.Number, "own")
	time.Sleep(1100 * time.Millisecond)
	var want []string
	for _, body := range []string{"1", "2", "3", "4", "5", "6", "7"} { // more than a small page
		b.Human.Comment(t, pr.Number, body)
		want = append(want, body)
	}
	all, last := since(time.Time{})
	wantEqual(t, "all", all, append([]string{"old", "own"}, want...))
	first := b.comments(t, pr.Number)[1]
	some, _ := since(first.Created)
	wantEqual(t, "the newer", some, want)
	some, _ = since(last.Add(time.Second))
	wantEqual(t, "the future's", len(some), 0)

	time.Sleep(1100 * time.Millisecond)
	b.Human.EditComment(t, old, "old, edited")
	all, _ = since(first.Created)
	wantEqual(t, "the newer and the edited", all, append(want, "old, edited"))
}

func exerciseReactions(t *testing.T, b bench) {
	id := b.Human.Comment(t, b.Human.OpenIssue(t, "React", "x"), "/help")
	reactions := func(want ...forge.Reaction) {
		t.Helper()
		got, err := b.Forge.Reactions(t.Context(), b.repo, id)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "own reactions", got, want)
	}
	reactions()
	b.Human.React(t, id, forge.Done)
	reactions()
	for range 2 {
		if err := b.Forge.React(t.Context(), b.repo, id, forge.Seen); err != nil {
			t.Fatal(err)
		}
	}
	reactions(forge.Seen)
	if err := b.Forge.React(t.Context(), b.repo, id, forge.Confused); err != nil {
		t.Fatal(err)
	}
	reactions(forge.Seen, forge.Confused)
	for range 2 {
		if err := b.Forge.Unreact(t.Context(), b.repo, id, forge.Seen); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Forge.Unreact(t.Context(), b.repo, id, forge.Done); err != nil {
		t.Fatal(err)
	}
	reactions(forge.Confused)
	wantEqual(t, "everybody's", b.Human.Reactions(t, id), []string{b.Login + " confused", b.Human.Login() + " rocket"})
}
