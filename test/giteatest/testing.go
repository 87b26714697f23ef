package giteatest

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
	options Options
	server  *Server
	dir     string
	err     error
}

// New returns the test binary's server. The binary needs a TestMain that
// calls Main.
func New(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.dir, shared.err = os.MkdirTemp("", "giteatest-") //nolint:usetesting // it outlives t
		if shared.err == nil {
			o := shared.options
			o.Dir, o.Log = shared.dir, os.Stderr
			shared.server, shared.err = Start(context.WithoutCancel(t.Context()), o)
		}
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Main runs the tests, stops the server that they used, removes its data, and
// returns the exit code. Of the options, if given, Port and Config count.
func Main(m *testing.M, o ...Options) int {
	for _, o := range o {
		shared.options = o
	}
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.Stop()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	return code
}
