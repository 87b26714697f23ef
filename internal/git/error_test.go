package git

import (
	"errors"
	"strings"
	"testing"
)

func TestError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		stderr string
		class  error
		want   string // its first line
	}{
		{"fatal: Authentication failed for 'https://ann:pw@h/x/'\n", ErrRefused, "Authentication failed for 'https://[redacted]@h/x/'"},
		{"fatal: could not read Username for 'https://h': terminal prompts disabled\n", ErrRefused, "could not read Username for 'https://h': terminal prompts disabled"},
		{"fatal: unable to access 'https://h/x/': The requested URL returned error: 403\n", ErrRefused, "unable to access 'https://h/x/': The requested URL returned error: 403"},
		{"git@h: Permission denied (publickey).\r\n", ErrRefused, "git@h: Permission denied (publickey)."},
		{"Host key verification failed.\r\nfatal: Could not read from remote repository.\n", ErrRefused, "Could not read from remote repository."},
		{"remote: Repository not found.\nfatal: repository 'https://h/x/' not found\n", ErrNoRepository, "repository 'https://h/x/' not found"},
		{"ERROR: Repository not found.\nfatal: Could not read from remote repository.\n", ErrNoRepository, "Repository not found."},
		{"fatal: '/x' does not appear to be a git repository\n", ErrNoRepository, "'/x' does not appear to be a git repository"},
		{"fatal: unable to access 'https://h/x/': Could not resolve host: h\n", ErrTransient, "unable to access 'https://h/x/': Could not resolve host: h"},
		{"ssh: connect to host h port 22: Connection refused\r\n", ErrTransient, "connect to host h port 22: Connection refused"},
		{"ssh: Could not resolve hostname h: Temporary failure in name resolution\r\n", ErrTransient, "Could not resolve hostname h: Temporary failure in name resolution"},
		{"error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502\nfatal: expected flush after ref listing\n", ErrTransient, "RPC failed; HTTP 502 curl 22 The requested URL returned error: 502"},
		{"fatal: unable to access 'http://h/': Recv failure: Connection reset by peer\n", ErrTransient, "unable to access 'http://h/': Recv failure: Connection reset by peer"},
		{"fatal: the remote end hung up unexpectedly\n", ErrTransient, "the remote end hung up unexpectedly"},
		{"fatal: unable to access 'https://h/': SSL certificate problem: unable to get local issuer certificate\n", nil, "unable to access 'https://h/': SSL certificate problem: unable to get local issuer certificate"},
		{"warning: x\n\x1b[31msomething\x07 else\xff\x00\u0085\n\n", nil, "[31msomething else?"},
		{"", nil, "git ls-remote failed with exit code 128"},
	} {
		text := clean(test.stderr)
		err := &Error{Args: []string{"ls-remote"}, ExitCode: 128, Stderr: text, class: classify(text)}
		first, hint, _ := strings.Cut(err.Error(), "\n")
		if first != test.want || err.class != test.class { //nolint:errorlint // the class itself
			t.Errorf("%q\ngot  %q, %v\nwant %q, %v", test.stderr, first, err.class, test.want, test.class)
		}
		if needs := errors.Is(err, ErrRefused) || errors.Is(err, ErrNoRepository); needs != strings.Contains(hint, "credential-store") {
			t.Errorf("%q: hint %q", test.stderr, hint)
		}
	}
}

// A server that complains without an end is not kept in memory.
func TestTail(t *testing.T) {
	t.Parallel()
	var tl tail
	for range 1000 {
		if n, err := tl.Write([]byte(strings.Repeat("x", 100) + "\n")); n != 101 || err != nil {
			t.Fatal(n, err)
		}
	}
	_, _ = tl.Write([]byte(strings.Repeat("y", 2*maxStderr) + "end"))
	if len(tl.data) != maxStderr || !strings.HasSuffix(string(tl.data), "yend") {
		t.Errorf("%d bytes are kept", len(tl.data))
	}
}

func TestSplitter(t *testing.T) {
	t.Parallel()
	for _, pieces := range [][]string{{"ab\x00cdefgh\x00\x00x"}, {"a", "b\x00c", "def", "gh", "\x00", "\x00x"}} {
		var got []string
		s := &splitter{end: 0, most: 3, yield: func(piece string) { got = append(got, piece) }}
		for _, p := range pieces {
			if n, err := s.Write([]byte(p)); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		if strings.Join(got, ",") != "ab,cde," {
			t.Errorf("got %q", got)
		}
	}
}
