package queue

import (
	"context"
	"log/slog"
	"strings"

	"github.com/nuobit/odyssey/internal/secret"
)

// redactor passes on River's errors, without the password in them: it logs
// those of the database as they are. Its warnings tell of jobs, which those who
// do them log in better words: they are for debugging.
type redactor struct {
	slog.Handler
	password string
}

func redact(text, password string) string {
	if password == "" {
		return text
	}
	return strings.ReplaceAll(text, password, secret.Redacted)
}

// Enabled implements slog.Handler.
func (h *redactor) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, toLevel(level))
}

func toLevel(level slog.Level) slog.Level {
	if level < slog.LevelError {
		return slog.LevelDebug
	}
	return level
}

// Handle implements slog.Handler.
func (h *redactor) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, toLevel(r.Level), redact(r.Message, h.password), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return &redactor{h.Handler.WithAttrs(clean), h.password}
}

// WithGroup implements slog.Handler.
func (h *redactor) WithGroup(name string) slog.Handler {
	return &redactor{h.Handler.WithGroup(name), h.password}
}

func (h *redactor) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString, slog.KindAny:
		if text := v.String(); h.password != "" && strings.Contains(text, h.password) {
			return slog.String(a.Key, redact(text, h.password))
		}
	case slog.KindGroup:
		var clean []slog.Attr
		for _, in := range v.Group() {
			clean = append(clean, h.attr(in))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(clean...)}
	}
	return a
}
