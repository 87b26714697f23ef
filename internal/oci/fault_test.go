package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/registrytest"
)

// noise is a blob of bytes that do not compress, the same each time that it is made.
func noise(size int) producer {
	return func(_ context.Context, w io.Writer) error {
		source := rand.NewChaCha8([32]byte{1})
		buffer := make([]byte, 64<<10)
		for left := size; left > 0; left -= len(buffer) {
			_, _ = source.Read(buffer) // never fails
			if _, err := w.Write(buffer[:min(left, len(buffer))]); err != nil {
				return err
			}
		}
		return nil
	}
}

func digestOfNoise(t testing.TB, size int) produced {
	t.Helper()
	got, err := discard{}.write(t.Context(), "", noise(size))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// pushRepository opens a repository for pushing.
func pushRepository(t testing.TB, c *Client, name string) *repository {
	t.Helper()
	r, err := c.repository(t.Context(), name, pushing)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer is a fault that answers like a registry.
func answer(w http.ResponseWriter, status int, code, message string) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
	return true
}

// A refusal is final: it says where to log in, is not tried again, and nothing is published.
func TestFault_F9_RegistryRefuses(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		reg := registrytest.New(t)
		base := pushBase(t, reg)
		dir := t.TempDir()
		files(t, dir, addons())
		c, _ := newClient(t)
		a := assembly(t, c, base, dir)
		reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPost && answer(w, status, "DENIED", "not you")
		})
		_, err := c.Assemble(t.Context(), a, target(t, reg.Host+"/acme/odoo"), Tags{Names: []string{"r1"}})
		if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "docker login "+reg.Host) || !strings.Contains(err.Error(), "not you") {
			t.Errorf("the error is %v", err)
		}
		if n := reg.Count(http.MethodPut, "manifests"); n > 0 {
			t.Errorf("%d manifests were put", n)
		}
		// One for each layer that was begun, and for each of the base to mount it and to copy it.
		if n := reg.Count(http.MethodPost, "uploads"); n > 6 {
			t.Errorf("%d uploads were begun", n)
		}
	}
}

// A registry that is asked too often says how long to wait, and is given that.
func TestFault_F10_RegistryAsksToWait(t *testing.T) {
	t.Parallel()
	reg, c, waited, a := ready(t)
	var refused atomic.Int32
	reg.Fail(func(w http.ResponseWriter, _ *http.Request) bool {
		if refused.Add(1) > 3 {
			return false
		}
		w.Header().Set("Retry-After", "17")
		return answer(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "slow down")
	})
	if _, err := c.Assemble(t.Context(), a, target(t, reg.Host+"/acme/odoo"), Tags{Names: []string{"r1"}}); err != nil {
		t.Fatal(err)
	}
	if len(waited.all) < 3 {
		t.Fatalf("waited %v", waited.all)
	}
	for _, d := range waited.all[:3] {
		if d < 17*time.Second {
			t.Errorf("waited %v, asked were 17 s", d)
		}
	}
}

// Each kind of request meets a fault that passes. The image is published once, as it should be.
func TestFault_F11_RegistryFails(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut} {
			reg, c, _, a := ready(t)
			var failed atomic.Int32
			reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != method || failed.Add(1) > 2 {
					return false
				}
				w.WriteHeader(status)
				return true
			})
			result, err := c.Assemble(t.Context(), a, target(t, reg.Host+"/acme/odoo"), Tags{Names: []string{"r1"}})
			if err != nil {
				t.Errorf("%s %d: %v", method, status, err)
				continue
			}
			digest, err := c.Resolve(t.Context(), Reference{Repository: reg.Host + "/acme/odoo", Tag: "r1"})
			if err != nil || digest != result.Digest {
				t.Errorf("%s %d: r1 is %s, %v", method, status, digest, err)
			}
		}
	}
}

// A fault that does not pass is given up after a bounded number of attempts.
func TestFault_F11_RegistryStaysBroken(t *testing.T) {
	t.Parallel()
	reg, c, waited, a := ready(t)
	reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	_, err := c.Assemble(t.Context(), a, target(t, reg.Host+"/acme/odoo"), Tags{Names: []string{"r1"}})
	if !errors.Is(err, ErrTransient) {
		t.Errorf("the error is %v", err)
	}
	if len(waited.all) > 60 {
		t.Errorf("waited %d times", len(waited.all))
	}
	if n := reg.Count(http.MethodPut, "manifests"); n > 0 {
		t.Errorf("%d manifests were put", n)
	}
}

// An upload whose connection breaks goes on where the registry got to, at any point, once and
// again; a registry that has forgotten it is begun with anew.
func TestFault_F12_ConnectionBreaks(t *testing.T) {
	t.Parallel()
	const size = 20 << 20
	want := digestOfNoise(t, size)
	for name, faulty := range map[string]*cutRegistry{
		"not":           {},
		"early":         {cuts: []int{1000}},
		"first byte":    {cuts: []int{1}},
		"late":          {cuts: []int{size - 1}},
		"within chunks": {cuts: []int{1 << 20, 5 << 20, 12 << 20, 12<<20 + 1}},
		"forgotten":     {cuts: []int{3 << 20}, lost: true},
	} {
		reg := registrytest.Start(faulty)
		t.Cleanup(reg.Stop)
		c, _ := newClient(t)
		cuts := len(faulty.cuts)
		got, err := pushRepository(t, c, reg.Host+"/acme/odoo").upload(t.Context(), name, noise(size))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got != want || digestOf(faulty.got.Bytes()) != want.digest {
			t.Errorf("%s: uploaded %+v, want %+v", name, got, want)
		}
		if len(faulty.cuts) > 0 {
			t.Errorf("%s: %d of %d cuts were not reached", name, len(faulty.cuts), cuts)
		}
		if (name == "early" || name == "late" || name == "within chunks") && faulty.starts != 1 {
			t.Errorf("%s: %d uploads were begun", name, faulty.starts)
		}
		if len(faulty.puts) != 1 {
			t.Errorf("%s: put %v", name, faulty.puts)
		}
	}
}

// What cannot be made again as it was is not put together from two halves.
func TestFault_F12_SourceChangesMeanwhile(t *testing.T) {
	t.Parallel()
	faulty := &cutRegistry{cuts: []int{5 << 20}}
	reg := registrytest.Start(faulty)
	t.Cleanup(reg.Stop)
	c, _ := newClient(t)
	runs := 0
	_, err := pushRepository(t, c, reg.Host+"/acme/odoo").upload(t.Context(), "layer", func(ctx context.Context, w io.Writer) error {
		runs++
		if _, err := fmt.Fprintf(w, "run %d", runs); err != nil {
			return err
		}
		return noise(10<<20)(ctx, w)
	})
	if !errors.Is(err, ErrChanged) || len(faulty.puts) > 0 {
		t.Errorf("the error is %v; put %v", err, faulty.puts)
	}
}

// A connection on which nothing moves is given up.
func TestFault_F12_ConnectionHangs(t *testing.T) {
	t.Parallel()
	reg := registrytest.New(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	var hung atomic.Bool
	reg.Fail(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch && hung.CompareAndSwap(false, true) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return true
		}
		return false
	})
	c := New(Options{Wait: (&waits{}).wait, Stall: 3 * time.Second})
	// More than fits into the buffers between.
	const size = 30 << 20
	got, err := pushRepository(t, c, reg.Host+"/acme/odoo").upload(t.Context(), "layer", noise(size))
	if err != nil || got != digestOfNoise(t, size) {
		t.Errorf("%+v, %v", got, err)
	}
}

// What a run that was killed had sent is there, and what a second one publishes is the same, once.
func TestFault_C7_KilledAfterPush(t *testing.T) {
	t.Parallel()
	reg := registrytest.New(t)
	base := pushBase(t, reg)
	dir := t.TempDir()
	files(t, dir, addons())
	var digests []string
	for _, last := range []string{"blobs/uploads", "manifests/sha256", "manifests/r0001", ""} {
		ctx, kill := context.WithCancel(t.Context())
		c, _ := newClient(t)
		a := assembly(t, c, base, dir)
		reg.Fail(func(_ http.ResponseWriter, r *http.Request) bool {
			if last != "" && r.Method == http.MethodPut && strings.Contains(r.URL.Path, last) {
				kill() // the request gets through, and its answer gets nowhere
			}
			return false
		})
		result, err := c.Assemble(ctx, a, target(t, reg.Host+"/acme/odoo"), Tags{Next: "r"})
		if err == nil {
			digests = append(digests, result.Digest+" "+strings.Join(result.Tags, " "))
		}
		kill()
	}
	tags, err := New(Options{}).Tags(t.Context(), reg.Host+"/acme/odoo")
	if err != nil || len(tags) != 1 || tags[0] != "r0001" {
		t.Errorf("the tags are %v, %v", tags, err)
	}
	if len(digests) == 0 || !strings.HasSuffix(digests[len(digests)-1], " r0001") {
		t.Errorf("published %v", digests)
	}
}

// No token that is sent to a registry stands in what is said or written.
func TestFault_T1_RegistryEchoesCredentials(t *testing.T) {
	reg := registrytest.New(t)
	base := pushBase(t, reg)
	dir := t.TempDir()
	files(t, dir, addons())
	const password = "canary-5f1e9a"
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	auth := fmt.Sprintf(`{"auths":{%q:{"username":"ann","password":%q}}}`, reg.Host, password)
	mustWrite(t, filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), auth)
	var seen atomic.Int32
	reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		_, sent, ok := r.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			return answer(w, http.StatusUnauthorized, "UNAUTHORIZED", "")
		}
		seen.Add(1)
		if r.Method == http.MethodPost {
			return answer(w, http.StatusForbidden, "DENIED", "you sent "+sent+" and "+r.Header.Get("Authorization"))
		}
		return false
	})
	c, _ := newClient(t)
	_, err := c.Assemble(t.Context(), assembly(t, c, base, dir), target(t, reg.Host+"/acme/odoo"), Tags{})
	if err == nil || seen.Load() == 0 {
		t.Fatalf("%v; %d requests with a password", err, seen.Load())
	}
	if strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "[redacted]") {
		t.Errorf("the error is %v", err)
	}
	// base64 of user and password is as good as these.
	if strings.Contains(err.Error(), "YW5uOmNhbmFyeS01ZjFlOWE") {
		t.Errorf("the error is %v", err)
	}
}

// TestPlainHTTP: nothing is sent in the clear to another machine.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme == "https" {
			return nil, errors.New("connection refused")
		}
		asked.Add(1)
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
	})
	wait := (&waits{}).wait
	ref := Reference{Repository: "10.1.2.3:5000/acme/odoo", Tag: "x"}
	_, err := New(Options{Transport: transport, Wait: wait}).Resolve(t.Context(), ref)
	if err == nil || !strings.Contains(err.Error(), "--insecure-registry") || asked.Load() > 0 {
		t.Errorf("the error is %v; %d requests in the clear", err, asked.Load())
	}
	if _, err = New(Options{Transport: transport, Wait: wait, Insecure: true}).Resolve(t.Context(), ref); asked.Load() == 0 {
		t.Errorf("%v; no requests though allowed", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
