package web

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
)

// A report is decoded once, until it changes; one that is too large, never.
func TestFault_S1_Reports(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := &board{log: slog.New(slog.NewTextHandler(&log, nil))}
	report := func(path string) []byte {
		data, err := json.Marshal(bot.Report{Destinations: []bot.DestinationReport{{Path: path}}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	stored := map[string][]byte{
		"gitea:a/a merges": report("./odoo"), "gitea:a/a commands": report("./web"),
		"gitea:a/b merges": []byte("{"),
		"gitea:a/c merges": report(strings.Repeat("x", largestReport)),
	}
	first := b.decode(stored)
	if len(first["gitea:a/a"]) != 2 || first["gitea:a/a"][0].Kind != mergesKind || len(first["gitea:a/b"]) != 0 {
		t.Fatalf("decoded: %+v", first)
	}
	if large := first["gitea:a/c"]; len(large) != 1 || len(large[0].Destinations) != 0 || !strings.Contains(large[0].Error, "too large to show") {
		t.Errorf("a large report: %+v", large)
	}
	stored["gitea:a/a commands"] = report("./other")
	again := b.decode(stored)
	same := func(i int) bool {
		return &first["gitea:a/a"][i].Destinations[0] == &again["gitea:a/a"][i].Destinations[0]
	}
	if !same(0) {
		t.Error("decoded again without a change")
	}
	if same(1) || again["gitea:a/a"][1].Destinations[0].Path != "./other" {
		t.Error("a changed report is not decoded again")
	}
	if n := strings.Count(log.String(), "report not understood"); n != 1 {
		t.Errorf("%d warnings of the broken report; want 1:\n%s", n, log.String())
	}
	delete(stored, "gitea:a/a merges")
	if b.decode(stored); len(b.decoded) != 2 {
		t.Errorf("%d reports are remembered; want 2", len(b.decoded))
	}
}
