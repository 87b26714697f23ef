package git_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// A forge redirects from the old name of a repository to the new one. The bot does
// not follow, sends its credentials nowhere else, and names the new URL.
func TestFault_G4_Renamed(t *testing.T) {
	t.Parallel()
	elsewhere := gitserver.New(t)
	for name, test := range map[string]struct{ to, want string }{
		"on the same server":    {"/acme/new.git/info/refs?service=git-upload-pack", "is now at HOST/acme/new.git"},
		"on another":            {elsewhere.URL + "/acme/new.git/info/refs?service=git-upload-pack", "is now at " + elsewhere.Host() + "/acme/new.git"},
		"with a credential":     {"http://eve:secret-word@git.example.org/x/info/refs", "the server does not say where"},
		"to another page":       {"/login?next=/acme", "the server does not say where"},
		"to what is no URL":     {"http://git.example.org/`id`/info/refs", "the server does not say where"},
		"to another protocol":   {"file:///etc/info/refs", "the server does not say where"},
		"to nowhere":            {"", "the server does not say where"},
		"with a new line in it": {"http://git.example.org/x%0a- injected/info/refs", "the server does not say where"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			file, _ := credentials(t, strings.Replace(srv.URL, "://", "://ann:"+canary+"@", 1))
			repo := srv.Repo(t, "old")
			repo.Commit(t, "main", nil)
			srv.Fail(-1, func(_ *gitserver.Server, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", test.to)
				w.WriteHeader(http.StatusMovedPermanently)
			})
			o := options()
			o.Policy, o.CredentialsFile = allowing(t, srv.URL, elsewhere.URL), file
			_, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
			if !errors.Is(err, git.ErrMoved) || errors.Is(err, git.ErrTransient) {
				t.Fatalf("got %v", err)
			}
			if want := strings.Replace(test.want, "HOST", srv.Host(), 1); !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret-word") || strings.Contains(err.Error(), canary) {
				t.Errorf("got %q, want %q in it", err, want)
			}
			if asked := elsewhere.Requests(); len(asked) > 0 {
				t.Errorf("another server was asked: %+v", asked)
			}
		})
	}
}
