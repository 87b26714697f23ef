package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/secret"
)

func TestText_isNeverPrinted(t *testing.T) {
	t.Parallel()
	const text = "s3cr3t-t0ken"
	token := secret.New(text)
	forge := struct {
		Name  string
		Token secret.Text
	}{"main", token}
	inside := struct{ hidden secret.Text }{token}

	out := map[string]string{"String": token.String(), "GoString": token.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%10.3s", "%t", "%p"} {
		for name, v := range map[string]any{
			"secret": token, "pointer": &token, "forge": forge, "list": []any{forge},
			"unexported": inside, "pointer to unexported": &inside, "map": map[string]secret.Text{"k": token},
		} {
			out[verb+" "+name] = fmt.Sprintf(verb, v)
		}
	}
	for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal} {
		for i, v := range []any{token, forge, inside, map[string]any{"k": &token}} {
			data, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprint(name, i)] = string(data)
		}
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("x", "secret", token, "forge", forge, "inside", inside, slog.Group("g", "s", &token))
	}
	out["slog"] = log.String()
	for name, got := range out {
		if strings.Contains(got, text) || strings.Contains(got, fmt.Sprintf("%x", text)) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, name := range []string{"String", "GoString", "%v secret", "%d secret", "%#v secret", "%v pointer"} {
		if out[name] != "[redacted]" {
			t.Errorf("%s: %s", name, out[name])
		}
	}
	if got := token.Reveal(); got != text {
		t.Errorf("Reveal() = %q", got)
	}
	if got := (secret.Text{}).Reveal(); got != "" {
		t.Errorf("Reveal() of the zero value = %q", got)
	}
}
