package python_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// distribution is a package of one version.
type distribution struct {
	name, version string
	requires      []string
	script        bool // has a console script
	files         map[string]string
}

// wheel returns its file name and bytes, the same each time.
func (d distribution) wheel(t testing.TB) (string, []byte) {
	t.Helper()
	info := fmt.Sprintf("%s-%s.dist-info/", d.name, d.version)
	files := map[string]string{
		d.name + "/__init__.py": fmt.Sprintf("VERSION = %q\n\n\ndef main():\n    print(VERSION)\n", d.version),
		info + "METADATA":       d.metadata(),
		info + "WHEEL":          "Wheel-Version: 1.0\nGenerator: odyssey\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}
	if d.script {
		files[info+"entry_points.txt"] = fmt.Sprintf("[console_scripts]\n%s = %s:main\n", d.name, d.name)
	}
	maps.Copy(files, d.files)
	var record strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256([]byte(files[name]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(files[name]))
	}
	files[info+"RECORD"] = record.String() + info + "RECORD,,\n"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(files[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s-%s-py3-none-any.whl", d.name, d.version), b.Bytes()
}

func (d distribution) metadata() string {
	text := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", d.name, d.version)
	for _, r := range d.requires {
		text += "Requires-Dist: " + r + "\n"
	}
	return text
}

// sdist returns a source distribution that is built by the package buildtool.
func (d distribution) sdist(t testing.TB) (string, []byte) {
	t.Helper()
	top := d.name + "-" + d.version
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range [][2]string{
		{"PKG-INFO", d.metadata()},
		{"pyproject.toml", "[build-system]\nrequires = [\"buildtool\"]\nbuild-backend = \"buildtool\"\n"},
	} {
		header := &tar.Header{Name: top + "/" + f[0], Mode: 0o644, Size: int64(len(f[1])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return top + ".tar.gz", b.Bytes()
}

// buildtool is a build backend that writes its version into what it builds.
func buildtool(version string) distribution {
	return distribution{name: "buildtool", version: version, files: map[string]string{"buildtool/__init__.py": fmt.Sprintf(`
import os, zipfile

def get_requires_for_build_wheel(settings=None):
    return []

def build_wheel(directory, settings=None, metadata=None):
    top = os.path.basename(os.getcwd())
    name = open("PKG-INFO").read().split("Name: ")[1].split()[0]
    version = open("PKG-INFO").read().split("Version: ")[2].split()[0]
    info = "%%s-%%s.dist-info/" %% (name, version)
    files = {
        name + "/__init__.py": "BUILT_BY = '%s'\nSETTINGS = %%r\n" %% (settings,),
        info + "METADATA": open("PKG-INFO").read(),
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: buildtool\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[info + "RECORD"] = "".join(f + ",,\n" for f in files) + info + "RECORD,,\n"
    wheel = "%%s-%%s-py3-none-any.whl" %% (name, version)
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as z:
        for f in sorted(files):
            z.writestr(zipfile.ZipInfo(f), files[f])
    return wheel
`, version)}}
}

// index is a package index (PEP 503) on the loopback interface.
type index struct {
	*httptest.Server

	mu    sync.Mutex
	files map[string][]byte // by file name
	login string            // user:password that it wants; none when empty
	serve map[string][]byte // what is served instead, by file name
	fault func(w http.ResponseWriter, r *http.Request) (handled bool)
}

func newIndex(t testing.TB, all ...distribution) *index {
	t.Helper()
	x := &index{files: map[string][]byte{}, serve: map[string][]byte{}}
	x.add(t, all...)
	x.Server = httptest.NewServer(http.HandlerFunc(x.handle))
	t.Cleanup(x.Close)
	return x
}

// add adds wheels.
func (x *index) add(t testing.TB, all ...distribution) {
	t.Helper()
	for _, d := range all {
		x.put(d.wheel(t))
	}
}

func (x *index) put(name string, data []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.files[name] = data
}

// simple is the URL for pip's --index-url, with the login that it wants.
func (x *index) simple() string {
	url := x.URL + "/simple/"
	if x.login != "" {
		url = strings.Replace(url, "://", "://"+x.login+"@", 1)
	}
	return url
}

// hash is the hash of a served file as a lock has it.
func (x *index) hash(name string) string {
	sum := sha256.Sum256(x.files[name])
	return "sha256:" + hex.EncodeToString(sum[:])
}

// lock is a line of a lock for the wheel of a package.
func (x *index) lock(name, version string) string {
	return fmt.Sprintf("%s==%s --hash=%s\n", name, version, x.hash(fmt.Sprintf("%s-%s-py3-none-any.whl", name, version)))
}

func (x *index) handle(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fault != nil && x.fault(w, r) {
		return
	}
	if user, password, _ := r.BasicAuth(); x.login != "" && user+":"+password != x.login {
		w.Header().Set("WWW-Authenticate", `Basic realm="index"`)
		http.Error(w, "who is there?", http.StatusUnauthorized)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		data := x.files[name]
		if other, ok := x.serve[name]; ok {
			data = other
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
		return
	}
	project, found := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/"), false
	var page strings.Builder
	for _, name := range slices.Sorted(maps.Keys(x.files)) {
		if strings.HasPrefix(name, project+"-") {
			found = true
			fmt.Fprintf(&page, "<a href=\"/files/%s#%s\">%s</a><br>\n", name, strings.Replace(x.hash(name), ":", "=", 1), name)
		}
	}
	if !found {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<!DOCTYPE html><html><body>\n%s</body></html>\n", page.String())
}
