package web_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/web"
)

// start serves both listeners on loopback until the test ends, and returns the
// public one's address.
func start(t *testing.T, o web.Options) (public string) {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	p, s := listen(), listen()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	server := newServer(t, o)
	go func() { ended <- server.Run(ctx, p, s) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p.Addr().String()
}

// endless is a body of so many bytes that counts what was taken of it.
type endless struct {
	left int64
	sent *atomic.Int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(e.left, int64(len(p))))
	e.left -= int64(n)
	e.sent.Add(int64(n))
	return n, nil
}

// send posts a body with a client of its own and returns the answer's status.
func send(t *testing.T, address string, body io.Reader, length int64, header ...string) int {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/webhooks/gitea", body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Errorf("no answer: %v", err)
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// Strangers send 1 GiB, announced, in chunks, or compressed: refused after the
// limit at the latest, and the memory stays flat.
//
//nolint:paralleltest // it counts all memory of the process
func TestFault_S2_HugeBodies(t *testing.T) {
	const gib = 1 << 30
	public := start(t, options(io.Discard))
	for _, test := range []struct {
		name   string
		length int64
		header []string
		most   int64 // bytes that may be taken, of the sockets' buffers too
	}{
		{"announced", gib, nil, 16 << 20},
		{"chunked", -1, nil, 64 << 20},
		{"gzip", -1, []string{"Content-Encoding", "gzip"}, 16 << 20},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var sent atomic.Int64
		if status := send(t, public, &endless{gib, &sent}, test.length, test.header...); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d; want 413", test.name, status)
		}
		runtime.ReadMemStats(&after)
		if sent.Load() > test.most {
			t.Errorf("%s: %d bytes were taken; want at most %d", test.name, sent.Load(), test.most)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 80<<20 { // the buffer, doubled until it holds 25 MiB
			t.Errorf("%s: %d bytes were allocated", test.name, used)
		}
	}
}

// A small body that unpacks to a large one is not unpacked.
func TestFault_S2_Bomb(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := io.Copy(w, &endless{4 << 20, &atomic.Int64{}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	public := start(t, options(io.Discard))
	if status := send(t, public, &bomb, int64(bomb.Len()), "Content-Encoding", "gzip", "X-Signature", "good"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d; want 413", status)
	}
}

// A hundred strangers send 20 MiB each at once: together they get no more than
// the budget, and small deliveries go on.
//
//nolint:paralleltest // it counts all memory of the process
func TestFault_S2_ManyLargeBodies(t *testing.T) {
	o := options(io.Discard)
	o.Limits.Read = 30 * time.Second
	public := start(t, o)

	var highest atomic.Uint64
	watch, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		defer close(watched)
		for watch.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			highest.Store(max(highest.Load(), m.HeapAlloc))
			time.Sleep(2 * time.Millisecond)
		}
	}()
	var wg sync.WaitGroup
	var busy, large atomic.Int64
	for range 100 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", public)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /webhooks/gitea HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", 20<<20)
			go func() { _, _ = io.Copy(conn, &endless{20 << 20, &atomic.Int64{}}) }()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				return // cut off
			}
			_ = resp.Body.Close()
			switch resp.StatusCode {
			case http.StatusServiceUnavailable:
				busy.Add(1)
			case http.StatusUnauthorized:
				large.Add(1)
			}
		})
	}
	for range 20 {
		if status := send(t, public, strings.NewReader("1"), 1, "X-Signature", "good"); status != http.StatusAccepted {
			t.Errorf("a small delivery meanwhile: %d", status)
		}
	}
	wg.Wait()
	stop()
	<-watched
	if busy.Load() == 0 || large.Load() == 0 {
		t.Errorf("%d were put off and %d read; want some of both", busy.Load(), large.Load())
	}
	// The budget of 64 MiB, what the collector has not yet taken back of it, and
	// the connections.
	if grown := int64(highest.Load()) - int64(before.HeapAlloc); grown > 200<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// A hundred strangers drip: they are cut off, cost little, and a delivery
// meanwhile is answered at once.
func TestFault_F5_DrippingSenders(t *testing.T) {
	t.Parallel()
	o := options(io.Discard)
	o.Limits.Header, o.Limits.Read = 700*time.Millisecond, 700*time.Millisecond
	public := start(t, o)
	var wg sync.WaitGroup
	var slow, cut atomic.Int64
	for i := range 100 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", public)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			head := "POST /webhooks/gitea HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 26214400\r\n\r\n"
			if i%2 == 1 {
				head = "POST /webhooks/gitea HTTP/1.1\r\nX-Drip: " // the header never ends
			}
			fmt.Fprint(conn, head)
			go func() {
				for {
					if _, err := conn.Write([]byte("x")); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			switch {
			case err == nil && resp.StatusCode == http.StatusRequestTimeout:
				slow.Add(1)
			case err == nil:
				t.Errorf("answered %d", resp.StatusCode)
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "reset"):
				cut.Add(1)
			default:
				t.Errorf("not cut off: %v", err)
			}
			if resp != nil {
				_ = resp.Body.Close()
			}
		})
	}
	for range 10 {
		began := time.Now()
		if status := send(t, public, strings.NewReader("1"), 1, "X-Signature", "good"); status != http.StatusAccepted {
			t.Errorf("a delivery meanwhile: %d", status)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a delivery meanwhile took %s", took)
		}
		time.Sleep(50 * time.Millisecond)
	}
	wg.Wait()
	if slow.Load() != 50 || cut.Load() != 50 {
		t.Errorf("%d were told that they are slow, %d cut off; want 50 of each", slow.Load(), cut.Load())
	}
}

// numbered is a Receiver that keeps nothing of the body.
type numbered struct{ signed }

func (r numbered) Receive(h http.Header, body []byte) (forge.Event, error) {
	e, err := r.signed.Receive(h, body)
	e.Delivery = "fail"
	return e, err
}

// Tokens of deliveries, store errors and reports are in no log, page, metric
// or answer.
func TestFault_T1_Canary(t *testing.T) {
	t.Parallel()
	const canary = "canary-7f3a"
	var log bytes.Buffer
	o := options(&log)
	populate(t, &o)
	o.Accepter = acceptFunc(func(_ context.Context, _ string, e forge.Event) (bool, error) {
		if e.Delivery == "fail" {
			return false, errors.New("write the delivery: disk full")
		}
		return true, nil
	})
	o.Hooks[0].Receiver = numbered{}
	s := newServer(t, o)
	s.Started()
	var seen strings.Builder
	for _, body := range []string{`{"secret":"` + canary + `"}`, "not json " + canary} {
		for _, signature := range []string{"good", canary} {
			r := httptest.NewRequest(http.MethodPost, "/webhooks/gitea?token="+canary, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Signature", signature)
			r.Header.Set("Authorization", "Bearer "+canary)
			w := httptest.NewRecorder()
			s.Public().ServeHTTP(w, r)
			seen.WriteString(w.Body.String())
		}
	}
	for _, path := range pagePaths {
		w := get(s.Status(), path)
		if w.Code != http.StatusOK {
			t.Errorf("GET %s: %d", path, w.Code)
		}
		seen.WriteString(w.Body.String())
	}
	if !strings.Contains(seen.String(), "a link with a password") {
		t.Error("the report with the canary is on no page, so this shows nothing")
	}
	for name, text := range map[string]string{"the log": log.String(), "an answer": seen.String()} {
		if i := strings.Index(text, canary); i >= 0 {
			t.Errorf("%s tells the canary: …%s", name, text[max(0, i-200):i+20])
		}
	}
}
