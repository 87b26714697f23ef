// Package github drives GitHub and GitHub Enterprise Server, as an App or with
// a plain token. It alone sees GitHub's SDK. All goes over the API, files and
// commits too: what an App commits there is signed by GitHub and shown as
// verified.
package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	sdk "github.com/google/go-github/v62/github"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// Forge is GitHub as an App or one account sees it. Its methods may be called
// at the same time. Their errors wrap the sentinels of package forge and never
// hold a token.
type Forge struct {
	session *session
	log     *slog.Logger
}

// New checks the options; it does not call the server.
func New(o Options) (*Forge, error) {
	s, err := newSession(o)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Forge{session: s, log: o.Log}, nil
}

// at returns a client for one method, and the context that its calls about a
// repository are made in.
func (f *Forge) at(ctx context.Context, name forge.Name) (context.Context, *sdk.Client, error) {
	if err := validName(name); err != nil {
		return nil, nil, err
	}
	client, err := f.session.client()
	return forRepo(ctx, name), client, err
}

// validName keeps ".." and slashes out of URLs.
func validName(name forge.Name) error {
	_, err := forge.ParseName(name.String())
	return err
}

// failed adds to an error what was being done.
func failed(repo forge.Name, doing string, err error) error {
	return fmt.Errorf("github %s: %s: %w", repo, doing, err)
}

// answer classifies the outcome of an SDK call.
func answer(resp *sdk.Response, err error) error {
	if resp == nil || resp.Response == nil {
		return forgehttp.Error(nil, err)
	}
	var refusal *sdk.ErrorResponse
	if !errors.As(err, &refusal) {
		return forgehttp.Error(resp.Response, err)
	}
	said := refusalText(refusal, resp.Header)
	if resp.StatusCode == http.StatusForbidden && strings.Contains(refusal.Message, "archived") {
		return fmt.Errorf("%w (%s)", forge.ErrConflict, forgehttp.Excerpt(said))
	}
	return forgehttp.Error(resp.Response, errors.New(said))
}

// refusalText is what GitHub says of a request that it refuses, on one line.
func refusalText(refusal *sdk.ErrorResponse, h http.Header) string {
	said := []string{refusal.Message}
	for _, e := range refusal.Errors {
		part := strings.TrimSpace(e.Field + " " + e.Code)
		if e.Message != "" {
			part = e.Message
		}
		said = append(said, part)
	}
	// Which permission would have been enough (docs.github.com,
	// "Troubleshooting the REST API").
	if needs := h.Get("X-Accepted-Github-Permissions"); needs != "" && refusal.Response.StatusCode == http.StatusForbidden {
		said = append(said, "it needs the permission "+needs)
	}
	return strings.Join(said, "; ")
}

// invalidField reports whether GitHub refused a field's value, as it does
// when that is the name of a branch that does not exist.
func invalidField(err error, fields ...string) bool {
	var refusal *sdk.ErrorResponse
	if !errors.As(err, &refusal) || refusal.Response == nil || refusal.Response.StatusCode != http.StatusUnprocessableEntity {
		return false
	}
	for _, e := range refusal.Errors {
		for _, field := range fields {
			if e.Code == "invalid" && e.Field == field {
				return true
			}
		}
	}
	return false
}
