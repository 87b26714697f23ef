package queue_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/queue"
)

func TestFault_T1_riversLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	const canary = "c4n4ry"
	log := slog.New(queue.Redactor(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), canary)).With("with", "a "+canary).WithGroup("g")
	log.Info("below a warning")
	log.Warn("of a job")
	log.Error("message of "+canary, "text", "a "+canary, "err", errors.New("dial "+canary),
		"number", 7, slog.Group("in", "text", canary, "bytes", []string{canary}))
	got := out.String()
	if strings.Contains(got, canary) || strings.Contains(got, "below") || strings.Count(got, "[redacted]") != 7 || !strings.Contains(got, "g.number=7") {
		t.Error(got)
	}
	if !strings.Contains(got, `level=DEBUG msg="of a job"`) || !strings.Contains(got, "level=ERROR") {
		t.Error(got)
	}
}
