package config_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// FuzzParseRepo: what the parser takes, the schema takes too, and is within
// its limits; what it refuses has a *yamldoc.Error.
func FuzzParseRepo(f *testing.F) {
	for _, d := range repoDocuments() {
		f.Add(d.text)
	}
	schema := compile(f, config.RepoSchema)
	f.Fuzz(func(t *testing.T, text string) {
		repo, err := config.ParseRepo("f.yaml", []byte(text))
		if err != nil {
			if fault := (*yamldoc.Error)(nil); !errors.As(err, &fault) {
				t.Errorf("%v is no *yamldoc.Error", err)
			}
			return
		}
		if doc, err := yamldoc.Parse("f.yaml", []byte(text)); err != nil {
			t.Error(err)
		} else if doc.Root != nil {
			if err := schema.Validate(plain(t, text)); err != nil {
				t.Error(err)
			}
		}
		if repo.Version != 1 || repo.PullRequests.Limit < 1 || repo.PullRequests.Limit > 100 ||
			len(repo.Merges.Labels) > 20 || len(repo.Merges.Reviewers) > 20 {
			t.Errorf("%+v", repo)
		}
		if repo.Merges.Jitter < 0 || repo.Merges.Jitter > 24*time.Hour || repo.Commands.Allow.May("alice", false, false) {
			t.Errorf("%+v", repo)
		}
		if again, err := config.ParseSchedule(repo.Merges.Schedule.String()); err != nil || !again.Equal(repo.Merges.Schedule) {
			t.Errorf("%s, %v", repo.Merges.Schedule, err)
		}
		if repo.Merges.Group.Name("./odoo", "remote", "ref") == "" {
			t.Error("a merge without a group")
		}
	})
}

// FuzzParseServer: the same for the server's configuration.
func FuzzParseServer(f *testing.F) {
	for _, d := range serverDocuments() {
		f.Add(d.text)
	}
	schema := compile(f, config.ServerSchema)
	f.Fuzz(func(t *testing.T, text string) {
		server, err := config.ParseServer("f.yaml", []byte(text))
		if err != nil {
			if fault := (*yamldoc.Error)(nil); !errors.As(err, &fault) {
				t.Errorf("%v is no *yamldoc.Error", err)
			}
			return
		}
		if err := schema.Validate(plain(t, text)); err != nil {
			t.Error(err)
		}
		if (server.Store == "") != (server.StoreURLFile != "") || server.Sweep < time.Minute || server.Workers < 1 || server.Workers > 64 {
			t.Errorf("%+v", server)
		}
		for _, f := range server.Forges {
			if f.Watches() != (len(f.Repositories)+len(f.Discover) > 0) || f.URL == "" {
				t.Errorf("%+v", f)
			}
		}
		again, err := config.ParseServer("f.yaml", []byte(text))
		if diff := cmp.Diff(server, again, cmpopts.IgnoreTypes(secret.Text{})); diff != "" || err != nil {
			t.Errorf("second time: %v\n%s", err, diff)
		}
	})
}
