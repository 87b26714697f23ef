package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/config"
)

func TestSecret_isNeverPrinted(t *testing.T) {
	t.Parallel()
	const text = "s3cr3t-t0ken"
	secret := config.NewSecret(text)
	forge := config.Forge{Name: "main", Token: secret}
	inside := struct{ hidden config.Secret }{secret}

	out := map[string]string{"String": secret.String(), "GoString": secret.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%10.3s", "%t", "%p"} {
		for name, v := range map[string]any{
			"secret": secret, "pointer": &secret, "forge": forge, "forges": []config.Forge{forge},
			"unexported": inside, "pointer to unexported": &inside, "map": map[string]config.Secret{"k": secret},
		} {
			out[verb+" "+name] = fmt.Sprintf(verb, v)
		}
	}
	for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal} {
		for i, v := range []any{secret, forge, inside, map[string]any{"k": &secret}} {
			data, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprint(name, i)] = string(data)
		}
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("x", "secret", secret, "forge", forge, "inside", inside, slog.Group("g", "s", &secret))
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
	if got := secret.Reveal(); got != text {
		t.Errorf("Reveal() = %q", got)
	}
	if got := (config.Secret{}).Reveal(); got != "" {
		t.Errorf("Reveal() of the zero value = %q", got)
	}
}
