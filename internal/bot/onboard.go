package bot

import (
	"context"
	"errors"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// unasked is why nothing is done in a repository whose people have refused the
// bot.
const unasked = "the pull request that adds a first " + refresh.ConfigFile + " was closed, so the bot leaves this repository alone until there is one"

// isOnboarding reports whether a branch is that of the pull request that adds a
// first policy.
func isOnboarding(branch string) bool { return branch == refresh.OnboardingBranch }

// refused reports whether people have closed the pull request that adds a first
// policy, and there still is none.
func (v *visit) refused(ctx context.Context) (bool, error) {
	if _, configured := v.snapshot.Files[refresh.ConfigFile]; configured || !v.Onboard || !v.demand.none() {
		return false, nil
	}
	if err := v.look(ctx); err != nil {
		return false, err
	}
	if _, isOpen := v.open[refresh.OnboardingBranch]; isOpen {
		return false, nil
	}
	last, err := v.forge.LastPullRequest(ctx, v.repo, refresh.OnboardingBranch)
	if errors.Is(err, forge.ErrNotFound) {
		return false, nil
	}
	k := v.keeper(isOnboarding, config.Refresh{})
	v.onboarded = err == nil && k.ours(last)
	return v.onboarded && last.State == forge.Closed && readMark(last.Body) != (mark{}), err
}

// onboard keeps the pull request that adds a first policy to a repository that
// has something to refresh. It is opened once.
func (v *visit) onboard(ctx context.Context, done *result) error {
	k := v.keeper(isOnboarding, config.Refresh{})
	pr, isOpen := k.open[refresh.OnboardingBranch]
	if _, configured := v.snapshot.Files[refresh.ConfigFile]; configured {
		if !isOpen {
			return nil
		}
		err := k.retire(ctx, pr, "`"+refresh.ConfigFile+"` is there")
		done.outcomes = append(done.outcomes, k.outcomes...)
		return err
	}
	if !v.Onboard || !v.demand.none() || v.onboarded && !isOpen {
		return nil
	}
	text, err := done.state.Onboard(v.Commands)
	if err != nil {
		return err
	}
	err = k.propose(ctx, &proposal{
		group: refresh.ConfigFile, branch: refresh.OnboardingBranch, target: text.Target, newer: "a command",
		files:    []file{{refresh.ConfigFile, nil, text.File}},
		stands:   func(string) bool { return true },
		describe: func(context.Context) (refresh.Text, error) { return text.Describe(), nil },
		list:     func() []string { return []string{"`" + refresh.ConfigFile + "` with the defaults"} },
	})
	done.outcomes = append(done.outcomes, k.outcomes...)
	return err
}
