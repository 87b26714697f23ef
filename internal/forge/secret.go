package forge

// Secret is a token or password. However it is printed, logged or marshalled,
// it shows as "[redacted]"; string(s) is the way to its value.
type Secret string

const redacted = "[redacted]"

func (Secret) String() string { return redacted }

// GoString serves %#v.
func (Secret) GoString() string { return redacted }

// MarshalText serves JSON, YAML and slog.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
