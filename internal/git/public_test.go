package git_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// A remote on a host that the credentials file knows is public if it is read
// without them.
func TestFault_T1_Public(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	repo.Commit(t, "main", map[string]string{"a": "a\n"})
	file, _ := credentials(t, "# "+srv.Host(), strings.Replace(srv.URL, "://", "://ann:secret@", 1))
	o := options()
	o.Environ, o.CredentialsFile, o.Attempts = os.Environ(), file, 1
	c := git.New(o)
	is := func(url string, want bool) {
		t.Helper()
		if got, err := c.Public(t.Context(), url); got != want || err != nil {
			t.Errorf("%s: %t, %v", url, got, err)
		}
	}
	is(repo.URL, true)
	is(srv.URL+"/none", false)
	is("https://git.example.org/a/b", true) // nobody's word is sent there
	is("https://ann@git.example.org/a/b", false)
	is("git@git.example.org:a/b", false)
	srv.RequirePassword("ann", "secret")
	is(repo.URL, false)
	if _, err := c.Resolve(t.Context(), repo.URL, []string{"main"}); err != nil {
		t.Errorf("the client itself has lost its credentials: %v", err)
	}
	srv.Fail(1, gitserver.Reset)
	if got, err := c.Public(t.Context(), repo.URL); got || !errors.Is(err, git.ErrTransient) {
		t.Errorf("a server that is down: %t, %v", got, err)
	}
	o.CredentialsFile = ""
	if got, err := git.New(o).Public(t.Context(), repo.URL); !got || err != nil {
		t.Errorf("without credentials: %t, %v", got, err)
	}
}
