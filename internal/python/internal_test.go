package python

import (
	"bytes"
	"encoding/csv"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/python/requirements"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// What tools print is shown without secrets, in any spelling.
func TestRedactor(t *testing.T) {
	t.Parallel()
	r := newRedactor([]string{
		"PIP_INDEX_URL=https://bot:p%40ss-w0rd@index.example/simple", "HTTPS_PROXY=http://tok3n@proxy:3128", "UV_INDEX_CORP_PASSWORD=hunter22",
	})
	for _, text := range []string{
		"p%40ss-w0rd", "p@ss-w0rd", "401 for https://bot:p%40ss-w0rd@index.example/", "user tok3n", "hunter22", url.QueryEscape("p@ss-w0rd"),
		"https://a.example/x?token=hunter2&b=1", "git+https://someone:else@x.example/", "\x1b[31mp@ss-\x1b[0mw0rd",
	} {
		got := r.clean(text)
		for _, secret := range []string{"w0rd", "tok3n", "hunter2", "else"} {
			if strings.Contains(got, secret) {
				t.Errorf("clean(%q) = %q", text, got)
			}
		}
		if !strings.Contains(got, "[redacted]") {
			t.Errorf("clean(%q) = %q; nothing was taken out", text, got)
		}
	}
	if got := r.clean("a\tb\r\nc\x00\u202e"); !strings.HasPrefix(got, "a b\n\nc") || strings.Contains(got, "\x00") || strings.Contains(got, "\u202e") {
		t.Errorf("clean leaves %q", got)
	}
}

// What pip and uv said of each fault, on this system.
func TestToolError_hint(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"Hash mismatch for `beta==1.0`":                                                                    "another file",
		"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.":                        "another file",
		"ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device":          "make room",
		"failed to create file: No space left on device (os error 28)":                                     "make room",
		"ERROR: 401 Client Error: Unauthorized for url":                                                    "other credentials",
		"HTTP status client error (403 Forbidden) for url":                                                 "other credentials",
		"error sending request for url (http://127.0.0.1:1/)":                                              "does not answer",
		"ERROR: No matching distribution found (from versions: none)":                                      "no index has it",
		"/usr/include/x.c:1:10: fatal error: ldap.h: No such file or directory":                            "-dev packages",
		"ERROR: Hashes are required in --require-hashes mode, but they are missing from some requirements": "refresh the lock",
		"something else": "",
	} {
		e := &ToolError{What: "install", Tool: "pip", ExitCode: 1, Output: said}
		if got := e.hint(); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%q: hint %q, want %q", said, got, want)
		}
	}
	long := &ToolError{What: "install", Tool: "pip", ExitCode: 1, Output: strings.Repeat("line\n", 500) + "last"}
	if text := long.Error(); strings.Count(text, "\n") > maxLines+2 || !strings.HasSuffix(text, "last") {
		t.Errorf("error of %d lines", strings.Count(text, "\n"))
	}
}

// pip and uv are given the same settings, each in its words, and no URL as an
// argument.
func TestSettings(t *testing.T) {
	t.Parallel()
	s := &settings{}
	for key, value := range map[string]string{
		"index-url": "https://u:p@a.example/", "extra-index-url": "https://b.example/\n https://c.example/", "find-links": "~/w /x",
		"no-index": "yes", "pre": "on", "prefer-binary": "0", "trusted-host": "h:1 i", "only-binary": ":all:",
		"cert": "/c.pem", "client-cert": "/d.pem", "proxy": "http://q", "timeout": "7.5", "retries": "2", "keyring-provider": "subprocess",
		"no-cache-dir": "1", "log": "/x", "root": "/y",
	} {
		s.set(key, value, "/home")
	}
	wantUV := []string{
		"ALL_PROXY=http://q", "HTTPS_PROXY=http://q", "HTTP_PROXY=http://q", "SSL_CERT_FILE=/c.pem", "SSL_CLIENT_CERT=/d.pem", "UV_CACHE_DIR=/k/uv",
		"UV_DEFAULT_INDEX=https://u:p@a.example/", "UV_FIND_LINKS=/home/w,/x", "UV_HTTP_RETRIES=2", "UV_HTTP_TIMEOUT=8",
		"UV_INDEX=https://b.example/ https://c.example/", "UV_INDEX_STRATEGY=unsafe-best-match", "UV_INSECURE_HOST=h:1 i",
		"UV_KEYRING_PROVIDER=subprocess", "UV_LINK_MODE=copy", "UV_NO_CONFIG=1", "UV_NO_PROGRESS=1", "UV_PRERELEASE=allow", "UV_PYTHON_DOWNLOADS=never",
		"all_proxy=http://q", "http_proxy=http://q", "https_proxy=http://q",
	}
	if diff := cmp.Diff(wantUV, s.uvEnvironment(nil, "/k")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"--no-index", "--only-binary", ":all:"}, s.uvArguments()); diff != "" {
		t.Error(diff)
	}
	pip := s.pipEnvironment("")
	for _, want := range []string{
		"PIP_INDEX_URL=https://u:p@a.example/", "PIP_EXTRA_INDEX_URL=https://b.example/ https://c.example/", "PIP_FIND_LINKS=/home/w /x", "PIP_NO_INDEX=1",
		"PIP_PRE=1", "PIP_TRUSTED_HOST=h:1 i", "PIP_ONLY_BINARY=:all:", "PIP_CERT=/c.pem", "PIP_CLIENT_CERT=/d.pem", "PIP_PROXY=http://q", "PIP_TIMEOUT=7.5",
		"PIP_RETRIES=2", "PIP_NO_CACHE_DIR=1", "PIP_CONFIG_FILE=/dev/null",
	} {
		if !slices.Contains(pip, want) {
			t.Errorf("pip is not told %s: %q", want, pip)
		}
	}
	if !slices.Equal(s.ignored, []string{"root"}) {
		t.Errorf("ignored %q", s.ignored)
	}
	own := s.uvEnvironment([]string{"UV_INDEX=https://mine.example/", "UV_CACHE_DIR=/other", "UV_HTTP_TIMEOUT=1"}, "/k")
	for want, is := range map[string]bool{"UV_INDEX=https://mine.example/": true, "UV_DEFAULT_INDEX=https://u:p@a.example/": false, "UV_CACHE_DIR=/k/uv": true, "UV_HTTP_TIMEOUT=1": true} {
		if slices.Contains(own, want) != is {
			t.Errorf("%s: %q", want, own)
		}
	}
}

func TestFormatControl(t *testing.T) {
	t.Parallel()
	var f formatControl
	f.noBinary("A.b,c")
	f.onlyBinary("a-b")
	if diff := cmp.Diff(formatControl{no: []string{"c"}, only: []string{"a-b"}}, f, cmp.AllowUnexported(formatControl{})); diff != "" {
		t.Error(diff)
	}
	f.noBinary(":all:")
	f.onlyBinary("d")
	f.onlyBinary("d :none: e")
	if diff := cmp.Diff(formatControl{no: []string{":all:"}, only: []string{"e"}}, f, cmp.AllowUnexported(formatControl{})); diff != "" {
		t.Error(diff)
	}
}

// A URL that a tool resolved to must not bring a password or a path into the
// lock.
func TestFault_T1_LockURL(t *testing.T) {
	t.Parallel()
	in := t.TempDir() + "/requirements.in"
	if err := os.WriteFile(in, []byte("\nfoo @ https://x.example/foo-1.zip\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	asked, err := requirements.Normalize(requirements.Input{Files: []string{in}})
	if err != nil {
		t.Fatal(err)
	}
	python := &Interpreter{Minor: "3.11"}
	for _, u := range []string{"https://user:hidden@x.example/foo-1.zip", "file:///tmp/foo-1.zip"} {
		text, err := formatLock([]pinned{{name: "foo", url: u, hashes: []string{"sha256:0"}}}, python, asked)
		fault, ok := err.(*yamldoc.Error) //nolint:errorlint // nothing wraps it
		if text != nil || !ok || fault.Path != "requirements.in" || fault.Line != 2 || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %q, %v", u, text, err)
		}
	}
	if _, err := formatLock([]pinned{{name: "foo", url: "git+https://x.example/foo"}}, python, asked); err == nil || !strings.Contains(err.Error(), "foo has no hash") {
		t.Error(err)
	}
}

// A tree is the same whatever the umask and the tool.
func TestNormalizeVenv(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{
		"pyvenv.cfg": 0o600, ".lock": 0o600, "bin/tool": 0o700, "lib/a/__pycache__/x.pyc": 0o600, "lib/a/x.py": 0o640, "lib/a/own.pyc": 0o444,
		"lib/a-1.dist-info/INSTALLER": 0o600, "lib/a-1.dist-info/REQUESTED": 0o600, "lib/a-1.dist-info/METADATA": 0o666, "lib/INSTALLER": 0o600,
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("home = /x\nversion = 3\nuv = 1\ncommand = y\n"), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("/nonexistent", filepath.Join(dir, "bin", "python")), normalizeVenv(dir)); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		if err != nil || file == dir {
			return err
		}
		info, err := d.Info()
		got = append(got, info.Mode().String()+" "+strings.TrimPrefix(file, dir+"/"))
		return err
	})
	want := []string{
		"drwxr-xr-x bin", "Lrwxrwxrwx bin/python", "-rwxr-xr-x bin/tool", "drwxr-xr-x lib", "-rw-r--r-- lib/INSTALLER", "drwxr-xr-x lib/a",
		"drwxr-xr-x lib/a-1.dist-info", "-rw-r--r-- lib/a-1.dist-info/METADATA", "-rw-r--r-- lib/a/own.pyc", "-rw-r--r-- lib/a/x.py", "-rw-r--r-- pyvenv.cfg",
	}
	slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[11:], b[11:]) })
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "pyvenv.cfg")); err != nil || string(text) != "home = /x\nversion = 3\n" {
		t.Errorf("pyvenv.cfg is %q, %v", text, err)
	}
}

func FuzzReadVia(f *testing.F) {
	f.Add("alpha==1 \\\n    --hash=sha256:0\n    # via\n    #   -r requirements.in\n    #   beta\nbeta==2\n    # via alpha\n")
	f.Add("# via x\n\n   # via\n#\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, via := range readVia(text) {
			if name != strings.ToLower(name) || len(via) > strings.Count(text, "#") || slices.Contains(via, "") {
				t.Errorf("%q: %q", name, via)
			}
		}
	})
}

// Sorting a RECORD twice changes nothing, and what was removed stays out.
func FuzzNormalizeRecord(f *testing.F) {
	f.Add("b/x.py,sha256=1,2\na/x.py,sha256=1,2\na/x.dist-info/INSTALLER,,\n\"q,\"\"x\",,\nx/__pycache__/y.pyc,,\n")
	f.Add("\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "RECORD")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if normalizeRecord(file) != nil {
			return
		}
		first, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(first)).ReadAll()
		if err != nil && !errors.Is(err, csv.ErrFieldCount) {
			t.Fatalf("%q: %v", first, err)
		}
		if !slices.IsSortedFunc(rows, slices.Compare) {
			t.Errorf("%q is not sorted", rows)
		}
		for _, row := range rows {
			if strings.HasSuffix(row[0], ".dist-info/INSTALLER") || strings.Contains(row[0], "/__pycache__/") {
				t.Errorf("%q is left", row)
			}
		}
		if err := normalizeRecord(file); err != nil {
			t.Fatalf("%q: %v", first, err)
		}
		second, err := os.ReadFile(file)
		if err != nil || string(second) != string(first) {
			t.Errorf("%q, then %q, %v", first, second, err)
		}
	})
}
