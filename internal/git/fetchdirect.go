package git

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// direct asks servers over HTTP without git's program for it, where that is no
// more than one request: no proxy, no credentials and no redirects. It does not
// ask first what a server can do; any answer that is no pack is left to git,
// which then says what is wrong. Connections are used again.
type direct struct {
	http     *http.Client
	idle     func()        // closes connections that are not in use
	patience time.Duration // with a dead line
	refused  sync.Map      // servers that want credentials, as keys: git sends these
}

// dialing is net.Dialer's DialContext.
type dialing func(ctx context.Context, network, address string) (net.Conn, error)

// errIndirect: git has to ask.
var errIndirect = errors.New("not to be had without git")

// newDirect returns nil where git has to ask always: by a proxy, or with
// certificates that cannot be read.
func newDirect(env []string, dial dialing) *direct {
	trusted := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case value == "":
		case slices.Contains([]string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}, strings.ToUpper(name)):
			return nil
		case name == "GIT_SSL_CAINFO": // in the place of the system's, which Go knows
			pem, err := os.ReadFile(value)
			trusted.RootCAs = x509.NewCertPool()
			if err != nil || !trusted.RootCAs.AppendCertsFromPEM(pem) {
				return nil
			}
		}
	}
	transport := &http.Transport{
		// Bound to the address that passed the policy, as git is.
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if t, ok := ctx.Value(targetKey{}).(target); ok && t.address.IsValid() {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				address = net.JoinHostPort(t.address.String(), port)
			}
			return dial(ctx, network, address)
		},
		TLSClientConfig:        trusted,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // a pack is compressed
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &direct{http: &http.Client{Transport: transport, CheckRedirect: refuse}, idle: transport.CloseIdleConnections, patience: slowTime}
}

type targetKey struct{}

// fetchDirect is fetchPack of a server that is asked directly.
func (q *quarantine) fetchDirect(ctx context.Context, t target, w wanted) error {
	server, ok := q.direct.at(t)
	if !ok {
		return errIndirect
	}
	ctx, slow := context.WithCancelCause(context.WithValue(ctx, targetKey{}, t))
	defer slow(nil)
	return broken(ctx, q.fetchFrom(ctx, slow, server, w))
}

func (q *quarantine) fetchFrom(ctx context.Context, slow context.CancelCauseFunc, server string, w wanted) error {
	answer, err := q.direct.ask(ctx, slow, server, fetchRequest(w.ids), q.c.received)
	if err != nil {
		return errIndirect
	}
	defer answer.Close()
	packets := &packetReader{r: bufio.NewReaderSize(answer, packBuffer)}
	cut, _, err := packets.untilPack(len(w.ids))
	if err != nil {
		return errIndirect
	}
	if err = q.receive(ctx, packets, cut, w); err == nil {
		_, _ = io.CopyN(io.Discard, packets.r, 1<<10) // to the end, so that the connection can be used again
	}
	return err
}

// at is the URL to ask directly; ok is false where git has to ask.
func (d *direct) at(t target) (server string, ok bool) {
	if d == nil || t.User != "" || t.Scheme != "https" && t.Scheme != "http" {
		return "", false
	}
	u, err := url.Parse(t.String())
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", false
	}
	server = u.String() + "/git-upload-pack"
	_, refused := d.refused.Load(server)
	return server, !refused
}

// ask returns the answer to a request, of which received is told as it comes.
// When its line is dead, the request is given up by slow. Close it after use.
func (d *direct) ask(ctx context.Context, slow context.CancelCauseFunc, server, request string, received func(int64)) (io.ReadCloser, error) {
	watched := &watched{}
	stop := watched.pace.watch(d.patience, slow)
	body, err := d.post(ctx, server, request)
	if err != nil {
		stop()
		return nil, err
	}
	watched.Reader, watched.end = &counted{body, func(n int64) {
		watched.pace.n.Add(n)
		received(n)
	}}, func() error {
		stop()
		return body.Close()
	}
	return watched, nil
}

// watched is an answer that is watched until it is closed.
type watched struct {
	io.Reader
	pace pace
	end  func() error
}

func (w *watched) Close() error { return w.end() }

// broken is what became of a fetch that failed, as git would say it.
func broken(ctx context.Context, err error) error {
	var said string
	switch failed := (*Error)(nil); {
	case err == nil, errors.As(err, &failed):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		said = "no answer in time"
	case errors.Is(context.Cause(ctx), errSlow):
		said = errSlow.Error()
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrTransient):
		said = err.Error()
	default:
		return err
	}
	return &Error{Args: []string{"fetch"}, ExitCode: -1, Stderr: clean("fatal: " + said), class: ErrTransient}
}

// packBuffer is how much of a pack is read at once, in bytes.
const packBuffer = 128 << 10

// post returns the answer to a request if it may be a pack.
func (d *direct) post(ctx context.Context, server, request string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server, strings.NewReader(request))
	if err != nil {
		return nil, err
	}
	r.Header = http.Header{
		"Content-Type": {"application/x-git-upload-pack-request"}, "Accept": {uploadPackResult},
		"Git-Protocol": {"version=2"}, "User-Agent": {"git/2 (odyssey)"},
	}
	answer, err := d.http.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != uploadPackResult || answer.Header.Get("Content-Encoding") != "" {
		_ = answer.Body.Close()
		if slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, answer.StatusCode) {
			d.refused.Store(server, true)
		}
		err := fmt.Errorf("the answer is %s", answer.Status)
		if answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= http.StatusInternalServerError {
			said := fmt.Sprintf("fatal: %s: the URL returned error: %d", server, answer.StatusCode)
			err = &Error{Args: []string{"request"}, ExitCode: -1, Stderr: clean(said), class: ErrTransient}
		}
		return nil, err
	}
	return answer.Body, nil
}

const uploadPackResult = "application/x-git-upload-pack-result"

// pace is how much has come.
type pace struct{ n atomic.Int64 }

// A line is dead that brings fewer bytes in a time, as for git.
const (
	slowBytes = 500 * 30
	slowTime  = 30 * time.Second
)

// errSlow is of a dead line.
var errSlow = errors.New("the server sends less than 500 bytes a second")

// watch has a request given up when its line is dead. The function that it returns
// ends the watch.
func (p *pace) watch(patience time.Duration, giveUp context.CancelCauseFunc) (stop func()) {
	var before int64
	ticks, done := time.NewTicker(patience), make(chan struct{})
	go func() {
		defer ticks.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticks.C:
			}
			now := p.n.Load()
			if now-before < slowBytes {
				giveUp(errSlow)
				return
			}
			before = now
		}
	}()
	return func() { close(done) }
}
