package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

func TestParseRepo(t *testing.T) {
	t.Parallel()
	schedule := func(text string) config.Schedule {
		s, err := config.ParseSchedule(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	usual := schedule("0 */4 * * *")
	base := config.Base{Refresh: config.Refresh{Enabled: true, Schedule: schedule("0 4 * * 1"), Jitter: 4 * time.Hour}, Follow: "line"}
	python := config.Python{Refresh: config.Refresh{Enabled: true, Schedule: schedule("0 4 1 * *"), Jitter: 24 * time.Hour}, Executor: config.ExecutorAuto, Workflow: "python-lock.yml"}
	enterprise := config.Enterprise{
		Refresh:     config.Refresh{Schedule: schedule("0 3 * * 6"), Jitter: 4 * time.Hour},
		Destination: "./enterprise", Community: "./odoo", DaysApart: 14,
	}
	byDefault := config.Repo{
		Version:    1,
		Merges:     config.Merges{Refresh: config.Refresh{Enabled: true, Schedule: usual, Jitter: 15 * time.Minute}},
		Base:       base,
		Python:     python,
		Enterprise: enterprise,
		Commands:   config.Commands{Enabled: true},
		Dashboard:  config.Dashboard{Enabled: true}, PullRequests: config.PullRequests{Limit: 10},
	}
	for _, test := range []struct {
		name, in string
		want     config.Repo
	}{
		{"empty", "", byDefault},
		{"comments alone", "# version: 1\n", byDefault},
		{"some", "merges:\n  labels: [a]\n", config.Repo{
			Version:    1,
			Merges:     config.Merges{Refresh: config.Refresh{Enabled: true, Schedule: usual, Jitter: 15 * time.Minute, Labels: []string{"a"}}},
			Base:       base,
			Python:     python,
			Enterprise: enterprise,
			Commands:   config.Commands{Enabled: true},
			Dashboard:  config.Dashboard{Enabled: true}, PullRequests: config.PullRequests{Limit: 10},
		}},
		{"all", "version: 1\nmerges:\n  enabled: false\n  schedule: never\n  jitter: 0s\n  group: all\n  labels: [a, 2024-01-02]\n  reviewers: [b]\nbase:\n  enabled: false\n  schedule: never\n  jitter: 1h\npython:\n  labels: [py]\n  executor: workflow\n  workflow: lock.yaml\nenterprise:\n  enabled: true\n  reviewers: [e]\ncommands: {enabled: false, allow: admin}\npullRequests:\n  limit: 1\n", config.Repo{
			Version: 1,
			Merges:  config.Merges{Refresh: config.Refresh{Labels: []string{"a", "2024-01-02"}, Reviewers: []string{"b"}}},
			Base:    config.Base{Refresh: config.Refresh{Jitter: time.Hour}, Follow: "line"},
			Python:  config.Python{Refresh: config.Refresh{Enabled: true, Schedule: python.Schedule, Jitter: python.Jitter, Labels: []string{"py"}}, Executor: config.ExecutorWorkflow, Workflow: "lock.yaml"},
			Enterprise: config.Enterprise{
				Refresh:     config.Refresh{Enabled: true, Schedule: enterprise.Schedule, Jitter: enterprise.Jitter, Reviewers: []string{"e"}},
				Destination: "./enterprise", Community: "./odoo", DaysApart: 14,
			},
			Dashboard:    config.Dashboard{Enabled: true},
			PullRequests: config.PullRequests{Limit: 1},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ParseRepo(".odyssey.yaml", []byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreTypes(config.Grouping{}, config.Who{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWho(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		allow                       string
		reader, alice, bob, manager bool
	}{
		{"write", false, true, true, true},
		{"admin", false, false, false, true},
		{"[Alice]", false, true, false, false},
	} {
		repo, err := config.ParseRepo("f.yaml", []byte("commands: {allow: "+test.allow+"}"))
		if err != nil {
			t.Fatal(err)
		}
		who := repo.Commands.Allow
		got := []bool{
			who.May("Alice", false, false), who.May("alice", true, false), who.May("bob", true, false), who.May("manager", true, true),
		}
		if diff := cmp.Diff([]bool{test.reader, test.alice, test.bob, test.manager}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.allow, diff)
		}
	}
}

func TestParseRepo_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in string
		want     []string // without the path
	}{
		{
			"all at once, by line", "pullRequests:\n  limit: 1000\n  limits: 3\nversion: 2\nmerges:\n  enabled: yes\n  group: destinaton\n  labels: x\n  reviewers: [a b, [c], '', a.b, a.b]\n  schedul: daily\nautomerge: true\n",
			[]string{
				":2: pullRequests.limit: expected a whole number from 1 to 100, not 1000",
				":3: pullRequests: unknown key \"limits\"\n  did you mean limit?",
				":4: version: expected 1, not 2",
				":6: merges.enabled: expected true or false, not \"yes\"",
				":7: merges.group: expected destination or merge or all, not \"destinaton\"\n  did you mean destination?",
				":8: merges.labels: expected a list, not \"x\"",
				":9: merges.reviewers[0]: \"a b\" does not match ^[A-Za-z0-9._-]+$\n  for example: alice",
				":9: merges.reviewers[1]: expected text, not a list\n  for example: alice",
				":9: merges.reviewers[2]: must not be empty\n  for example: alice",
				":9: merges.reviewers[4]: \"a.b\" stands here again, first at line 9",
				":10: merges: unknown key \"schedul\"\n  did you mean schedule?",
				":11: unknown key \"automerge\"\n  the keys here are: version, merges, base, python, enterprise, commands, dashboard, deployments, pullRequests",
			},
		},
		{
			"groups", "merges:\n  group:\n    Oca: [a]\n    all: [b]\n    x: []\n    y:\n      - ok/*\n      - '['\n      - 3\n",
			[]string{
				":3: merges.group: \"Oca\" does not match ^[a-z0-9][a-z0-9._-]{0,39}$",
				":4: merges.group: the name \"all\" is taken; choose another",
				":5: merges.group.x: expected at least 1, not 0",
				":8: merges.group.y[1]: \"[\" is no valid glob\n  * and ? match within a part of the path, [ab] one of these, \\ takes the next one literally",
				":9: merges.group.y[2]: expected text, not 3\n  for example: ./oca/*",
			},
		},
		{
			"commands", "commands:\n  enabled: 1\n  allow: writers\n", []string{
				":2: commands.enabled: expected true or false, not 1",
				":3: commands.allow: expected write or admin, not \"writers\"\n  did you mean write?",
			},
		},
		{"nobody's commands", "commands: {allow: [], who: x}\n", []string{
			":1: commands.allow: expected at least 1, not 0",
			":1: commands: unknown key \"who\"\n  the keys here are: enabled, allow",
		}},
		{"group of another type", "merges: {group: 3}\n", []string{":1: merges.group: expected destination or merge or all or a mapping, not 3"}},
		{
			"one fault of a value", "merges: {labels: [' a', ' a']}\n",
			[]string{
				":1: merges.labels[0]: \" a\" does not match ^[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x1f\\x7f-\\x9f]*$\n  for example: dependencies",
				":1: merges.labels[1]: \" a\" does not match ^[^\\x00-\\x20\\x7f-\\xa0][^\\x00-\\x1f\\x7f-\\x9f]*$\n  for example: dependencies",
			},
		},
		{"null", "merges:\n", []string{":1: merges: expected a mapping, not nothing"}},
		{"list", "\n- a\n", []string{":2: expected a mapping, not a list"}},
		{"key twice", "version: 1\nversion: 1\n", []string{":2: the key \"version\" stands here again, first at line 1"}},
		{"syntax", "merges:\n  - a\n b\n", []string{":3: is not YAML: did not find expected key"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.ParseRepo("f.yaml", []byte(test.in))
			if diff := cmp.Diff(test.want, faults(t, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// faults returns the joined errors, each of which must be a *yamldoc.Error of
// f.yaml, without the path.
func faults(t *testing.T, err error) []string {
	t.Helper()
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	var out []string
	for _, err := range errs {
		var fault *yamldoc.Error
		if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), "f.yaml:") {
			t.Fatalf("%v is no *yamldoc.Error of f.yaml", err)
		}
		out = append(out, strings.TrimPrefix(err.Error(), "f.yaml"))
	}
	return out
}
