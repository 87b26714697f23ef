package refresh_test

import (
	"errors"
	"testing"

	"github.com/nuobit/odyssey/internal/refresh"
)

func TestAsked(t *testing.T) {
	t.Parallel()
	const url = "https://github.com/odoo/odoo.git"
	up := newUpstreams(t, repos)
	asked := refresh.NewAsked(up)
	for range 2 {
		got, err := asked.Resolve(t.Context(), url, []string{"17.0", "none"})
		if err != nil || len(got) != 1 || got["17.0"] != id(1) || up.asked[url] != 1 {
			t.Errorf("got %v, %v, asked %d times", got, err, up.asked[url])
		}
	}
	if got, err := asked.Resolve(t.Context(), url, []string{"17.0", "16.0"}); err != nil || got["17.0"] != id(1) || up.asked[url] != 2 {
		t.Errorf("with one more: %v, %v, asked %d times", got, err, up.asked[url])
	}
	up.failing[url] = errors.New("away")
	if _, err := asked.Resolve(t.Context(), url, []string{"15.0"}); err == nil {
		t.Error("a server that is away, and no error")
	}
	delete(up.failing, url)
	if _, err := asked.Resolve(t.Context(), url, []string{"15.0"}); err != nil || up.asked[url] != 4 {
		t.Errorf("after that: %v, asked %d times", err, up.asked[url])
	}
}
