package web_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/web"
)

// fetch returns the answer to a GET, on a connection of its own.
func fetch(t *testing.T, address, path string) (status int, body string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(data))
}

// A server is ready after Started and until Drain, takes deliveries until its
// context ends, and lets those that run then finish.
func TestLife(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	entered, release := make(chan struct{}), make(chan struct{})
	o.Accepter = acceptFunc(func(_ context.Context, _ string, e forge.Event) (bool, error) {
		if e.Delivery == "slow" {
			close(entered)
			<-release
		}
		return true, nil
	})
	public, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	status, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, public, status) }()

	ready := func(wantStatus int, want string) {
		t.Helper()
		if code, body := fetch(t, status.Addr().String(), "/readyz"); code != wantStatus || body != want {
			t.Errorf("/readyz: %d %q; want %d %q", code, body, wantStatus, want)
		}
		if code, body := fetch(t, status.Addr().String(), "/healthz"); code != http.StatusOK || body != "alive" {
			t.Errorf("/healthz: %d %q", code, body)
		}
	}
	ready(503, "starting")
	server.Started()
	ready(200, "ready")
	server.Drain()
	ready(503, "draining")
	server.Started()
	ready(503, "draining") // there is no way back
	if code := send(t, public.Addr().String(), strings.NewReader("1"), 1, "X-Signature", "good"); code != http.StatusAccepted {
		t.Errorf("a delivery while draining: %d; want 202", code)
	}

	slow := make(chan int, 1)
	go func() { slow <- send(t, public.Addr().String(), strings.NewReader("slow"), 4, "X-Signature", "good") }()
	<-entered
	cancel()
	select {
	case err := <-ended:
		t.Errorf("ended with a request running: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	if code := <-slow; code != http.StatusAccepted {
		t.Errorf("the delivery that ran at the end: %d; want 202", code)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", public.Addr().String()); err == nil {
		conn.Close()
		t.Error("the listener is still open")
	}
}

// What does not finish in time is cut off.
func TestGrace(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	o.Grace = 50 * time.Millisecond
	o.Limits.Commit = time.Hour
	entered, release := make(chan struct{}), make(chan struct{})
	o.Accepter = acceptFunc(func(context.Context, string, forge.Event) (bool, error) {
		close(entered)
		<-release
		return false, errors.New("too late")
	})
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	public, status := listen(), listen()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- newServer(t, o).Run(ctx, public, status) }()
	conn, err := net.Dial("tcp", public.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /webhooks/gitea HTTP/1.1\r\nHost: x\r\nX-Signature: good\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1"); err != nil {
		t.Fatal(err)
	}
	<-entered
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if answer, _ := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("answered %q", answer)
	}
	close(release)
}

// When one listener fails, Run ends and says which.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	public, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	status, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := status.Addr().String()
	if err := status.Close(); err != nil {
		t.Fatal(err)
	}
	if err := newServer(t, options(t.Output())).Run(t.Context(), public, status); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("%v; want an error with %s", err, address)
	}
}

// Connections above the bound wait, and are served when there is room.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	o := options(t.Output())
	o.Limits = web.Limits{Connections: 2, Header: 500 * time.Millisecond, Read: 500 * time.Millisecond}
	public := start(t, o)
	for range 2 {
		conn, err := net.Dial("tcp", public) // says nothing
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	began := time.Now()
	if code := send(t, public, strings.NewReader("1"), 1, "X-Signature", "good"); code != http.StatusAccepted {
		t.Errorf("%d; want 202", code)
	}
	if took := time.Since(began); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("answered after %s; want it to wait until the silent ones were cut off", took)
	}
}

// Strangers who keep their connections after an answer hold none of them, and
// the forge only for a moment.
func TestFault_S2_IdleConnections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, request string
		idle          time.Duration
		closes        bool
	}{
		{"not found", "GET /none HTTP/1.1\r\nHost: x\r\n\r\n", 10 * time.Second, true},
		{"not allowed", "GET /webhooks/gitea HTTP/1.1\r\nHost: x\r\n\r\n", 10 * time.Second, true},
		{"not signed", "POST /webhooks/gitea HTTP/1.1\r\nHost: x\r\nX-Signature: bad\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1", 10 * time.Second, true},
		{"signed", "POST /webhooks/gitea HTTP/1.1\r\nHost: x\r\nX-Signature: good\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1", 300 * time.Millisecond, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := options(t.Output())
			o.Limits = web.Limits{Connections: 2, HookIdle: test.idle, Idle: 10 * time.Second}
			public := start(t, o)
			for range 2 {
				conn, err := net.Dial("tcp", public)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				if _, err := io.WriteString(conn, test.request); err != nil {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.Close != test.closes {
					t.Errorf("%s: the connection is to be closed: %t; want %t", resp.Status, resp.Close, test.closes)
				}
			}
			began := time.Now()
			if code := send(t, public, strings.NewReader("1"), 1, "X-Signature", "good"); code != http.StatusAccepted {
				t.Errorf("%d; want 202", code)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("a delivery waited for %s", took)
			}
		})
	}
}
