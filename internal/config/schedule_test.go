package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
)

func TestParseSchedule_errors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                    "has not five fields",
		" ":                                   "has not five fields",
		"CRON_TZ=UTC":                         "has not five fields",
		"Never":                               "is no schedule",
		"daily":                               "is no schedule",
		"@dayly":                              "is no schedule",
		"0 6 * *":                             "is no schedule: expected exactly 5 fields, found 4",
		"0 0 6 * * 1":                         "is no schedule: expected exactly 5 fields, found 6",
		"0 25 * * *":                          "above maximum (23)",
		"0 6 * * 7":                           "above maximum (6)",
		"*/0 * * * *":                         "step of range should be a positive number",
		"0 6 30 2 *":                          "never comes",
		"0 6 31 feb,apr *":                    "never comes",
		"0 , * * *":                           "has an empty field",
		"* * * * *":                           "comes more often than every 5 minutes",
		"*/4 * * * *":                         "comes more often",
		"*/7 * * * *":                         "comes more often", // 56 and the next 0
		"58,3 * * * *":                        "",
		"58,2 0,23 * * *":                     "comes more often",
		"58,2 0,2 * * *":                      "",
		"0,4 0 1 1 *":                         "comes more often",
		"@every 5m":                           "",
		"@every 299s":                         "comes more often",
		"@every -1h":                          "comes more often",
		"@every 9000h":                        "less often than once a year",
		"@every 1d":                           "is no schedule",
		"CRON_TZ=Europe/Madird 0 6 * * *":     `there is no time zone "Europe/Madird"`,
		"CRON_TZ=Local 0 6 * * *":             `there is no time zone "Local"`,
		"CRON_TZ= 0 6 * * *":                  `there is no time zone ""`,
		"CRON_TZ=../../etc/passwd @daily":     "there is no time zone",
		"TZ=UTC CRON_TZ=UTC 0 6 * * *":        "has not five fields",
		"0 6 * * * CRON_TZ=UTC":               "has not five fields",
		"CRONTZ=UTC 0 6 * * *":                "names no time zone",
		"0 6 * * " + strings.Repeat("1,", 47): "is longer than 100 characters",
		"*/99999999999999999999 * * * *":      "is no schedule",
	} {
		_, err := config.ParseSchedule(text)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// next returns the schedule's n times after from, in its zone.
func next(t *testing.T, text, from string, n int) []string {
	t.Helper()
	s, err := config.ParseSchedule(text)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, from)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for range n {
		at = s.Next(at)
		if at.IsZero() {
			out = append(out, "never")
			break
		}
		out = append(out, at.Format("01-02 15:04 MST"))
	}
	return out
}

func TestSchedule_Next(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, from string
		want       []string
	}{
		{"never", "2026-01-01T00:00:00Z", []string{"never"}},
		{"0 */4 * * *", "2026-01-01T21:00:00Z", []string{"01-02 00:00 UTC", "01-02 04:00 UTC"}},
		{"CRON_TZ=Europe/Madrid 0 6 * * 1-5", "2026-07-03T12:00:00Z", []string{"07-06 06:00 CEST", "07-07 06:00 CEST"}},
		{"TZ=Asia/Kathmandu @daily", "2026-01-01T12:00:00Z", []string{"01-02 00:00 +0545", "01-03 00:00 +0545"}},
		{"0 0 29 2 *", "2026-01-01T00:00:00Z", []string{"02-29 00:00 UTC"}},
		{"@every 6h", "2026-01-01T05:59:59Z", []string{"01-01 06:00 UTC", "01-01 12:00 UTC"}},
	} {
		if diff := cmp.Diff(test.want, next(t, test.text, test.from, len(test.want))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.text, diff)
		}
	}
}

// TestFault_R3_Clocks: on the days when clocks are changed each wall clock time
// of a schedule comes once.
func TestFault_R3_Clocks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text, from string
		want             []string
	}{
		{"fold", "CRON_TZ=Europe/Madrid 30 2 * * *", "2026-10-24T12:00:00Z", []string{"10-25 02:30 CEST", "10-26 02:30 CET"}},
		{"fold, from within the second pass", "CRON_TZ=Europe/Madrid 30 2 * * *", "2026-10-25T01:10:00Z", []string{"10-26 02:30 CET"}},
		{"fold, every quarter", "CRON_TZ=Europe/Madrid */15 2 * * *", "2026-10-25T00:29:00Z", []string{"10-25 02:30 CEST", "10-25 02:45 CEST", "10-26 02:00 CET"}},
		{"fold, at its end", "CRON_TZ=Europe/Madrid 0 3 * * *", "2026-10-24T12:00:00Z", []string{"10-25 03:00 CET", "10-26 03:00 CET"}},
		{"gap", "CRON_TZ=Europe/Madrid 30 2 * * *", "2027-03-27T12:00:00Z", []string{"03-28 03:00 CEST", "03-29 02:30 CEST"}},
		{"gap, every half hour", "CRON_TZ=Europe/Madrid */30 * * * *", "2027-03-28T00:29:00Z", []string{"03-28 01:30 CET", "03-28 03:00 CEST", "03-28 03:30 CEST"}},
		{"gap at midnight", "CRON_TZ=America/Santiago @daily", "2026-09-05T12:00:00Z", []string{"09-06 01:00 -03", "09-07 00:00 -03"}},
		{"fold of half an hour", "CRON_TZ=Australia/Lord_Howe 45 1 * * *", "2026-04-04T00:00:00Z", []string{"04-05 01:45 +11", "04-06 01:45 +1030"}},
		{"gap of half an hour", "CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03T00:00:00Z", []string{"10-04 02:30 +11", "10-05 02:15 +11"}},
	} {
		if diff := cmp.Diff(test.want, next(t, test.text, test.from, len(test.want))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestFault_Y3_Cron: a schedule that looks for what never comes is refused
// quickly, and one of nothing but separators does not bring the parser down.
func TestFault_Y3_Cron(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		", * * * *", "* , * * *", "* * , * *", "* * * , *", "* * * * ,", "0 0 31 2,4,6,9,11 *",
		"CRON_TZ=", "TZ=", "@", "@every", "@every ", "- - - - -", "/ / / / /", "*/9223372036854775807 * * * *",
		"\x00 * * * *", "0 0 * * *;id", strings.Repeat("*", 100), "@every 292y",
	} {
		start := time.Now()
		s, err := config.ParseSchedule(text)
		if err == nil && text != "*/9223372036854775807 * * * *" { // that is the 0th minute
			t.Errorf("%q is taken as %s", text, s)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%q took %s", text, took)
		}
	}
	_, err := config.ParseRepo("f.yaml", []byte("merges:\n  jitter: 25h\n  schedule: CRON_TZ=europe/madird 0 6 * * *\n"))
	want := []string{
		":2: merges.jitter: expected a duration from 0s to 24h, not \"25h\"\n  for example: 1m",
		":3: merges.schedule: there is no time zone \"europe/madird\"\n  did you mean Europe/Madrid or Europe/Malta or Europe/Paris?",
	}
	if diff := cmp.Diff(want, faults(t, err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSchedule_text(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"never", "CRON_TZ=Europe/Madrid 0 6 * * 1-5", "@every 6h"} {
		s, err := config.ParseSchedule(text)
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again config.Schedule
		if err := again.UnmarshalText(data); err != nil || !again.Equal(s) || again.String() != text {
			t.Errorf("%s became %s, %v", text, again, err)
		}
		if s.Never() != (text == "never") {
			t.Errorf("%s: never is %v", text, s.Never())
		}
	}
}

// FuzzParseSchedule: what is taken has a next time, which is later, not
// sooner than MinInterval after the one before, and the same the second time.
func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"never", "CRON_TZ=Europe/Madrid 30 2 * * *", "*/5 * * * *", "@every 6h", "0 0 29 2 mon", ", , , , ,", "TZ=", "0 0 1-31/2 jan-dec ?"} {
		f.Add(text, int64(1_793_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := config.ParseSchedule(text)
		if err != nil || s.Never() {
			return
		}
		at := time.Unix(1_700_000_000+unix%1_000_000_000, 0)
		first := s.Next(at)
		second := s.Next(first)
		if !first.After(at) || !second.After(first) {
			t.Fatalf("%q: after %s comes %s, then %s", text, at, first, second)
		}
		if !s.Next(first.Add(-1)).Equal(first) {
			t.Errorf("%q: just before %s comes %s", text, first, s.Next(first.Add(-1)))
		}
	})
}
