package bot

import (
	"context"
	"errors"
	"testing"
)

// Jobs on one repository wait for one another, those on others do not, and one
// that is cancelled meanwhile gives up.
func TestTurn(t *testing.T) {
	t.Parallel()
	w := &Worker{}
	end, err := w.turn(t.Context(), "gitea:a/b")
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.turn(t.Context(), "gitea:a/c")
	if err != nil {
		t.Fatal(err)
	}
	other()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.turn(ended, "gitea:a/b"); !errors.Is(err, context.Canceled) {
		t.Errorf("a second job gets the turn: %v", err)
	}
	end()
	again, err := w.turn(t.Context(), "gitea:a/b")
	if err != nil {
		t.Fatal(err)
	}
	again()
}
