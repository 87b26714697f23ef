package portal_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/enterprise/portal"
	"github.com/nuobit/odyssey/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is a subscription code that must be nowhere; payload is of a link.
const (
	canary  = "M2611/canary+0042"
	payload = "payload-canary"
)

// site is a portal and its CDN on this machine.
type site struct {
	t           *testing.T
	portal, cdn *httptest.Server
	says        string           // on the subscription
	download    http.HandlerFunc // what /thanks/download answers
	archive     []byte
	log         bytes.Buffer
	dir         string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, says: `{"jsonrpc":"2.0","id":1,"result":"success"}`, archive: bundle(t), dir: t.TempDir()}
	s.cdn = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/download/17.0/odoo_17.0+e.20260514.tar.gz" || r.URL.Query().Get("payload") != payload || r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("the CDN is asked for %s, referer %q, cookie %q", r.URL, r.Header.Get("Referer"), r.Header.Get("Cookie"))
		}
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "x.tar.gz", time.Time{}, bytes.NewReader(s.archive))
	}))
	// Cookies do not know ports: the CDN needs another name.
	s.cdn.URL = strings.Replace(s.cdn.URL, "127.0.0.1", "localhost", 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page/download", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session_id", Value: "cookie-canary", Path: "/"})
	})
	mux.HandleFunc("POST /download/check_subscription", func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Params struct{ Code string } }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Params.Code != canary {
			t.Errorf("asked for %+v, %v", q, err)
		}
		if c, err := r.Cookie("session_id"); err != nil || c.Value != "cookie-canary" {
			t.Errorf("without the session: %v", err)
		}
		_, _ = io.WriteString(w, s.says)
	})
	mux.HandleFunc("GET /thanks/download", func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("code") != canary || q.Get("platform_version") != "src_17e" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
		s.download(w, r)
	})
	s.portal = httptest.NewServer(mux)
	s.download = s.page(s.cdn.URL)
	t.Cleanup(func() { s.portal.Close(); s.cdn.Close() })
	return s
}

// page answers with HTML that links to an archive of a host.
func (s *site) page(host string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!DOCTYPE html><html><a href="https://www.odoo.com/help?x=1">help</a><a href="%s/download/17.0/odoo_17.0+e.20260514.tar.gz?a=1&amp;payload=%s">here</a></html>`, host, payload)
	}
}

func (s *site) client() *portal.Client {
	s.t.Helper()
	c, err := portal.New(portal.Options{
		BaseURL: s.portal.URL, CDN: s.cdn.URL, Platform: "src_17e", Code: secret.New(canary), Timeout: 2 * time.Second, MaxSize: 1 << 20,
		Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

func (s *site) target() portal.Target {
	return portal.Target{Dir: s.dir, Check: func(ctx context.Context, path string) error {
		a, err := archive.Open(path, archive.DefaultLimits())
		if err != nil {
			return errors.New("no archive")
		}
		defer a.Close()
		return a.Walk(ctx, func(archive.Entry, io.Reader) error { return nil })
	}}
}

// fails runs a download that must fail with words, and leave nothing.
func (s *site) fails(words string) {
	s.t.Helper()
	_, err := s.client().Download(s.t.Context(), s.target())
	if err == nil || !strings.Contains(err.Error(), words) {
		s.t.Errorf("got %v, want %q", err, words)
	}
	s.silent(err)
	if left, err := os.ReadDir(s.dir); err != nil || len(left) > 0 {
		s.t.Errorf("left: %v %v", left, err)
	}
}

// silent checks that nothing secret is in an error or the log.
func (s *site) silent(err error) {
	s.t.Helper()
	text := fmt.Sprint(err) + s.log.String()
	for _, word := range []string{canary, "canary"} {
		if strings.Contains(text, word) {
			s.t.Errorf("%q is in\n%s", word, text)
		}
	}
}

func bundle(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	content := make([]byte, 64<<10)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	err := w.WriteHeader(&tar.Header{Name: "odoo/addons/x/__manifest__.py", Mode: 0o644, Size: int64(len(content))})
	_, writeErr := w.Write(content)
	if err := errors.Join(err, writeErr, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDownload(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*site){
		"by a page": func(*site) {},
		"direct": func(s *site) {
			s.download = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Disposition", `attachment; filename="odoo_17.0+e.20260514.tar.gz"`)
				_, _ = w.Write(s.archive)
			}
		},
		"by a redirect": func(s *site) {
			s.download = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, s.cdn.URL+"/download/17.0/odoo_17.0+e.20260514.tar.gz?payload="+payload, http.StatusFound)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			change(s)
			c := s.client()
			if err := c.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := c.Download(t.Context(), s.target())
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(s.archive)
			if want := (portal.File{Name: "odoo_17.0+e.20260514.tar.gz", Type: "tar.gz", Size: int64(len(s.archive)), SHA256: hex.EncodeToString(sum[:])}); *got != want {
				t.Errorf("got %+v", got)
			}
			data, err := os.ReadFile(filepath.Join(s.dir, got.Name))
			if err != nil || !bytes.Equal(data, s.archive) {
				t.Error("another file was stored", err)
			}
			if _, err := c.Download(t.Context(), s.target()); !errors.Is(err, portal.ErrExists) {
				t.Errorf("again: %v", err)
			}
			s.silent(nil)
			if !strings.Contains(s.log.String(), "query=code,platform_version") && !strings.Contains(s.log.String(), "query=platform_version,code") {
				t.Errorf("the log lacks the request:\n%s", s.log.String())
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]struct {
		words   string
		refused bool
	}{
		`{"result":"oe_download_invalid_code"}`:   {"no such code", true},
		`{"result":"oe_download_not_allowed"}`:    {"does not include", true},
		`{"result":"oe_download_invalid_status"}`: {"not active", true},
		`{"result":"oe_download_server_error"}`:   {"try again later", false},
		`{"error":{"message":"` + canary + `"}}`:  {"none of those", false},
		`{"result":{"code":"` + canary + `"}}`:    {"none of those", false},
		`<html>` + canary:                         {"no JSON", false},
		``:                                        {"no JSON", false},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.says = says
			err := s.client().Check(t.Context())
			if err == nil || !strings.Contains(err.Error(), want.words) || errors.Is(err, portal.ErrRefused) != want.refused {
				t.Errorf("got %v", err)
			}
			s.silent(err)
		})
	}
}

func TestDownload_hostile(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked for %s", r.URL.Path)
	}))
	t.Cleanup(other.Close)
	body := func(content string) func(*site) http.HandlerFunc {
		return func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, content) }
		}
	}
	for name, c := range map[string]struct {
		words  string
		answer func(*site) http.HandlerFunc
	}{
		"link elsewhere": {"another host", func(s *site) http.HandlerFunc { return s.page(other.URL) }},
		"host as user": {"another host", func(s *site) http.HandlerFunc {
			return s.page("http://" + strings.TrimPrefix(s.cdn.URL, "http://") + "@" + strings.TrimPrefix(other.URL, "http://"))
		}},
		"redirect elsewhere": {"another host", func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+"/x?code="+canary, http.StatusFound)
			}
		}},
		"odd redirect": {"Location", func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://[bad?payload="+payload)
				w.WriteHeader(http.StatusFound)
			}
		}},
		"redirect loop": {"again and again", func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.String(), http.StatusFound)
			}
		}},
		"html":         {"links to no archive", body("<!DOCTYPE html><html>" + canary)},
		"page of page": {"a page in the place", func(s *site) http.HandlerFunc { s.archive = []byte("<!DOCTYPE html>"); return s.page(s.portal.URL) }},
		"empty":        {"links to no archive", body("")},
		"status": {"answers 503", func(*site) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, canary, http.StatusServiceUnavailable) }
		}},
		"no gzip": {"no good archive", body("\x1f\x8b\x08 " + canary)},
		"cut off": {"broke off", func(s *site) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(s.archive)))
				_, _ = w.Write(s.archive[:len(s.archive)/2])
			}
		}},
		"cut off, no length": {"no good archive", func(s *site) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(s.archive[:100])
				_ = http.NewResponseController(w).Flush()
				_, _ = w.Write(s.archive[100 : len(s.archive)/2])
			}
		}},
		"stalls": {"nothing came for", func(s *site) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write(s.archive[:100])
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}
		}},
		"silent": {"timeout awaiting", func(*site) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		}},
		"endless": {"larger than 1 MiB", func(s *site) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				for range 100 {
					if _, err := w.Write(append(s.archive, make([]byte, 64<<10)...)); err != nil {
						return
					}
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.download = c.answer(s)
			if name == "page of page" { // the link leads back to a page that links
				mux := http.NewServeMux()
				mux.Handle("/", s.portal.Config.Handler)
				mux.Handle("/download/17.0/", s.page(s.portal.URL))
				s.portal.Config.Handler = mux
			}
			s.fails(c.words)
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"http://www.odoo.com", "www.odoo.com", "https://user:pw@www.odoo.com", "https://www.odoo.com?x", "ftp://127.0.0.1"} {
		if _, err := portal.New(portal.Options{BaseURL: u}); err == nil {
			t.Errorf("%s is taken", u)
		}
	}
}

func TestDownload_name(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		`attachment; filename="../../x.tar.gz"`: "odoo-enterprise-src_17e.tar.gz",
		`attachment; filename=".x.tar.gz"`:      "odoo-enterprise-src_17e.tar.gz",
		`attachment; filename="x.sh"`:           "odoo-enterprise-src_17e.tar.gz",
		`attachment; filename="x.tar.gz"`:       "x.tar.gz",
	} {
		s := newSite(t)
		s.download = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Disposition", header)
			_, _ = w.Write(s.archive)
		}
		got, err := s.client().Download(t.Context(), s.target())
		if err != nil || got.Name != want {
			t.Errorf("%s: %+v, %v", header, got, err)
		}
	}
	to := newSite(t).target()
	to.Name = "../x.tar.gz"
	if _, err := newSite(t).client().Download(t.Context(), to); err == nil {
		t.Error("a name that leaves the directory is taken")
	}
}
