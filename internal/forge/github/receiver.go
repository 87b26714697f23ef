package github

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehook"
	"github.com/nuobit/odyssey/internal/secret"
)

// Receiver takes the deliveries of webhooks, an App's or a repository's. Its
// method may be called at the same time.
type Receiver struct{ secret secret.Text }

// NewReceiver returns the receiver. The secret is the webhook's; without one
// anybody could tell the bot anything.
func NewReceiver(webhook secret.Text) (*Receiver, error) {
	if webhook.Reveal() == "" {
		return nil, errors.New("the webhook's secret is missing")
	}
	return &Receiver{secret: webhook}, nil
}

const (
	signatureHeader = "X-Hub-Signature-256"
	signaturePrefix = "sha256="
)

// Receive checks a delivery's signature over its raw body and says what it
// tells. forge.ErrSignature: whoever sent it does not know the secret, or it is
// the delivery of another forge. Any other error: it is not as GitHub writes
// them.
//
// The old X-Hub-Signature, of SHA-1, is not looked at. Gitea and Forgejo send
// GitHub's headers beside their own; their deliveries are refused.
func (r *Receiver) Receive(h http.Header, body []byte) (forge.Event, error) {
	if err := r.verify(h, body); err != nil {
		return forge.Event{}, fmt.Errorf("github delivery: %w", err)
	}
	event, err := parse(h, body)
	if err != nil {
		return forge.Event{}, fmt.Errorf("github delivery: %w", err)
	}
	return event, nil
}

func (r *Receiver) verify(h http.Header, body []byte) error {
	for name := range h {
		for _, other := range []string{"X-Gitea-", "X-Forgejo-", "X-Gogs-"} {
			if len(name) >= len(other) && strings.EqualFold(name[:len(other)], other) {
				return fmt.Errorf("%w: it is of another forge, for it has a header %s…", forge.ErrSignature, other)
			}
		}
	}
	value, err := forgehook.Signature(h, signatureHeader)
	if err != nil {
		return err
	}
	given, ok := strings.CutPrefix(value, signaturePrefix)
	if !ok {
		given = "" // the bare sum is none of GitHub's
	}
	return forgehook.Verify(r.secret, signatureHeader, given, body)
}

// parse reads a delivery that is signed.
func parse(h http.Header, body []byte) (forge.Event, error) {
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
		return forge.Event{}, errors.New("it is a form; choose application/json as the webhook's content type")
	}
	var event forge.Event
	if err := forgehook.Identify(&event, h, "X-Github-Delivery", "X-Github-Event"); err != nil {
		return forge.Event{}, err
	}
	if err := fill(&event, body); err != nil {
		return forge.Event{}, fmt.Errorf("%s %s: %w", event.Type, event.Delivery, err)
	}
	return event, nil
}
