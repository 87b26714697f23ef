// Package web has the bot's two listeners. The public one takes the deliveries
// of webhooks and nothing else. The other one, meant for a loopback or private
// address, has the status pages, /healthz, /readyz and /metrics.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// Options is what a Server needs. Accepter, Store, Reports, Jobs, Metrics and
// Log must be set.
type Options struct {
	Hooks    []Hook
	Accepter Accepter
	Store    Store
	Reports  Reports
	Jobs     Jobs
	// Repositories returns what is watched. Next returns when something is due,
	// the zero time when nothing is planned. Both are asked often.
	Repositories func() []Repository
	Next         func(subject, kind string) time.Time
	// Hosts are the names, beside localhost and every IP address, under which
	// browsers may ask for the status pages: "bot.example.com", without a port.
	Hosts   []string
	Version string
	// ConfigFile is the file that the server was started with, for commands that
	// the pages show; "" leaves it out of them.
	ConfigFile string
	Metrics    *Metrics
	Log        *slog.Logger

	// What follows has a default.
	Now    func() time.Time
	Limits Limits
	Grace  time.Duration // that running requests get at the end, 10 s
}

// Limits bound what strangers can cost. A zero field is its default.
type Limits struct {
	Body        int64         // bytes of one delivery, 25 MiB
	Bodies      int64         // bytes of all deliveries above 64 KiB that are being read, 64 MiB
	Connections int           // on each listener, 512; further ones wait
	Header      time.Duration // to read a request's header, 3 s
	Read        time.Duration // to read a request, 5 s
	Commit      time.Duration // to keep a delivery, 4 s; Gitea gives up after 5 s, GitHub after 10 s
	Write       time.Duration // to answer, 15 s
	Idle        time.Duration // of a connection to the status listener, 60 s
	HookIdle    time.Duration // of a connection to the public one, 5 s
}

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	if l.Body == 0 {
		l.Body = 25 << 20
	}
	if l.Bodies == 0 {
		l.Bodies = 64 << 20
	}
	if l.Connections == 0 {
		l.Connections = 512
	}
	set(&l.Header, 3*time.Second)
	set(&l.Read, 5*time.Second)
	set(&l.Commit, 4*time.Second)
	set(&l.Write, 15*time.Second)
	set(&l.Idle, time.Minute)
	set(&l.HookIdle, 5*time.Second)
	return l
}

const maxHeader = 16 << 10 // bytes of a request's header

// Server is the two listeners' handlers.
type Server struct {
	public http.Handler
	status http.Handler
	life   *life
	limits Limits
	grace  time.Duration
	log    *slog.Logger
}

// New makes a server that is not ready yet, see Started.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Second
	}
	limits := o.Limits.withDefaults()
	in := &ingest{
		accepter: o.Accepter, bodies: newBodies(limits.Body, limits.Bodies), commit: limits.Commit,
		metrics: o.Metrics, log: o.Log, refusals: newThrottle(o.Now),
	}
	public, err := in.routes(o.Hooks)
	if err != nil {
		return nil, err
	}
	s := &Server{public: public, life: &life{store: o.Store}, limits: limits, grace: o.Grace, log: o.Log}
	b := newBoard(o)
	if err := o.Metrics.watch(b); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if s.status, err = s.statusRoutes(o, b); err != nil {
		return nil, err
	}
	return s, nil
}

// Public is the handler of the public listener.
func (s *Server) Public() http.Handler { return s.public }

// Status is the handler of the status listener.
func (s *Server) Status() http.Handler { return s.status }

// Started says that the workers run: /readyz says so from now on.
func (s *Server) Started() { s.life.state.CompareAndSwap(starting, working) }

// Drain says that the process is about to end: /readyz fails from now on, so
// that others get the deliveries. Those that come nevertheless are kept.
func (s *Server) Drain() { s.life.state.Store(draining) }

// Run serves both listeners until ctx ends; requests that run then have
// Options.Grace to finish. It closes the listeners. To keep deliveries coming
// while jobs drain, call Drain first and end ctx after.
func (s *Server) Run(ctx context.Context, public, status net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	s.serve(ctx, group, public, s.public, s.limits.HookIdle)
	s.serve(ctx, group, status, s.status, s.limits.Idle)
	return group.Wait()
}

// serve adds to a group what serves one listener.
func (s *Server) serve(ctx context.Context, group *errgroup.Group, listener net.Listener, handler http.Handler, idle time.Duration) {
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.limits.Header,
		ReadTimeout:       s.limits.Read,
		WriteTimeout:      s.limits.Write,
		IdleTimeout:       idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	group.Go(func() error {
		err := server.Serve(netutil.LimitListener(listener, s.limits.Connections))
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	})
	group.Go(func() error {
		<-ctx.Done()
		defer endRequests()
		s.Drain()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			s.log.Warn("requests cut off at the end", "err", err)
			_ = server.Close()
		}
		return nil
	})
}
