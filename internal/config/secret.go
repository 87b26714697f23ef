package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

const (
	redacted      = "[redacted]"
	maxSecretSize = 4 << 10 // bytes of a file that holds a secret
)

// Secret is text that is printed, logged and encoded as "[redacted]". It is
// held by reference, so that even printing a struct with an unexported Secret
// in it shows an address at most.
type Secret struct{ text *string }

// NewSecret returns a Secret that reveals text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the secret text; "" for the zero value.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// readSecret reads a file that holds one line. Errors do not repeat it.
func readSecret(path string) (Secret, error) {
	if err := checkSecretFile(path); err != nil {
		return Secret{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretSize+1))
	if err != nil {
		return Secret{}, fmt.Errorf("read %s: %w", path, err)
	}
	text := bytes.TrimRight(data, "\r\n")
	switch {
	case len(data) > maxSecretSize:
		return Secret{}, fmt.Errorf("%s is larger than %d KiB", path, maxSecretSize>>10)
	case len(text) == 0:
		return Secret{}, fmt.Errorf("%s is empty", path)
	case bytes.ContainsAny(text, "\r\n"):
		return Secret{}, fmt.Errorf("%s has more than one line", path)
	case bytes.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return Secret{}, fmt.Errorf("%s has a character that no token has: a space, a control character or one beyond ASCII", path)
	}
	return NewSecret(string(text)), nil
}

// checkSecretFile follows symbolic links, as Kubernetes mounts secrets by them.
func checkSecretFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New(path + " is not a regular file")
	}
	return nil
}
