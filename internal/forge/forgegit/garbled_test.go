package forgegit_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// A server that answers something else than git, or half of it, makes an
// error and nothing worse.
func TestGarbledAnswers(t *testing.T) {
	t.Parallel()
	dir, good := newServer(t, stream(), "uploadpack.allowFilter=true")
	head := git(t, dir, "", "rev-parse", "main")
	for name, c := range map[string]struct {
		request string // the one that is spoiled
		spoil   func(body []byte) []byte
	}{
		"no git at all":             {"info/refs?service=git-upload-pack", func([]byte) []byte { return []byte("<html>hello</html>") }},
		"references cut off":        {"info/refs?service=git-upload-pack", half},
		"no references for pushing": {"info/refs?service=git-receive-pack", func([]byte) []byte { return nil }},
		"pack cut off":              {"/git-upload-pack", half},
		"no pack":                   {"/git-upload-pack", func([]byte) []byte { return nil }},
		"pack with a wrong byte":    {"/git-upload-pack", flip},
		"an error line":             {"/git-upload-pack", func([]byte) []byte { return []byte("0014ERR not our ref\n") }},
		"no report":                 {"/git-receive-pack", func([]byte) []byte { return nil }},
		"report cut off":            {"/git-receive-pack", half},
		"report of something else":  {"/git-receive-pack", func([]byte) []byte { return []byte("000eunpack ok\n") }},
		"unpack failed":             {"/git-receive-pack", func([]byte) []byte { return []byte("0017\x010012unpack bad\n0000") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := remote(t, spoiling(t, good.URL, c.request, c.spoil))
			_, err := r.Push(t.Context(), forge.Change{
				Base: "main", BaseHead: head, Branch: strings.ReplaceAll(name, " ", "-"),
				Files: map[string][]byte{"f": []byte("x")}, By: forge.Identity{Name: "O", Email: "o@example.org"},
			})
			if !errors.Is(err, forge.ErrTransient) || strings.ContainsAny(err.Error(), "\n\x00\x01") {
				t.Errorf("error %q, want a transient one on one line", err)
			}
		})
	}
}

func half(body []byte) []byte { return body[:len(body)/2] }

func flip(body []byte) []byte {
	body[len(body)-5] ^= 0xff
	return body
}

// spoiling is a server that changes the answer to one request.
func spoiling(t *testing.T, base, request string, spoil func([]byte) []byte) string {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	next := httputil.NewSingleHostReverseProxy(target)
	next.Transport = transport
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.RequestURI(), request) {
			next.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		_, _ = w.Write(spoil(answer.Body.Bytes()))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// A repository that unpacks to more than there is room for is refused.
func TestTooLargeRepository(t *testing.T) {
	t.Parallel()
	const files = 30 // of 1 kB each
	var s strings.Builder
	s.WriteString("commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nm\n")
	zeros := strings.Repeat("\x00", 1000)
	for i := range files {
		name := string([]byte{'a' + byte(i/26), 'a' + byte(i%26)})
		s.WriteString("M 100644 inline " + name + "\ndata <<END_OF_FILE\n" + name + zeros + "\nEND_OF_FILE\n")
	}
	_, r := newServer(t, s.String())
	r.MaxObjects = 30_000
	_, err := r.Snapshot(t.Context(), "main", []string{"aa"})
	if !errors.Is(err, forgehttp.ErrTooLarge) || errors.Is(err, forge.ErrTransient) {
		t.Errorf("error %v, want that it is too large", err)
	}
}

// A server that says where the credentials should go is not asked twice.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for status, class := range map[int]error{
		401: forge.ErrUnauthorized, 403: forge.ErrUnauthorized, 404: forge.ErrNotFound,
		429: forge.ErrTransient, 500: forge.ErrTransient, 204: forge.ErrTransient,
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "because\n")
		}))
		_, err := remote(t, srv.URL).Snapshot(t.Context(), "main", nil)
		if !errors.Is(err, class) {
			t.Errorf("%d: error %v, want %v", status, err, class)
		}
		srv.Close()
	}
}
