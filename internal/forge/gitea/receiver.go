package gitea

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
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

var (
	deliveryRE = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	typeRE     = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
)

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
	values := h.Values(name)
	if len(values) != 1 {
		return fmt.Errorf("%w: the header %s is there %d times", forge.ErrSignature, name, len(values))
	}
	given, err := hex.DecodeString(values[0])
	if err != nil || len(given) != sha256.Size {
		return fmt.Errorf("%w: %s is no HMAC-SHA256 in hexadecimal", forge.ErrSignature, name)
	}
	mac := hmac.New(sha256.New, []byte(r.secret.Reveal()))
	_, _ = mac.Write(body)
	if !hmac.Equal(given, mac.Sum(nil)) {
		return fmt.Errorf("%w: %s does not fit", forge.ErrSignature, name)
	}
	return nil
}

// parse reads a delivery that is signed.
func (r *Receiver) parse(h http.Header, body []byte) (forge.Event, error) {
	var event forge.Event
	for name, want := range map[string]struct {
		field *string
		is    *regexp.Regexp
	}{
		"Delivery": {&event.Delivery, deliveryRE},
		"Event":    {&event.Type, typeRE},
	} {
		values := h.Values(r.prefix + name)
		if len(values) != 1 || !want.is.MatchString(values[0]) {
			return forge.Event{}, fmt.Errorf("the header %s%s is missing, repeated or no such thing", r.prefix, name)
		}
		*want.field = values[0]
	}
	if err := fill(&event, body); err != nil {
		return forge.Event{}, fmt.Errorf("%s %s: %w", event.Type, event.Delivery, err)
	}
	return event, nil
}
