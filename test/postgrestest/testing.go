package postgrestest

import (
	"context"
	"os"
	"sync"
	"testing"
)

// shared is the one server of a test binary, started by the first test that
// wants it and stopped by Main. It is a variable because TestMain and the
// tests have nothing else in common.
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// New returns the test binary's server. The binary needs a TestMain that
// calls Main.
func New(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = Start(context.WithoutCancel(t.Context()), os.TempDir())
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// URL makes an empty database, which goes with the test, and returns its URL.
func URL(t testing.TB) string {
	t.Helper()
	s := New(t)
	u, err := s.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Drop(context.WithoutCancel(t.Context()), u); err != nil {
			t.Error(err)
		}
	})
	return u
}

// Main runs the tests, stops the server that they used, and returns the exit
// code.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.Stop()
	}
	return code
}
