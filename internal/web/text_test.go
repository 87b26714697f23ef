package web

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", longestText+1)
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"every merge is at its newest commit", "every merge is at its newest commit"},
		{"fetch https://bot:s3cret@git.example.com/x: refused", "fetch https://[redacted]@git.example.com/x: refused"},
		{"fetch https://git.example.com/x", "fetch https://git.example.com/x"},
		{"two\nlines\tand a tab", "two\nlines\tand a tab"},
		{"a\x00b\x1b[31mc\x7f\r", "a\uFFFDb\uFFFD[31mc\uFFFD\uFFFD"},
		{"exe.\u202Egnp \u2066x\u2069 \u200fy", "exe.\uFFFDgnp \uFFFDx\uFFFD \uFFFDy"},
		{"bad \xff\xfe bytes", "bad \uFFFD bytes"},
		{"Größe 日本語", "Größe 日本語"},
		{long, strings.TrimSuffix(long, "ä") + "…"},
		{strings.Repeat("a", longestText), strings.Repeat("a", longestText)},
		{strings.Repeat("a", longestText+1), strings.Repeat("a", longestText) + "…"},
	} {
		if got := public(test.in); got != test.want {
			t.Errorf("public(%.100q) = %.100q; want %.100q", test.in, got, test.want)
		}
	}
}

func FuzzPublic(f *testing.F) {
	f.Add("fetch https://bot:s3cret@git.example.com/x")
	f.Add("\u202E\x00\xff" + strings.Repeat("x", 5000))
	f.Fuzz(func(t *testing.T, s string) {
		got := public(s)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > longestText+1 {
			t.Errorf("public(%q) is %d characters, valid: %t", s, utf8.RuneCountInString(got), utf8.ValidString(got))
		}
		for _, r := range got {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Errorf("public(%q) has %q", s, r)
			}
		}
		if again := public(got); len(again) > len(got)+len("…") {
			t.Errorf("public(%q) grows: %q", got, again)
		}
	})
}

func TestLink(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://git.example.com/a/b/pulls/1": "https://git.example.com/a/b/pulls/1",
		"http://127.0.0.1:3000/a":             "http://127.0.0.1:3000/a",
		"HTTPS://git.example.com/":            "https://git.example.com/",
		"":                                    "",
		"/a":                                  "",
		"//evil.example/a":                    "",
		"https:///a":                          "",
		"https:opaque":                        "",
		"javascript:alert(1)//https://x":      "",
		"data:text/html,x":                    "",
		"ftp://git.example.com/":              "",
		"https://user:word@git.example.com/":  "",
		"https://user@git.example.com/":       "",
		"\thttps://git.example.com/":          "",
		"https://git.example.com/\x00":        "",
	} {
		if got := link(in); got != want {
			t.Errorf("link(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0:                 "just now",
		-59 * time.Second: "just now",
		-time.Minute:      "1 min ago",
		-59 * time.Minute: "59 min ago",
		-time.Hour:        "1 h ago",
		-47 * time.Hour:   "47 h ago",
		-48 * time.Hour:   "2 days ago",
		time.Millisecond:  "in 1 s",
		25 * time.Second:  "in 25 s",
		59 * time.Second:  "in 59 s",
		time.Minute:       "in 1 min",
		90 * time.Second:  "in 1 min",
		30 * time.Hour:    "in 30 h",
		100 * time.Hour:   "in 4 days",
	} {
		if got := (moment{At: now.Add(d), Now: now}).Relative(); got != want {
			t.Errorf("%s: %q; want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "now", -time.Hour: "now", 25 * time.Second: "in 25 s", 3 * time.Hour: "in 3 h"} {
		if got := (moment{At: now.Add(d), Now: now}).Due(); got != want {
			t.Errorf("due %s: %q; want %q", d, got, want)
		}
	}
	if got := (moment{At: now.Add(time.Hour), Now: now}).For(); got != "for less than 1 min" {
		t.Errorf("for a time to come: %q", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                                    nil,
		"one":                                 {"one"},
		"a.yaml:1: x\nb.yaml:2: y":            {"a.yaml:1: x", "b.yaml:2: y"},
		"a.yaml:1: x\n  do this\nb.yaml:2: y": {"a.yaml:1: x\n  do this", "b.yaml:2: y"},
		"  indented\n\n\tmore\nnext\n":        {"  indented\n\n\tmore", "next"},
	} {
		if got := faults(in); !slices.Equal(got, want) {
			t.Errorf("faults(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestShortIDs(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0123456789", 4)
	for in, want := range map[string]string{
		"v1 (commit " + id + ", go1.26)": "v1 (commit 012345678901, go1.26)",
		"v0.0.0-20261123-0123456789ab":   "v0.0.0-20261123-0123456789ab",
		id + "z":                         id + "z",
	} {
		if got := shortIDs(in); got != want {
			t.Errorf("shortIDs(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"":                          "odyssey-bot jobs retry 29",
		"/etc/odyssey/odyssey.yaml": "odyssey-bot jobs retry 29 --config /etc/odyssey/odyssey.yaml",
		"/a b/it's; rm -rf ~":       `odyssey-bot jobs retry 29 --config '/a b/it'\''s; rm -rf ~'`,
	} {
		if got := (&pages{config: config}).command("jobs", "retry", 29); got != want {
			t.Errorf("with %q: %s; want %s", config, got, want)
		}
	}
}
