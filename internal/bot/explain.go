package bot

import (
	"context"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Explanation says what a run over a repository would do, and why.
type Explanation struct {
	Decisions []refresh.Decision // of each source, in the order of repos.yaml
	Outcomes  []Outcome          // what a run would come to, of all kinds
}

// Explain looks at a repository as Run does, and writes nothing.
func (b *Bot) Explain(ctx context.Context, f Forge, name forge.Name) (Explanation, error) {
	done, err := b.attempt(ctx, DryRun(f), name, Demand{}, retryAfter)
	return Explanation{done.decisions, done.outcomes}, err
}
