package dockerfile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/dockerfile"
)

func TestBases(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"one", "FROM a:1\n", "1 a:1"},
		{"without an end of line", "FROM a:1", "1 a:1"},
		{"CRLF, a mark and blanks", "\xef\xbb\xbf\r\n  from\t a:1 \r\n", "2 a:1"},
		{"platform, name and stage", "FROM --platform=$BUILDPLATFORM a:1 AS Build\nFROM build\nFROM b:2\n", "1 a:1, 3 b:2"},
		{"scratch", "FROM scratch\n", ""},
		{"default of an argument, once", "# syntax=docker/dockerfile:1\nARG A=a:1@sha256:0\nARG B=\"b:2\" C='c:3'\nFROM ${A}\nFROM $B\nFROM $A AS again\nFROM ${C}\n", "2 A a:1@sha256:0, 3 B b:2, 3 C c:3"},
		{"the last default counts", "ARG A=a:1\nARG A=a:2\nFROM $A\n", "2 A a:2"},
		{"no default any more", "ARG A=a:1\nARG A\nFROM $A\n", ""},
		{"argument of a stage", "FROM a:1\nARG B=b:1\nFROM $B\n", "1 a:1"},
		{"argument that is a stage", "ARG A=x\nFROM a:1 AS x\nFROM $A\n", "2 a:1"},
		{"put together", "ARG V=1\nARG A=a:$V\nFROM a:${V}\nFROM $A\nFROM ${A:-b:1}\n", ""},
		{"argument that no stage is built on", "ARG A=a:1\nFROM b:1\nRUN echo $A\n", "2 b:1"},
		{"continued", "FROM \\\n# a remark\n\n  --platform=linux/amd64 \\\n  a:1 \\\n  AS x\nFROM x\n", "5 a:1"},
		{"another escape", "# escape=`\nFROM `\n a:1\nRUN x \\\nFROM b:1\n", "3 a:1, 5 b:1"},
		{"in a comment and a command", "# FROM a:1\nRUN echo \\\n FROM b:1\nRUN echo FROM c:1\n", ""},
		{"here-document", "RUN <<EOF\nFROM a:1\nEOF\nRUN cat <<-'X' >f && cat <<Y\nFROM b:1\n\t\tX\nFROM c:1\nY\nFROM d:1\n", "9 d:1"},
		{"no here-document", "RUN echo $((1<<A)) <<< x\nFROM a:1\nCOPY <<E /x\nFROM b:1\n", "2 a:1, 4 b:1"},
		{"nothing", "FROM --platform=x\nARG\n\\\n", ""},
	} {
		var got []string
		for _, b := range dockerfile.Bases([]byte(test.in)) {
			got = append(got, strings.Join(strings.Fields(fmt.Sprint(b.Line, " ", b.Arg, " ", b.Image)), " "))
		}
		if d := cmp.Diff(test.want, strings.Join(got, ", ")); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
	}
}

func TestIsName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Dockerfile": true, "a/Dockerfile.source-build": true, "dev.Dockerfile": true, "Containerfile": true, "x/dockerfile": true,
		"Dockerfile.dockerignore": false, "Dockerfiles/x": false, "mydockerfile": false, "docker-compose.yml": false, "": false,
	} {
		if got := dockerfile.IsName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	in := []byte("ARG A=a:1 # no comment\r\nARG B='b:1'\nFROM $B\nFROM \\\n  c:1 AS x\nFROM $A\n\n\n")
	var changes []dockerfile.Change
	for _, b := range dockerfile.Bases(in) {
		changes = append(changes, dockerfile.Change{Base: b, Image: b.Image + "00@sha256:1"})
	}
	want := strings.NewReplacer("a:1", "a:100@sha256:1", "b:1", "b:100@sha256:1", "c:1", "c:100@sha256:1").Replace(string(in))
	if d := cmp.Diff(want, string(dockerfile.Apply(in, changes))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)
	for _, test := range []struct{ name, in, image, want string }{
		{
			"the present note", "# Python.\n# docker.io/library/python:3.10.19-slim, observed on 2026-01-02 (x86).\n# More.\nFROM docker.io/library/python@sha256:0\n", "docker.io/library/python@sha256:1",
			"# Python.\n# docker.io/library/python:3.10.20-slim, observed on 2026-11-23 (x86).\n# More.\nFROM docker.io/library/python@sha256:1\n",
		},
		{
			"none", "# A base.\r\nFROM python@sha256:0\r\n", "python@sha256:1",
			"# A base.\r\n# docker.io/library/python:3.10.20-slim, 2026-11-23\r\nFROM python@sha256:1\r\n",
		},
		{
			"a tag of its own", "\n# 2026-01-02 python:3.10\n\nFROM python:3.10\n", "python:3.10.20-slim@sha256:1",
			"\n# 2026-01-02 python:3.10\n\nFROM python:3.10.20-slim@sha256:1\n",
		},
		{"of another instruction", "# python:3.9 2026-01-02\nARG X\nFROM localhost:5000/p@sha256:0", "localhost:5000/p@sha256:1", "# python:3.9 2026-01-02\nARG X\n# docker.io/library/python:3.10.20-slim, 2026-11-23\nFROM localhost:5000/p@sha256:1"},
	} {
		got := dockerfile.Observe([]byte(test.in), dockerfile.Bases([]byte(test.in))[0], test.image, "docker.io/library/python:3.10.20-slim", day)
		if d := cmp.Diff(test.want, string(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
	}
}

func TestSeriesOf(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"17.0-py310-trixie-r0001": "17.0-py310-trixie-r* 1", "17.0-py310-trixie-r12": "17.0-py310-trixie-r* 12",
		"3.10.20-slim-trixie": "3.10.*-slim-trixie 20", "v1.2.3": "v1.2.* 3", "17.0-20261101": "17.0-* 20261101", "trixie-20261116-slim": "trixie-*-slim 20261116",
		"3.10-slim": "", "latest": "", "3": "", "3.14.0rc1": "", "3.14.0rc1-slim": "", "1.2.3.4": "", "r99999999999": "", "bookworm": "", "": "",
	} {
		got := ""
		if s, n, is := dockerfile.SeriesOf(tag); is {
			got = fmt.Sprint(s, " ", n)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", tag, got, want)
		}
	}
	s, _, _ := dockerfile.SeriesOf("3.10.20-slim-trixie")
	for tag, in := range map[string]bool{"3.10.9-slim-trixie": true, "3.11.20-slim-trixie": false, "3.10.20-slim": false, "3.10.20-slim-trixie-r1": false} {
		if _, is := s.Number(tag); is != in {
			t.Errorf("%q in %s: %v", tag, s, is)
		}
	}
}

// A file of 2 MiB that is made to take long does not.
func TestBases_hostile(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"RUN <<%d\n", "FROM a:%d\n", "ARG A=%d\n", "#%d\n", "\\\n", "FROM x AS y%d\n"} {
		var b strings.Builder
		for i := 0; b.Len() < 2<<20; i++ {
			b.WriteString(strings.ReplaceAll(unit, "%d", fmt.Sprint(i)))
		}
		started := time.Now()
		dockerfile.Bases([]byte(b.String()))
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%q: %s", unit, took)
		}
	}
}

// FuzzBases: whatever a file holds, what is found is there, and another image
// in its place changes nothing else.
func FuzzBases(f *testing.F) {
	for _, in := range []string{"# escape=`\nFROM a:1", "ARG A='x'\nFROM ${A} AS b\n", "RUN <<-E\nFROM x\n\tE\nFROM \\\n y", "# python:3 2026-01-02\nFROM p@sha256:0"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bases := dockerfile.Bases(data)
		var same, other []dockerfile.Change
		for _, b := range bases {
			if b.Image == "" || strings.ContainsAny(b.Image, " \t\n$") || !strings.Contains(string(data), b.Image) {
				t.Fatalf("%+v", b)
			}
			same, other = append(same, dockerfile.Change{Base: b, Image: b.Image}), append(other, dockerfile.Change{Base: b, Image: "other:1"})
		}
		if string(dockerfile.Apply(data, same)) != string(data) {
			t.Error("the same images change the file")
		}
		again := dockerfile.Bases(dockerfile.Apply(data, other))
		if len(again) > len(bases) {
			t.Errorf("%d bases, and %d after the change", len(bases), len(again))
		}
		for i, b := range bases {
			if i == 0 {
				dockerfile.Observe(data, b, "x@sha256:0", "x:1", time.Unix(0, 0))
			}
		}
	})
}
