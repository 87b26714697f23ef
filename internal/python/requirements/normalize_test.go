package requirements_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/python/requirements"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

const aHash = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// normalize reads files of the given texts; "r.txt", "c.txt" and "o.txt" are
// what is named in the Input, if they are there.
func normalize(t *testing.T, files map[string]string) (*requirements.Result, string, error) {
	t.Helper()
	dir := t.TempDir()
	in := requirements.Input{Env: environment("3.12"), Root: dir, Environ: []string{
		"VERSION=1.0", "EMPTY=", "LINES=a\nb", "API_TOKEN=s3cr3t", "HIDDEN=s3cr3t", "USERINFO=me:s3cr3t", "BIG=" + strings.Repeat("x", 300<<10),
	}}
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
		switch name {
		case "r.txt":
			in.Files = []string{filepath.Join(dir, name)}
		case "c.txt":
			in.Constraints = []string{filepath.Join(dir, name)}
		case "o.txt":
			in.Overrides = filepath.Join(dir, name)
		}
	}
	result, err := requirements.Normalize(in)
	return result, dir, err
}

func TestNormalize_Faults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"\na=1\n", `r.txt:2: after the name comes a version (==1.0), a URL (@ https://…) or a marker (; …), before "=1" (column 2)`},
		{"a \\\n>=1 \\\n<2\nb", `r.txt:1: after a version comes a comma or a semicolon, before "<2" (column 7)`},
		{"a==1 \\ \n", "r.txt:1: a backslash that joins no line, as blanks or a comment follow it\n  make it the last character of the line"},
		{"a==1 --bogus x", "r.txt:1: \"--bogus\" is no option of a requirements file\n  the options of requirements files are described in pip's documentation"},
		{"--extra-index https://x/y", "r.txt:1: \"--extra-index\" is no option of a requirements file\n  did you mean --extra-index-url? Options are written in full"},
		{"--pre=1", "r.txt:1: --pre takes no value"},
		{"--index-url", "r.txt:1: --index-url needs a value"},
		{"--index-url=", "r.txt:1: --index-url has an empty value"},
		{"--index-url 'x", `r.txt:1: a quote is not closed in the options "--index-url 'x"`},
		{`--index-url x\`, "r.txt:1: --index-url \"x\" is no http or https URL\n"},
		{"--no-index x", `r.txt:1: "x" stands after an option; pip would ignore it`},
		{"-i https://me:s3cr3t@example.com/simple", "r.txt:1: --index-url has a credential in it\n  keep credentials out of requirements files: put the index with its credentials into PIP_INDEX_URL, PIP_EXTRA_INDEX_URL or pip.conf"},
		{"--extra-index-url https://${API_TOKEN}@example.com/simple", "r.txt:1: ${API_TOKEN} would be written into the lock\n  keep credentials"},
		{"--extra-index-url https://${USERINFO}@example.com/simple", "r.txt:1: --extra-index-url has a credential in it\n  keep credentials"},
		{"a @ https://${USERINFO}@example.com/a.whl", "r.txt:1: \"a @ https://[redacted]@example.com/a.whl\" has a credential in it\n  take it out"},
		{"a @ git+https://s3cr3t@example.com/a", "has a credential in it\n  take it out"},
		{"git+ssh://git:s3cr3t@example.com/a", "has a credential in it\n  take it out"},
		{"a==${HIDDEN}", `r.txt:1: no version that fits the operator, in what "a==${HIDDEN}" expands to`},
		{"${HIDDEN} bad", `r.txt:1: after the name comes a version (==1.0), a URL (@ https://…) or a marker (; …), in what "${HIDDEN} bad" expands to`},
		{"a --hash=${HIDDEN}", "r.txt:1: \"a --hash=${HIDDEN}\" is no hash\n"},
		{"-r ${HIDDEN}", `r.txt:1: cannot include "-r ${HIDDEN}": no such file or directory`},
		{"a==${MISSING}", "r.txt:1: the environment variable MISSING is not set\n  give it a value, or write that here"},
		{"a==${EMPTY}", "r.txt:1: the environment variable EMPTY is not set"},
		{"a==${LINES}", "r.txt:1: the environment variable LINES has more than one line"},
		{"a==${BIG}", "r.txt:1: with its variables the line has more than 256 KiB"},
		{"a==1" + strings.Repeat(" \\\n--hash="+aHash, 4000), "r.txt:1: a line of 308 KiB; 256 are allowed"},
		{"--find-links ./wheels", "r.txt:1: --find-links \"./wheels\" is no http or https URL\n  a lock must hold on every machine: serve the files by http"},
		{"-f file:///wheels", "is no http or https URL"},
		{"--trusted-host 'a b'", `r.txt:1: "a b" is no value for --trusted-host`},
		{"a --index-url https://x/y", "r.txt:1: --index-url stands after a requirement, where pip ignores it; write it on a line of its own"},
		{"--hash=" + aHash, "r.txt:1: --hash stands without a requirement before it"},
		{"a --hash=md5:00", "r.txt:1: \"md5:00\" is no hash\n  a hash is written --hash=sha256: and 64"},
		{"a --hash=sha256:" + strings.Repeat("0", 63), "is no hash\n"},
		{"a --config-settings x", `r.txt:1: "x" is no KEY=VALUE for --config-settings`},
		{"-e .", "r.txt:1: an editable requirement has no hash, and its source must stay in place\n  name a released version or write NAME @ URL; a repository with Odoo modules belongs into repos.yaml"},
		{"--editable=git+https://example.com/a#egg=a", "r.txt:1: an editable requirement"},
		{".", "r.txt:1: \".\" is a place on this machine\n  a lock must hold on every machine: name a released version, or write NAME @ URL with an https or git+https URL"},
		{"./a.whl", "is a place on this machine"},
		{"/srv/a", "is a place on this machine"},
		{"dir/a ; os_name == 'nt'", "is a place on this machine"},
		{"a-1.0.tar.gz", "is a place on this machine"},
		{"a @ ./a", "is a place on this machine"},
		{"a @ file:///srv/a.whl", "is a place on this machine"},
		{"git+file:///srv/a", "is a place on this machine"},
		{"file:a.whl", "is a place on this machine"},
		{"ssh://git@example.com/a", "does not say by which program to fetch\n  write git+ssh://… for a git repository"},
		{"a @ ftp://example.com/a", "pip does not know the protocol \"ftp\""},
		{"a @ https:///a", "has no host"},
		{"https://example.com/a.zip;os_name=='x' y", "a URL holds no blanks"},
		{"https://example.com/a.zip ; os_name", "r.txt:1: an operator is missing"},
		{"https://example.com/a.zip#egg=a[b]", "names no package in #egg="},
		{"a ; sys_platform ~= '1'", `r.txt:1: marker "sys_platform ~= '1'": ~= compares versions`},
		{"a==1\nb==1\nA==2 ", "r.txt:3: A==2 contradicts a==1 at DIR/r.txt:1\n  change one of them, or decide by a line for a in requirements-overrides.in"},
		{"a>=2\na==1", "r.txt:2: a==1 contradicts a>=2 at DIR/r.txt:1\n"},
		{"-r", "r.txt:1: --requirement needs a value"},
		{"-r x -r y", "r.txt:1: --requirement stands with other options; pip would ignore them. Write it on a line of its own"},
		{"-r https://example.com/x.txt", "is a URL; only files are included"},
		{"-r /etc/passwd", "is an absolute path"},
		{"-r ../x.txt", `cannot include "../x.txt": no such file or directory`},
		{"-r r.txt", `r.txt:1: "r.txt" includes itself`},
		{"-c r.txt", `r.txt:1: "r.txt" includes itself`},
		{"-r .", "is not a regular file"},
		{"# c\ra\u2028b", "r.txt:2: the character U+2028, where pip ends the line and an editor may not\n  remove it"},
		{"# c\x0bb", "r.txt:1: the character U+000B"},
		{"a\nb\xff", "r.txt:2: is not UTF-8\n  save the file as UTF-8"},
		{"a\x00", "r.txt:1: the control character U+0000"},
		{"# -*- coding: koi8-r -*-\na", "r.txt:1: the encoding \"koi8-r\" is not supported"},
		{strings.Repeat("#\n", 1<<19+1), "is larger than 1024 KiB"},
		{strings.Repeat("a\n", 10_001), "r.txt:10001: the files have more than 10000 lines"},
	} {
		_, dir, err := normalize(t, map[string]string{"r.txt": test.in})
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir, "DIR"), test.want) {
			t.Errorf("%.60q:\ngot  %v\nwant %s", test.in, err, test.want)
			continue
		}
		var fault *yamldoc.Error
		if !errors.As(err, &fault) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%.60q: %T %v", test.in, err, err)
		}
	}
}

func TestNormalize_FaultsOfSeveralFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"o.txt": "a==1\nA ==2"}, "DIR/o.txt:2: a is overridden a second time; the first is DIR/o.txt:1\n  keep one of the two"},
		{map[string]string{"o.txt": "--index-url https://x/y"}, "o.txt:1: --index-url has no place in an overrides file"},
		{map[string]string{"o.txt": "-c c2.txt"}, "o.txt:1: an overrides file holds no constraints"},
		{map[string]string{"o.txt": "https://example.com/x.zip"}, "names no package; an overrides file needs names\n  write NAME @ URL"},
		{map[string]string{"o.txt": "a[b]==1"}, "o.txt:1: a has extras, but no requirement line installs it"},
		{map[string]string{"c.txt": "https://example.com/x.zip"}, "names no package; a constraints file needs names"},
		{map[string]string{"c.txt": "a[b]==1"}, "c.txt:1: a constraint has no extras"},
		{map[string]string{"c.txt": "-r x.txt"}, "c.txt:1: a constraints file installs nothing, but -r names what to install\n  write -c instead"},
		{map[string]string{"c.txt": "-e ."}, "c.txt:1: an editable requirement"},
		{map[string]string{"r.txt": "a==1", "c.txt": "\na<1"}, "DIR/c.txt:2: a<1 contradicts a==1 at DIR/r.txt:1"},
		{map[string]string{"r.txt": "-r s/x.txt", "s/x.txt": "a\n-r ../s/y.txt", "s/y.txt": "-r x.txt"}, `s/y.txt:1: "x.txt" includes itself`},
		{map[string]string{"r.txt": "-r s/x.txt", "s/x.txt": "a=1"}, "DIR/s/x.txt:1: after the name"},
		{map[string]string{"r.txt": "a=1\nb=2", "c.txt": "c=3"}, "c.txt:1: after the name"}, // and not only the first
	} {
		_, dir, err := normalize(t, test.files)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir, "DIR"), test.want) {
			t.Errorf("%q:\ngot  %v\nwant %s", test.files, err, test.want)
		}
	}
	if _, err := requirements.Normalize(requirements.Input{Files: []string{"testdata/missing.txt"}}); !errors.Is(err, os.ErrNotExist) || err.Error() != "read a requirements file testdata/missing.txt: no such file or directory" {
		t.Errorf("missing: %v", err)
	}
}

// Includes that grow by the square, or without end, end.
func TestNormalize_IncludeBounds(t *testing.T) {
	t.Parallel()
	bomb, chain := map[string]string{}, map[string]string{}
	for i := range 12 {
		name := func(i int) string {
			if i == 0 {
				return "r.txt"
			}
			return fmt.Sprintf("f%d.txt", i)
		}
		chain[name(i)] = "-r " + name(i+1)
		if i < 9 {
			bomb[name(i)] = strings.Repeat("-r "+name(i+1)+"\n", 3)
		} else {
			bomb[name(i)] = "a"
		}
	}
	if _, _, err := normalize(t, bomb); err == nil || !strings.Contains(err.Error(), "includes make for more than 100 files or 8 MiB") {
		t.Errorf("bomb: %v", err)
	}
	if _, _, err := normalize(t, chain); err == nil || !strings.Contains(err.Error(), "f10.txt:1: files include each other deeper than 10 levels") {
		t.Errorf("chain: %v", err)
	}
}

// An include must not read what is outside of the tree, be it by a link.
func TestNormalize_Wall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "outside.txt"), "s3cr3t secret")
	writeFile(t, filepath.FromSlash(dir+"/repo/sub/r.txt"), "-r ../../outside.txt")
	writeFile(t, filepath.FromSlash(dir+"/repo/link.txt"), "-r l")
	writeFile(t, filepath.FromSlash(dir+"/repo/a.txt"), "a")
	writeFile(t, filepath.FromSlash(dir+"/repo/sub/ok.txt"), "-r ../a.txt")
	if err := os.Symlink("../outside.txt", filepath.FromSlash(dir+"/repo/l")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"sub/r.txt": "is outside of the directory tree of this file", "link.txt": "is outside of the directory tree of this file", "sub/ok.txt": ""} {
		result, err := requirements.Normalize(requirements.Input{Files: []string{filepath.Join(dir, "repo", name)}, Env: environment("3.12"), Root: filepath.Join(dir, "repo")})
		if want == "" {
			if err != nil || result.Text() != "a\n" || result.Lines[0].String() != "a.txt:1" {
				t.Errorf("%s: %+v, %v", name, result, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Files outside of the root, as Odoo's, are named without their directory.
func TestNormalize_Names(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.FromSlash(dir+"/src/odoo/requirements.txt"), "-r more/x.txt\na")
	writeFile(t, filepath.FromSlash(dir+"/src/odoo/more/x.txt"), "b")
	writeFile(t, filepath.FromSlash(dir+"/repo/requirements.in"), "c")
	result, err := requirements.Normalize(requirements.Input{
		Files: []string{filepath.FromSlash(dir + "/src/odoo/requirements.txt"), filepath.FromSlash(dir + "/repo/requirements.in")}, Env: environment("3.12"), Root: filepath.Join(dir, "repo"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range result.Lines {
		got = append(got, line.Name+" "+line.String())
	}
	if want := "b more/x.txt:1, a requirements.txt:2, c requirements.in:1"; strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	if strings.Contains(result.Text()+result.Markdown()+result.ConstraintsText(), dir) {
		t.Error("an absolute path in a result")
	}
}

func TestNormalize_Encodings(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"utf-8 mark": "\xef\xbb\xbfa ; platform_version != 'é'", "utf-16 le": "\xff\xfea\x00\n\x00", "utf-16 be": "\xfe\xff\x00a\x00\n", "utf-32 le": "\xff\xfe\x00\x00a\x00\x00\x00", "utf-32 be": "\x00\x00\xfe\xff\x00\x00\x00a",
		"latin-1": "#!x\n# vim: set fileencoding=latin-1 :\na # \xe9", "cp1252": "# coding: cp1252\na # \x80",
	} {
		result, _, err := normalize(t, map[string]string{"r.txt": in})
		if err != nil || result.Text() != "a\n" {
			t.Errorf("%s: %v, %v", name, result, err)
		}
	}
}

func TestNormalize_Pins(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"a==1\na==1.0", "a==1\na==1.0+cpu", "a==1.0+cpu\na==1", "a>=1\na<1", "a==1 ; os_name == 'nt'\na==2", "a==1\na"} {
		if _, _, err := normalize(t, map[string]string{"r.txt": in}); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
	// A constraint of another package, and one that an override has replaced.
	result, _, err := normalize(t, map[string]string{"r.txt": "a==1", "c.txt": "a==3\nb<1", "o.txt": "A==2"})
	if err != nil || result.Text() != "A==2\n" || result.ConstraintsText() != "b<1\n" || len(result.Replaced) != 2 {
		t.Errorf("%+v, %v", result, err)
	}
	// An option that stands again counts where it stands last.
	result, _, err = normalize(t, map[string]string{"r.txt": "-i https://x/a\n-i https://x/b\n--pre\n-i https://x/a"})
	if err != nil || result.Text() != "--index-url https://x/b\n--pre\n--index-url https://x/a\n" {
		t.Errorf("%+v, %v", result, err)
	}
}

// FuzzNormalize: what comes out goes in again unchanged.
func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{
		"a==1 # c\n", "a \\\n >= 1\n-c r.txt", "-i https://x/y\n--no-binary :all:\n", "a --hash=" + aHash + " -C 'k=v w'", "a @ git+https://x/y@z#egg=b ; os_name == 'posix'",
		"https://x/a-1.0-py3-none-any.whl ; python_version < '3'", "${VERSION}==${VERSION}", "\xff\xfea\x00", "# coding: latin1\n\xe9", "a[b,C]~=1.2;extra==''", "--config-settings", "a -C \"x=\\\"\\\\\"",
		"a==1\na==2", "-r x\n-e .\n./x\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "r.txt")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		in := requirements.Input{Files: []string{path}, Env: environment("3.12"), Environ: []string{"VERSION=1.0"}, Root: dir}
		result, err := requirements.Normalize(in)
		if err != nil {
			if len(err.Error()) > 40_000 {
				t.Fatalf("a message of %d bytes", len(err.Error()))
			}
			return
		}
		text := result.Text()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := requirements.Normalize(in)
		if err != nil || again.Text() != text {
			t.Fatalf("%q becomes\n%q, then\n%q, %v", data, text, again.Text(), err)
		}
		if n := strings.Count(text, "\n"); n != len(result.Lines)+len(result.Options) {
			t.Fatalf("%q becomes %d lines: %q", data, n, text)
		}
	})
}
