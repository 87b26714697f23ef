// Package chain goes the whole way of a change, with all parts in place: a
// commit upstream, the bot's pull request on a Gitea, its merge, the scaffold's
// release workflow run by act in the builder image, the image in Gitea's
// registry, the pull request in the deployment repository, and the image that
// this names, started on PostgreSQL.
package chain

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/postgrestest"
	"github.com/nuobit/odyssey/test/world"
)

func TestMain(m *testing.M) {
	var database *postgrestest.Server
	postgres = sync.OnceValues(func() (*postgrestest.Server, error) {
		var err error
		database, err = postgrestest.Start(context.Background(), os.TempDir())
		return database, err
	})
	code := giteatest.Main(m)
	if database != nil {
		database.Stop()
	}
	os.Exit(code)
}

// TestChain: a release that is killed after its image was pushed is made again,
// with the same digest, and proposed once (C7). The same release from nothing, in
// another place, has the same digest as well. What is merged then runs.
func TestChain(t *testing.T) {
	s := newStage(t)
	s.step("a repository and its deployment are there")
	s.scaffold()

	s.step("upstream moves, the bot proposes it, a person merges")
	s.refresh(s.publish(versions[1]))

	s.step("the release is killed between the push and the proposal")
	s.killBeforeProposal(place{dir: "/build/odoo-image"})
	first := s.released()
	if open := s.proposals("open"); len(open) != 0 {
		t.Fatalf("the killed release has proposed %+v", open)
	}

	s.step("it runs again")
	s.release(place{dir: "/build/odoo-image"})
	proposal := s.one(first)

	s.step("from nothing, in another place")
	s.forget()
	s.release(place{dir: "/srv/work/b", env: map[string]string{"ODOO_SRC": "/srv/work/sources", "TZ": "Asia/Tokyo", "LC_ALL": "C"}, umask: "077"})
	if again := s.released(); again != first {
		t.Fatalf("the image is %s, and was %s", again, first)
	}
	if again := s.one(first); again.Number != proposal.Number || again.Head.SHA != proposal.Head.SHA {
		t.Errorf("the pull request is %+v, and was %+v", again, proposal)
	}

	s.step("the proposal is merged, and what it names runs")
	s.merge(s.deployment, proposal.Number)
	s.runs(first, versions[1])
	s.step("")
}

// postgres starts a PostgreSQL.
var postgres func() (*postgrestest.Server, error)

// stage is where the chain is played.
type stage struct {
	*world.World
	t     *testing.T
	store *buildahtest.Store
	proxy *world.Proxy // before the forge's API and git
	// runtime and builder are the foundation images by name, tag and digest.
	runtime, builder string
	runner           string // the builder image in the store
	deployment       string // OWNER/NAME
	programs         string // directory with act
	secrets          string // directory with what the forge keeps secret for a workflow
	tokens           map[string]string

	title string
	begun time.Time
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", s.title, err)
	}
}

// step says how long the one before it took.
func (s *stage) step(title string) {
	s.t.Helper()
	if s.title != "" {
		s.t.Logf("%5.1f s  %s", time.Since(s.begun).Seconds(), s.title)
	}
	s.title, s.begun = title, time.Now()
}

// secret fails the test when a text has a token in it.
func (s *stage) secret(text string) {
	s.t.Helper()
	for name, token := range s.tokens {
		if strings.Contains(text, token) {
			s.t.Errorf("%s: %s is shown", s.title, name)
		}
	}
}

func newStage(t *testing.T) *stage {
	t.Helper()
	ctx := t.Context()
	s := &stage{t: t, tokens: map[string]string{}}
	s.step("the foundation images, Gitea, act")
	var err error
	s.store, err = buildahtest.Open(ctx)
	s.must(err)
	t.Cleanup(func() { _ = s.store.Close() })
	runtime, err := s.store.Runtime(ctx)
	s.must(err)
	s.runner, err = s.store.Builder(ctx)
	s.must(err)
	binary, err := world.Build(ctx, t.TempDir())
	s.must(err)
	s.programs = buildAct(t)
	server := giteatest.New(t)
	s.World, err = world.New(ctx, server, binary, t.TempDir(), "chain-")
	s.must(err)
	s.proxy, err = world.NewProxy(server.URL)
	s.must(err)
	t.Cleanup(s.proxy.Close)
	s.grant(ctx)
	s.pushFoundations(ctx, runtime)
	return s
}

// host is where the registry is.
func (s *stage) host() string { return strings.TrimPrefix(s.Server.URL, "http://") }

// pushFoundations brings the runtime image to the registry. The builder is known
// by its digest alone: it is what the workflow runs in.
func (s *stage) pushFoundations(ctx context.Context, runtime string) {
	s.t.Helper()
	prefix := s.host() + "/" + s.Upstream.Login + "/oci-odoo"
	s.runtime = prefix + ":" + buildahtest.Version
	digest, err := s.store.Push(ctx, runtime, s.runtime, s.Upstream.Login, s.Upstream.Token)
	s.must(err)
	s.runtime += "@" + digest
	digest, err = s.store.Digest(ctx, s.runner)
	s.must(err)
	s.builder = prefix + "-builder:" + buildahtest.Version + "@" + digest
}
