// Package pyindex serves wheels that hold next to nothing, as a package index
// (PEP 503) on the loopback interface does.
package pyindex

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Index is an index that is running.
type Index struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte // by file name
}

// Start starts an empty index. Close ends it.
func Start() *Index {
	x := &Index{files: map[string][]byte{}}
	x.Server = httptest.NewServer(http.HandlerFunc(x.serve))
	return x
}

// Simple is what PIP_INDEX_URL is to be.
func (x *Index) Simple() string { return x.URL + "/simple/" }

// Add adds a version of a package, and what it requires.
func (x *Index) Add(name, version string, requires ...string) error {
	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
	for _, r := range requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	files := map[string]string{
		name + "/__init__.py": "", info + "METADATA": metadata,
		info + "WHEEL": "Wheel-Version: 1.0\nGenerator: odyssey\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}
	var record strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256([]byte(files[path]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", path, base64.RawURLEncoding.EncodeToString(sum[:]), len(files[path]))
	}
	files[info+"RECORD"] = record.String() + info + "RECORD,,\n"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(path)
		if err == nil {
			_, err = w.Write([]byte(files[path]))
		}
		if err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.files[fmt.Sprintf("%s-%s-py3-none-any.whl", name, version)] = b.Bytes()
	return nil
}

func (x *Index) serve(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(x.files[name]))
		return
	}
	project := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/")
	var page strings.Builder
	for _, name := range slices.Sorted(maps.Keys(x.files)) {
		if strings.HasPrefix(name, project+"-") {
			fmt.Fprintf(&page, "<a href=\"/files/%s#sha256=%x\">%s</a><br>\n", name, sha256.Sum256(x.files[name]), name)
		}
	}
	if page.Len() == 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<!DOCTYPE html><html><body>\n%s</body></html>\n", page.String())
}
