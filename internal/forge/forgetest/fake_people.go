package forgetest

import (
	"slices"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

func (h fakeHuman) Comment(t testing.TB, number int64, body string) (id int64) {
	t.Helper()
	h.do(t, func(r *repository) error {
		made, err := r.say(number, h.login, body)
		if err == nil {
			id = made.ID
		}
		return err
	})
	return id
}

func (h fakeHuman) EditComment(t testing.TB, id int64, body string) {
	t.Helper()
	h.do(t, func(r *repository) error {
		c, err := r.comment(id)
		if err != nil {
			return err
		}
		c.Body, c.Updated = body, r.now()
		if !c.Edited() {
			c.Updated = c.Created.Add(time.Second)
		}
		return nil
	})
}

func (h fakeHuman) DeleteComment(t testing.TB, id int64) {
	t.Helper()
	h.do(t, func(r *repository) error {
		if _, err := r.comment(id); err != nil {
			return err
		}
		r.comments = slices.DeleteFunc(r.comments, func(c *comment) bool { return c.ID == id })
		return nil
	})
}

func (h fakeHuman) React(t testing.TB, id int64, r forge.Reaction) {
	t.Helper()
	h.do(t, func(in *repository) error { return in.react(id, reaction{h.login, r}) })
}

func (h fakeHuman) Reactions(t testing.TB, id int64) (all []string) {
	t.Helper()
	h.do(t, func(r *repository) error {
		c, err := r.comment(id)
		if err != nil {
			return err
		}
		for _, reaction := range c.reactions {
			all = append(all, reaction.login+" "+string(reaction.Reaction))
		}
		slices.Sort(all)
		return nil
	})
	return all
}

func (h fakeHuman) OpenIssue(t testing.TB, title, body string) (number int64) {
	t.Helper()
	h.do(t, func(r *repository) error {
		number = r.report(h.login, forge.NewIssue{Title: title, Body: body}).Number
		return nil
	})
	return number
}

func (h fakeHuman) EditIssue(t testing.TB, number int64, edit forge.Edit) {
	t.Helper()
	h.do(t, func(r *repository) error {
		i, err := r.issue(number)
		if err != nil {
			return err
		}
		return i.edit(edit)
	})
}

func (h fakeHuman) Issues(t testing.TB) (all []forge.Issue) {
	t.Helper()
	h.do(t, func(r *repository) error {
		for _, i := range r.issues {
			all = append(all, i.Issue)
		}
		return nil
	})
	return all
}

func (h fakeHuman) SetPermission(t testing.TB, login string, p forge.Permission) {
	t.Helper()
	h.do(t, func(r *repository) error {
		r.may[login] = p
		return nil
	})
}

func (h fakeHuman) SetTopics(t testing.TB, topics ...string) {
	t.Helper()
	h.do(t, func(r *repository) error {
		r.topics = slices.Clone(topics)
		return nil
	})
}

func (h fakeHuman) Inspect(t testing.TB, number int64) Inspection {
	t.Helper()
	var seen Inspection
	h.do(t, func(r *repository) error {
		if i, err := r.issue(number); err == nil {
			seen.Labels = slices.Clone(i.labels)
			return nil
		}
		pr, err := r.pull(number)
		if err != nil {
			return err
		}
		seen = Inspection{Labels: slices.Clone(pr.labels), Reviewers: slices.Sorted(slices.Values(pr.reviewers))}
		return nil
	})
	return seen
}

func (fakeHuman) Stranger() string { return FakeStranger }
