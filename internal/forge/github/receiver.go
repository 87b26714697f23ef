package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
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

var (
	deliveryRE = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	typeRE     = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
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
	values := h.Values(signatureHeader)
	if len(values) != 1 {
		return fmt.Errorf("%w: the header %s is there %d times", forge.ErrSignature, signatureHeader, len(values))
	}
	text, ok := strings.CutPrefix(values[0], signaturePrefix)
	given, err := hex.DecodeString(text)
	if !ok || err != nil || len(given) != sha256.Size {
		return fmt.Errorf("%w: %s is no HMAC-SHA256 in hexadecimal", forge.ErrSignature, signatureHeader)
	}
	mac := hmac.New(sha256.New, []byte(r.secret.Reveal()))
	_, _ = mac.Write(body)
	if !hmac.Equal(given, mac.Sum(nil)) {
		return fmt.Errorf("%w: %s does not fit", forge.ErrSignature, signatureHeader)
	}
	return nil
}

// parse reads a delivery that is signed.
func parse(h http.Header, body []byte) (forge.Event, error) {
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
		return forge.Event{}, errors.New("it is a form; choose application/json as the webhook's content type")
	}
	var event forge.Event
	for name, want := range map[string]struct {
		field *string
		is    *regexp.Regexp
	}{
		"X-Github-Delivery": {&event.Delivery, deliveryRE},
		"X-Github-Event":    {&event.Type, typeRE},
	} {
		values := h.Values(name)
		if len(values) != 1 || !want.is.MatchString(values[0]) {
			return forge.Event{}, fmt.Errorf("the header %s is missing, repeated or no such thing", name)
		}
		*want.field = values[0]
	}
	if err := fill(&event, body); err != nil {
		return forge.Event{}, fmt.Errorf("%s %s: %w", event.Type, event.Delivery, err)
	}
	return event, nil
}
