package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/test/world"
)

// patience is how long a command may take on a busy machine.
const patience = 2 * time.Minute

// serve starts the bot's server, and gives it a command by a comment on its
// pull request. The server is returned with an error, too, if it runs.
func serve(ctx context.Context, w *world.World) (*world.Server, error) {
	step("odyssey-bot serve, told of events by the forge")
	bot, err := w.StartServer(ctx, world.ServeOptions{})
	if err != nil {
		return bot, err
	}
	if err := w.Hook(ctx, bot.Webhooks); err != nil {
		return bot, err
	}
	fmt.Printf("    webhooks at %s, status pages at %s\n", bot.Webhooks, bot.Status)

	step("Upstream moves once more, and a maintainer comments: /refresh ./odoo")
	commit := world.Subject{Author: "Ana Prat <ana@example.org>", Text: "[FIX] stock: round the last lot, too"}
	if _, err := w.Grow(ctx, "odoo", "17.0-hotfix-stock", commit); err != nil {
		return bot, err
	}
	before, err := pullRequest(ctx, w, "odyssey/merge/odoo")
	if err != nil {
		return bot, err
	}
	var comment struct{ ID int64 }
	if err := w.API(ctx, http.MethodPost, fmt.Sprintf("/issues/%d/comments", before.Number), map[string]string{"body": "/refresh ./odoo"}, &comment); err != nil {
		return bot, err
	}
	seen, err := reactions(ctx, w, comment.ID)
	if err != nil {
		return bot, fmt.Errorf("%w\n%s", err, bot.Log())
	}
	after, err := pullRequest(ctx, w, "odyssey/merge/odoo")
	if err != nil {
		return bot, err
	}
	fmt.Printf("    reactions: %s\n    %s\n    is now:    %s\n", strings.Join(seen, ", "), before.Title, after.Title)
	return bot, nil
}

// reactions returns those to a comment once the last one is there.
func reactions(ctx context.Context, w *world.World, comment int64) (names []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !slices.Contains(names, "rocket") {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the command has the reactions %v", names)
		case <-time.After(200 * time.Millisecond):
		}
		var all []struct{ Content string }
		if err := w.API(ctx, http.MethodGet, fmt.Sprintf("/issues/comments/%d/reactions", comment), nil, &all); err != nil {
			return nil, err
		}
		names = nil
		for _, r := range all {
			names = append(names, r.Content)
		}
	}
	return names, nil
}
