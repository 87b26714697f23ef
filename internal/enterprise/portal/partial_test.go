package portal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A download that breaks off is gone on with, when it is the same file still.
func TestDownload_resumed(t *testing.T) {
	t.Parallel()
	for etag, ok := range map[string]bool{`"v1"`: true, `"v2"`: false, `W/"v1"`: false} {
		t.Run(etag, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var ranges atomic.Int32
			s.download = func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					ranges.Add(1)
					w.Header().Set("ETag", etag)
					http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.archive))
					return
				}
				first := `"v1"`
				if strings.HasPrefix(etag, "W/") {
					first = etag
				}
				w.Header().Set("ETag", first)
				w.Header().Set("Accept-Ranges", "bytes")
				w.Header().Set("Content-Length", fmt.Sprint(len(s.archive)))
				_, _ = w.Write(s.archive[:len(s.archive)/3])
			}
			if !ok {
				s.fails("does not go on")
				return
			}
			got, err := s.client().Download(t.Context(), s.target())
			if err != nil || got.Size != int64(len(s.archive)) || ranges.Load() != 1 {
				t.Errorf("%+v, %v, %d", got, err, ranges.Load())
			}
		})
	}
}

// cutOff gives the first n bytes of the archive, and is down then.
func (s *site) cutOff(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", fmt.Sprint(len(s.archive)))
		_, _ = w.Write(s.archive[:n])
	}
}

// What an interrupted download has left is gone on with by the next one, when it
// is the same file still.
func TestDownload_takenUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then   func(s *site, w http.ResponseWriter, r *http.Request)
		from   string // Range that is asked for first; "" none
		refuse string // what the second download fails with; "" it does not
	}{
		"same file": {func(s *site, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.archive))
		}, "bytes=%d-", ""},
		"another version": {func(s *site, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v2"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.archive))
		}, "", ""},
		"no ranges after all": {func(s *site, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(s.archive)
		}, "bytes=%d-", ""},
		"what is left is spoilt": {func(s *site, w http.ResponseWriter, r *http.Request) {
			left, err := filepath.Glob(filepath.Join(s.dir, ".odoo-enterprise-src_17e-*.partial"))
			for _, path := range left { // none at the third download
				f, openErr := os.OpenFile(path, os.O_WRONLY, 0)
				if openErr != nil {
					s.t.Error(openErr)
					return
				}
				_, writeErr := f.WriteAt([]byte("spoilt"), 100)
				err = errors.Join(err, writeErr, f.Close())
			}
			if err != nil {
				s.t.Error(err)
			}
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.archive))
		}, "bytes=%d-", "no good archive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			third := len(s.archive) / 3
			s.download = s.cutOff(third)
			_, err := s.client().Download(t.Context(), s.target())
			if want := fmt.Sprintf("%d bytes are kept", third); err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, want %q", err, want)
			}
			s.silent(err)
			var asked []string
			s.download = func(w http.ResponseWriter, r *http.Request) {
				if v := r.Header.Get("Range"); v != "" {
					asked = append(asked, v)
				}
				w.Header().Set("ETag", `"v1"`)
				w.Header().Set("Accept-Ranges", "bytes")
				c.then(s, w, r)
			}
			got, err := s.client().Download(t.Context(), s.target())
			var want []string
			if c.from != "" {
				want = []string{fmt.Sprintf(c.from, third)}
			}
			if !slices.Equal(asked, want) {
				t.Errorf("asked for %q, want %q", asked, want)
			}
			if c.refuse != "" {
				if err == nil || !strings.Contains(err.Error(), c.refuse) {
					t.Errorf("got %v", err)
				}
				got, err = s.client().Download(t.Context(), s.target())
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(s.dir, got.Name))
			if sum := sha256.Sum256(s.archive); err != nil || !bytes.Equal(data, s.archive) || got.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("another file was stored: %+v, %v", got, err)
			}
			if left, err := os.ReadDir(s.dir); err != nil || len(left) != 1 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

// What others have left in the directory is not gone on with.
func TestDownload_strangersPartial(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	s := newSite(t)
	s.download = s.cutOff(100)
	if _, err := s.client().Download(t.Context(), s.target()); err == nil {
		t.Fatal("the first download is complete")
	}
	left, err := filepath.Glob(filepath.Join(s.dir, ".odoo-enterprise-*"))
	if err != nil || len(left) != 1 || os.Chown(left[0], 1, 1) != nil {
		t.Fatalf("left %q, %v", left, err)
	}
	if _, err := s.client().Download(t.Context(), s.target()); err == nil || !strings.Contains(err.Error(), "of your own") {
		t.Errorf("got %v", err)
	}
}
