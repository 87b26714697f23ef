// Package registrytest runs registries for tests: go-containerregistry's in this process, behind
// faults that a test puts in its way, and Debian's docker-registry. It also makes images to
// build upon.
package registrytest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Registry is a registry on a loopback port, without TLS or accounts.
type Registry struct {
	Host string // with the port

	server *httptest.Server
	mu     sync.Mutex
	fault  Fault
	served []string
}

// Fault stands before a registry. It may answer a request itself, and returns true then.
type Fault func(w http.ResponseWriter, r *http.Request) bool

// New returns a registry in this process, which is gone after the test.
func New(t testing.TB) *Registry {
	t.Helper()
	r := Start(nil)
	t.Cleanup(r.Stop)
	return r
}

// Start starts a registry before which faults can be put; inner is one that is to serve, nil for
// one in this process.
func Start(inner http.Handler) *Registry {
	if inner == nil {
		inner = registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)))
	}
	r := &Registry{}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.served = append(r.served, req.Method+" "+req.URL.Path)
		fault := r.fault
		r.mu.Unlock()
		if fault != nil && fault(w, req) {
			return
		}
		inner.ServeHTTP(w, req)
	}))
	r.Host = strings.TrimPrefix(r.server.URL, "http://")
	return r
}

// Stop ends it, and the requests that hang.
func (r *Registry) Stop() {
	r.server.CloseClientConnections()
	r.server.Close()
}

// TB is the part of testing.TB that pushing needs; a *testscript.TestScript has it, too.
type TB interface {
	Fatalf(format string, args ...any)
}

// Fail puts a fault before the registry, nil for none, and begins to count anew.
func (r *Registry) Fail(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault, r.served = f, nil
}

// Count counts the requests of a method whose path holds a word.
func (r *Registry) Count(method, word string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, s := range r.served {
		if strings.HasPrefix(s, method+" ") && strings.Contains(s, word) {
			n++
		}
	}
	return n
}
