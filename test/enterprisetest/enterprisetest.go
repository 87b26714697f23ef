// Package enterprisetest makes bundles as Odoo's portal has them, of the stand-in
// for Community and of invented modules, and a portal on this machine that gives
// them out.
package enterprisetest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/nuobit/odyssey/test/standin"
)

// Canary is in files of the invented modules, and must be nowhere but in the
// mirror.
const Canary = "enterprise-canary-7f3a"

// Code is the subscription code that the portal knows.
const Code = "M2611230042-canary"

// Bundle is what a bundle holds: contents by path, without the directory around
// everything.
type Bundle map[string]string

// New returns a bundle of the stand-in and n invented modules: ent_00, ent_01, …
func New(n int) Bundle {
	b := Bundle(standin.Files())
	for i := range n {
		b.Put(fmt.Sprintf("ent_%02d", i), "17.0.1.0")
	}
	return b
}

// Put adds a module, or makes it another version.
func (b Bundle) Put(name, version string) {
	dir := "odoo/addons/" + name + "/"
	b[dir+"__manifest__.py"] = fmt.Sprintf("{'name': %q, 'version': %q, 'license': 'OEEL-1'}\n", name, version)
	b[dir+"models/"+Canary+".py"] = "# " + Canary + " of " + name + " " + version + "\n"
}

// Remove takes a module out.
func (b Bundle) Remove(name string) {
	maps.DeleteFunc(b, func(path, _ string) bool { return strings.HasPrefix(path, "odoo/addons/"+name+"/") })
}

// Modules are the names of the invented modules, sorted.
func (b Bundle) Modules() []string {
	var names []string
	for path := range b {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(path, "odoo/addons/"), "/__manifest__.py"); ok && strings.HasPrefix(name, "ent_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Pack returns the bundle as a tar.gz file, always the same bytes.
func (b Bundle) Pack(t testing.TB, top string, when time.Time) []byte {
	t.Helper()
	data, err := b.Archive(top, when)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Archive is Pack outside of tests.
func (b Bundle) Archive(top string, when time.Time) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	modes := standin.Modes()
	for _, path := range slices.Sorted(maps.Keys(b)) {
		mode := int64(0o644)
		if modes[path] != "" {
			mode = 0o755
		}
		err := w.WriteHeader(&tar.Header{Name: top + "/" + path, Mode: mode, Size: int64(len(b[path])), ModTime: when, Format: tar.FormatPAX})
		_, wrote := io.WriteString(w, b[path])
		if err := errors.Join(err, wrote); err != nil {
			return nil, err
		}
	}
	err := errors.Join(w.Close(), z.Close())
	return out.Bytes(), err
}

// Portal is a portal on this machine.
type Portal struct {
	*httptest.Server

	mu        sync.Mutex
	name      string
	data      []byte
	download  http.HandlerFunc
	downloads int
}

// NewPortal starts a portal, which ends with the test.
func NewPortal(t testing.TB) *Portal {
	t.Helper()
	p := StartPortal()
	t.Cleanup(p.Close)
	return p
}

// StartPortal starts a portal, which the caller closes.
func StartPortal() *Portal {
	p := &Portal{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page/download", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session_id", Value: "cookie-canary", Path: "/"})
	})
	mux.HandleFunc("POST /download/check_subscription", func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Params struct{ Code string } }
		result := "success"
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Params.Code != Code {
			result = "oe_download_invalid_code"
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":%q}`, result)
	})
	mux.HandleFunc("GET /thanks/download", p.serve)
	p.Server = httptest.NewServer(mux)
	return p
}

// Offer makes the portal give out a file from now on.
func (p *Portal) Offer(name string, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name, p.data, p.download = name, data, nil
}

// Answer makes the portal answer downloads otherwise from now on.
func (p *Portal) Answer(download http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.download = download
}

// Downloads is how often the bundle was asked for.
func (p *Portal) Downloads() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.downloads
}

func (p *Portal) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.downloads++
	name, data, download := p.name, p.data, p.download
	p.mu.Unlock()
	switch {
	case r.URL.Query().Get("code") != Code:
		http.Error(w, "no such code", http.StatusForbidden)
	case download != nil:
		download(w, r)
	default:
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	}
}
