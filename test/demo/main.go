// Demo runs Odyssey's main job for real: a Gitea with upstream repositories
// and a derived-image repository, an upstream branch that moves, and the bot,
// which opens a pull request that moves exactly that commit in the lock. Base
// images and the Python lock get theirs, a merge that has landed is retired, the
// bot asks for a first configuration, and a bundle of Odoo Enterprise is brought
// to its private mirror. Then the bot serves, and a maintainer's comment has it look again.
//
// It keeps serving until interrupted; DEMO_EXIT=1 makes it exit.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

func main() {
	if err := demo(os.Getenv("DEMO_EXIT") == "1"); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(exit bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "odyssey-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	step("Build odyssey-bot and start Gitea (building Gitea takes some minutes the first time)")
	binary, err := world.Build(ctx, dir)
	if err != nil {
		return err
	}
	server, err := giteatest.Start(ctx, giteatest.Options{Dir: dir + "/gitea", Log: os.Stderr})
	if err != nil {
		return err
	}
	defer server.Stop()
	w, err := world.New(ctx, server, binary, dir, "")
	if err != nil {
		return err
	}
	if err := mainJob(ctx, w); err != nil {
		return err
	}
	for _, more := range []func(context.Context, *world.World) error{kinds, retire, onboard, enterprise} {
		if err := more(ctx, w); err != nil {
			return err
		}
	}
	bot, err := serve(ctx, w)
	if bot != nil {
		defer bot.Kill()
	}
	if err != nil || exit {
		return err
	}
	fmt.Printf("\nGitea and the bot serve until you press Ctrl-C.\n  %s: sign in as %s with the password %s, and comment /help\n  %s/: the bot's status pages\n",
		server.URL, w.Owner.Login, w.Owner.Password, bot.Status)
	select {
	case <-ctx.Done():
	case <-bot.Ended():
		return fmt.Errorf("odyssey-bot serve has ended:\n%s", bot.Log())
	}
	return nil
}

func step(text string) { fmt.Printf("\n\x1b[1m# %s\x1b[0m\n", text) }

func mainJob(ctx context.Context, w *world.World) error {
	step("Make two upstream repositories, and a derived-image repository that locks them")
	repos, err := w.Scene(ctx)
	if err != nil {
		return err
	}
	fmt.Println(indent(repos))

	step("Upstream moves: three commits on 17.0-hotfix-stock")
	if _, err := w.Grow(ctx, "odoo", "17.0-hotfix-stock", world.Hotfix()...); err != nil {
		return err
	}
	step("odyssey-bot run")
	if err := runBot(ctx, w); err != nil {
		return err
	}
	prs, err := w.PullRequests(ctx, "open")
	if err != nil {
		return err
	}
	if len(prs) != 1 {
		return fmt.Errorf("%d pull requests are open; want 1", len(prs))
	}
	diff, err := w.Diff(ctx, prs[0].Number)
	if err != nil {
		return err
	}
	step("The pull request: " + prs[0].URL)
	fmt.Printf("%s\n\n%s\n", prs[0].Title, indent(prs[0].Body))
	step("Its diff")
	fmt.Println(indent(diff))

	step("odyssey-bot run again: nothing is written")
	return runBot(ctx, w)
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
