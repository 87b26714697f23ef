package refresh_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/gitserver"
)

// When the manifest of a locked addon asks something else of Python, the lock is
// resolved anew; when an addon changes otherwise, it is not. The upstream is asked
// when its commit has moved, and not else.
func TestPythonLock_externalDependencies(t *testing.T) {
	t.Parallel()
	s := newPythonScene(t)
	both := newUpstream(t)
	s.source.Rehearser, s.source.Surveyor = both, both
	srv := gitserver.New(t)
	web := srv.Repo(t, "OCA/web")
	odoo := s.tree[refresh.LockFile]
	at := ""
	addon := func(manifest, model string) {
		t.Helper()
		at = web.Commit(t, "17.0", map[string]string{"web_ldap/__manifest__.py": manifest, "web_ldap/models/x.py": model})
		s.tree[refresh.LockFile] = odoo + fmt.Sprintf("./web:\n  remotes: {oca: %s}\n  merges:\n  # locked-from: oca 17.0\n  - oca %s\n", web.URL, at)
	}
	offers := func(what string, resolved int, asked bool, external ...string) {
		t.Helper()
		before := len(s.answer.asked)
		srv.Requests()
		s.offer("due")
		if got := len(s.answer.asked) - before; got != resolved {
			t.Errorf("%s: resolved %d times, want %d", what, got, resolved)
		}
		requests := srv.Requests()
		posts := slices.DeleteFunc(slices.Clone(requests), func(r gitserver.Request) bool { return r.Method != http.MethodPost })
		if (len(requests) > 0) != asked || len(posts) > 4 {
			t.Errorf("%s: the upstream was asked %+v", what, requests)
		}
		if resolved > 0 {
			if got := s.answer.asked[len(s.answer.asked)-1]; !slices.Equal(got.External, external) || len(got.Files) != 1 {
				t.Errorf("%s: external %q, files %v", what, got.External, got.Files)
			}
		}
	}
	addon("{'name': 'LDAP', 'external_dependencies': {'python': ['python-ldap']}}", "1")
	offers("first", 1, true, "python-ldap")
	offers("again", 0, false)
	addon("{'name': 'LDAP', 'external_dependencies': {'python': ['python-ldap']}}", "2")
	offers("another model", 0, true)
	addon("{'name': 'LDAP', 'external_dependencies': {'python': ['python-ldap', 'boto3>=1']}}", "2")
	offers("one more", 1, true, "boto3>=1", "python-ldap")
	addon("{'name': 'LDAP', 'installable': False, 'external_dependencies': {'python': ['python-ldap', 'boto3>=1']}}", "2")
	offers("not to be installed", 1, true)
	addon("{'name': ", "2")
	offers("a manifest that does not parse", 0, true)
	addon("{'name': 'LDAP', 'external_dependencies': {'python': ['python-ldap']}}", "3")
	srv.Fail(-1, gitserver.Status(404))
	offers("out of reach", 0, true)
	srv.Fail(0, nil)
	offers("there again", 1, true, "python-ldap")
	s.tree[refresh.LockFile] = strings.Replace(s.tree[refresh.LockFile], at, strings.Repeat("0", 40), 1)
	offers("a commit that is gone", 0, true)
}
