package config

import (
	_ "embed"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
	_ "time/tzdata" // a container may have no time zones of its own

	"github.com/invopop/jsonschema"
	"github.com/robfig/cron/v3"
	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/near"
)

const (
	// MinInterval is how far apart the times of a Schedule are at least.
	MinInterval = 5 * time.Minute

	never       = "never"
	maxSchedule = 100 // characters
	maxInterval = 366 * 24 * time.Hour
)

// zoneNames are the names in time/tzdata, one a line: what may have been meant.
//
//go:embed zones.txt
var zoneNames string

// Schedule is when something is done of itself. The zero value is never.
type Schedule struct {
	text  string
	zone  *time.Location
	spec  *cron.SpecSchedule // in UTC: it is asked for wall clock times of the zone
	every time.Duration      // of "@every"
}

// ParseSchedule parses "never", or five cron fields or a descriptor like
// "@daily" after an optional "CRON_TZ=ZONE", without which they are in UTC. It
// refuses what never comes, and what comes more often than MinInterval.
func ParseSchedule(text string) (Schedule, error) {
	s, _, err := parseSchedule(text)
	return s, err
}

// parseSchedule is ParseSchedule, with a hint for an error.
func parseSchedule(text string) (s Schedule, hint string, err error) {
	const form = "for example: CRON_TZ=Europe/Madrid 0 6 * * 1-5"
	if len(text) > maxSchedule {
		return Schedule{}, "", fmt.Errorf("is longer than %d characters", maxSchedule)
	}
	s = Schedule{text: text, zone: time.UTC}
	if text == never {
		return s, "", nil
	}
	fields := strings.Fields(text)
	if len(fields) > 0 && strings.Contains(fields[0], "TZ=") {
		if s.zone, hint, err = loadZone(fields[0]); err != nil {
			return Schedule{}, hint, err
		}
		fields = fields[1:]
	}
	rest := strings.Join(fields, " ")
	if rest == "" || strings.Contains(rest, "=") { // the library would look for a zone again
		return Schedule{}, form, fmt.Errorf("%q has not five fields", text)
	}
	parsed, err := cron.ParseStandard(rest)
	if err != nil {
		return Schedule{}, form, fmt.Errorf("%q is no schedule: %w", text, err)
	}
	switch parsed := parsed.(type) {
	case cron.ConstantDelaySchedule:
		s.every = parsed.Delay
	case *cron.SpecSchedule:
		parsed.Location = time.UTC
		s.spec = parsed
	}
	if err := s.check(); err != nil {
		return Schedule{}, "", fmt.Errorf("%q %w", text, err)
	}
	return s, "", nil
}

// loadZone takes "CRON_TZ=NAME" or "TZ=NAME".
func loadZone(field string) (zone *time.Location, hint string, err error) {
	key, name, _ := strings.Cut(field, "=")
	if key != "CRON_TZ" && key != "TZ" {
		return nil, "write CRON_TZ=" + name, fmt.Errorf("%q names no time zone", field)
	}
	if name != "" && name != "Local" { // which would mean that of the server
		if zone, err = time.LoadLocation(name); err == nil {
			return zone, "", nil
		}
	}
	hint = "for example: CRON_TZ=Europe/Madrid"
	if names := near.Names(name, strings.Fields(zoneNames)); len(names) > 0 {
		hint = didYouMean(names)
	}
	return nil, hint, fmt.Errorf("there is no time zone %q", name)
}

// check refuses a schedule that never comes or comes too often.
func (s Schedule) check() error {
	tooOften := fmt.Errorf("comes more often than every %.0f minutes", MinInterval.Minutes())
	if s.spec == nil {
		switch {
		case s.every < MinInterval:
			return tooOften
		case s.every > maxInterval:
			return errors.New("comes less often than once a year")
		}
		return nil
	}
	const values = 1<<63 - 1 // the other bit says that the field was a star
	for _, field := range []uint64{s.spec.Minute, s.spec.Hour, s.spec.Dom, s.spec.Month, s.spec.Dow} {
		if field&values == 0 { // it was nothing but commas
			return errors.New("has an empty field")
		}
	}
	if s.spec.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return errors.New("never comes: there is no such date")
	}
	if closest(s.spec.Minute&values, s.spec.Hour&values) < MinInterval {
		return tooOften
	}
	return nil
}

// closest returns how far apart two times of the minutes of the hours are at
// least.
func closest(minutes, hours uint64) time.Duration {
	first, last := bits.TrailingZeros64(minutes), -1
	least := 60
	for m := minutes; m != 0; m &= m - 1 {
		at := bits.TrailingZeros64(m)
		if last >= 0 {
			least = min(least, at-last)
		}
		last = at
	}
	if hours&(hours>>1|hours<<23) != 0 { // an hour and the one after it
		least = min(least, first+60-last)
	}
	return time.Duration(least) * time.Minute
}

// Next returns the schedule's first time after a time, in its zone; the zero
// time when there is none. A wall clock time that the zone shows twice comes
// once, the first time; one that it skips comes at the moment of skipping.
func (s Schedule) Next(after time.Time) time.Time {
	switch {
	case s.every > 0:
		return after.UTC().Truncate(s.every).Add(s.every)
	case s.spec == nil:
		return time.Time{}
	}
	wall := wallClock(after.In(s.zone))
	for {
		if wall = s.spec.Next(wall); wall.IsZero() {
			return time.Time{}
		}
		// In the second pass of an hour, what it shows was before.
		if at := firstShown(wall, s.zone); at.After(after) {
			return at
		}
	}
}

// wallClock returns what a clock shows at t, as if it stood in UTC.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// firstShown returns when a clock in zone shows wall or later for the first
// time.
func firstShown(wall time.Time, zone *time.Location) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	start, end := at.ZoneBounds()
	switch shown := wallClock(at); {
	case shown.After(wall): // skipped, and at is beyond
		return start
	case shown.Before(wall):
		return end
	case start.IsZero():
		return at
	}
	_, offset := start.Add(-1).Zone()
	if earlier := wall.Add(-time.Duration(offset) * time.Second); earlier.Before(start) {
		return earlier.In(zone)
	}
	return at
}

// Never reports whether there is no time at all.
func (s Schedule) Never() bool { return s.every == 0 && s.spec == nil }

// Equal reports whether two schedules are written the same.
func (s Schedule) Equal(other Schedule) bool { return s.String() == other.String() }

func (s Schedule) String() string {
	if s.Never() {
		return never
	}
	return s.text
}

// MarshalText implements encoding.TextMarshaler.
func (s Schedule) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler by ParseSchedule.
func (s *Schedule) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSchedule(string(text))
	return err
}

func scheduleSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", MinLength: new(uint64(1)), MaxLength: new(uint64(maxSchedule)),
		Examples: []any{"CRON_TZ=Europe/Madrid 0 6 * * 1-5", "@daily", never},
	}
}

// checkSchedule checks what the schema cannot.
func (c *checker) checkSchedule(node *yaml.Node, path string) {
	text, ok := textOf(node)
	if !ok {
		return
	}
	if _, hint, err := parseSchedule(text); err != nil {
		c.fault(node, path, "%s", err).Hint = hint
	}
}
