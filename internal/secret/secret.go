// Package secret holds passwords and tokens so that they reach no log, page or
// error text.
package secret

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Redacted is what every Text shows as.
const Redacted = "[redacted]"

const maxSize = 4 << 10 // bytes of a file that holds a secret

// Text is text that is printed, logged and encoded as "[redacted]". It is held
// by reference, so that even printing a struct with an unexported Text in it
// shows an address at most.
type Text struct{ text *string }

// New returns a Text that reveals text.
func New(text string) Text { return Text{&text} }

// Reveal returns the secret text; "" for the zero value.
func (s Text) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

func (Text) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (Text) GoString() string { return Redacted }

// Format implements fmt.Formatter, for every verb.
func (Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON implements json.Marshaler.
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// LogValue implements slog.LogValuer.
func (Text) LogValue() slog.Value { return slog.StringValue(Redacted) }

// ReadFile reads a file that holds one line. Errors do not repeat it.
func ReadFile(path string) (Text, error) {
	data, err := readFile(path)
	if err != nil {
		return Text{}, err
	}
	text := bytes.TrimRight(data, "\r\n")
	switch {
	case len(text) == 0:
		return Text{}, fmt.Errorf("%s is empty", path)
	case bytes.ContainsAny(text, "\r\n"):
		return Text{}, fmt.Errorf("%s has more than one line", path)
	case bytes.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return Text{}, fmt.Errorf("%s has a character that no token has: a space, a control character or one beyond ASCII", path)
	}
	return New(string(text)), nil
}

// ReadKey reads a file that holds one private key in PEM. Errors do not repeat
// it.
func ReadKey(path string) (Text, error) {
	data, err := readFile(path)
	if err != nil {
		return Text{}, err
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return Text{}, fmt.Errorf("%s holds no private key in PEM (-----BEGIN … PRIVATE KEY-----)", path)
	case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["DEK-Info"] != "":
		return Text{}, fmt.Errorf("%s holds a private key that needs a password; decrypt it first: openssl rsa", path)
	case len(bytes.TrimSpace(rest)) > 0:
		return Text{}, fmt.Errorf("%s holds more than one private key", path)
	}
	return New(string(pem.EncodeToMemory(block))), nil
}

// readFile reads a whole regular file that is not large.
func readFile(path string) ([]byte, error) {
	if err := CheckFile(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s is larger than %d KiB", path, maxSize>>10)
	}
	return data, nil
}

// CheckFile refuses what is not a regular file. It follows symbolic links, as
// Kubernetes mounts secrets by them.
func CheckFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New(path + " is not a regular file")
	}
	return nil
}
