package config

import (
	"strings"
	"time"

	"github.com/invopop/jsonschema"
	"gopkg.in/yaml.v3"
)

// durationSchema is what JSON Schema can say of Go's durations; a bound in
// checkDuration says the rest.
func durationSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", MinLength: new(uint64(1)), MaxLength: new(uint64(20)),
		Pattern:  `^([0-9]+(\.[0-9]+)?(h|m|s|ms))+$`,
		Examples: []any{"1h30m"},
	}
}

// checkDuration checks that a duration is within its bounds.
func (c *checker) checkDuration(node *yaml.Node, path string, low, high time.Duration) {
	text, ok := textOf(node)
	if !ok {
		return
	}
	if d, err := time.ParseDuration(text); err != nil || d < low || d > high {
		c.fault(node, path, "expected a duration from %s to %s, not %q", short(low), short(high), text).Hint = "for example: " + short(max(low, time.Minute))
	}
}

// short writes 1h instead of 1h0m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
