package gitea_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/secret"
)

// Gitea calls a repository internal that is not private, and that a private
// organisation has.
func TestFault_T1_InternalRepository(t *testing.T) {
	t.Parallel()
	for _, internal := range []bool{false, true} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/api/v1/user" {
				fmt.Fprint(w, `{"id": 1, "login": "bot"}`)
				return
			}
			fmt.Fprintf(w, `{"id": 1, "full_name": "acme/addons", "private": false, "internal": %v}`, internal)
		}))
		t.Cleanup(srv.Close)
		got, err := driver(t, srv.URL, secret.New(canary)).Repo(t.Context(), forge.Name{Owner: "acme", Name: "addons"})
		if err != nil || got.Internal != internal || got.Private {
			t.Errorf("%+v, %v; want internal: %v", got, err, internal)
		}
	}
}
