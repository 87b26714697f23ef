// Package forgehook is what the drivers' receivers of webhooks have in common:
// how a delivery is known to be the forge's, and what its fields may be. What a
// delivery says is foreign until these have looked at it.
package forgehook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/secret"
)

// Signature returns the value of the header that signs a delivery. One that is
// missing or repeated is forge.ErrSignature.
func Signature(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", fmt.Errorf("%w: the header %s is there %d times", forge.ErrSignature, name, len(values))
	}
	return values[0], nil
}

// Verify compares the HMAC-SHA256 of a raw body with the hexadecimal one that
// came in the header of a name, in constant time. forge.ErrSignature: whoever
// sent it does not know the secret.
func Verify(webhook secret.Text, name, given string, body []byte) error {
	sum, err := hex.DecodeString(given)
	if err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("%w: %s is no HMAC-SHA256 in hexadecimal", forge.ErrSignature, name)
	}
	mac := hmac.New(sha256.New, []byte(webhook.Reveal()))
	_, _ = mac.Write(body)
	if !hmac.Equal(sum, mac.Sum(nil)) {
		return fmt.Errorf("%w: %s does not fit", forge.ErrSignature, name)
	}
	return nil
}

var (
	deliveryRE = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	typeRE     = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
)

// Identify reads a delivery's id and type from headers of these names, each
// there once.
func Identify(event *forge.Event, h http.Header, deliveryHeader, typeHeader string) error {
	for name, want := range map[string]struct {
		field *string
		is    *regexp.Regexp
	}{
		deliveryHeader: {&event.Delivery, deliveryRE},
		typeHeader:     {&event.Type, typeRE},
	} {
		values := h.Values(name)
		if len(values) != 1 || !want.is.MatchString(values[0]) {
			return fmt.Errorf("the header %s is missing, repeated or no such thing", name)
		}
		*want.field = values[0]
	}
	return nil
}
