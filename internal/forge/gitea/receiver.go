package gitea

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehook"
	"github.com/nuobit/odyssey/internal/secret"
)

// Receiver takes the deliveries of one forge's webhooks. Its method may be
// called at the same time.
type Receiver struct {
	flavour Flavour
	prefix  string // of the flavour's own headers
	secret  secret.Text
}

// forgejoPrefix begins the headers that Forgejo alone sends. It sends Gitea's
// too, with the same values.
const forgejoPrefix = "X-Forgejo-"

// NewReceiver returns the receiver for a flavour, Gitea by default. The secret
// is the webhook's; without one anybody could tell the bot anything.
func NewReceiver(flavour Flavour, webhook secret.Text) (*Receiver, error) {
	if webhook.Reveal() == "" {
		return nil, errors.New("the webhook's secret is missing")
	}
	switch flavour {
	case "", Gitea:
		return &Receiver{flavour: Gitea, prefix: "X-Gitea-", secret: webhook}, nil
	case Forgejo:
		return &Receiver{flavour: Forgejo, prefix: forgejoPrefix, secret: webhook}, nil
	}
	return nil, fmt.Errorf("%q is no flavour of Gitea", flavour)
}

// Receive checks a delivery's signature over its raw body and says what it
// tells. forge.ErrSignature: whoever sent it does not know the secret, or it
// is the delivery of another forge. Any other error: it is not as this forge
// writes them.
//
// Signature, id and type are read from the flavour's own headers, each there
// once. The forges send those of their relatives too, and GitHub's: these are
// not looked at, but a delivery of Forgejo's is refused as one of Gitea's.
func (r *Receiver) Receive(h http.Header, body []byte) (forge.Event, error) {
	if err := r.verify(h, body); err != nil {
		return forge.Event{}, fmt.Errorf("%s delivery: %w", r.flavour, err)
	}
	event, err := r.parse(h, body)
	if err != nil {
		return forge.Event{}, fmt.Errorf("%s delivery: %w", r.flavour, err)
	}
	return event, nil
}

func (r *Receiver) verify(h http.Header, body []byte) error {
	if r.flavour != Forgejo {
		for name := range h {
			if len(name) >= len(forgejoPrefix) && strings.EqualFold(name[:len(forgejoPrefix)], forgejoPrefix) {
				return fmt.Errorf("%w: it is Forgejo's", forge.ErrSignature)
			}
		}
	}
	name := r.prefix + "Signature"
	given, err := forgehook.Signature(h, name)
	if err != nil {
		return err
	}
	return forgehook.Verify(r.secret, name, given, body)
}

// parse reads a delivery that is signed.
func (r *Receiver) parse(h http.Header, body []byte) (forge.Event, error) {
	var event forge.Event
	if err := forgehook.Identify(&event, h, r.prefix+"Delivery", r.prefix+"Event"); err != nil {
		return forge.Event{}, err
	}
	if err := fill(&event, body); err != nil {
		return forge.Event{}, fmt.Errorf("%s %s: %w", event.Type, event.Delivery, err)
	}
	return event, nil
}
