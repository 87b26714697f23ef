package github

import (
	"net/http"
	"net/http/httptest"
	"testing"

	sdk "github.com/google/go-github/v62/github"
)

// A commit is the App's when GitHub made it: the signature of a verified commit
// is its committer's, so a person who amends the App's commit and signs that is
// the committer of it.
func TestMadeBy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		author, committer string
		verified, want    bool
	}{
		"of the App":            {"odyssey[bot]", "odyssey[bot]", true, true},
		"committed by GitHub":   {"odyssey[bot]", "web-flow", true, true},
		"unsigned":              {"odyssey[bot]", "odyssey[bot]", false, false},
		"amended and signed":    {"odyssey[bot]", "ann", true, false},
		"committer unknown":     {"odyssey[bot]", "", true, false},
		"a person's, on a page": {"ann", "web-flow", true, false},
	} {
		commit := &sdk.RepositoryCommit{
			Author: &sdk.User{Login: &test.author}, Committer: &sdk.User{Login: &test.committer},
			Commit: &sdk.Commit{Verification: &sdk.SignatureVerification{Verified: &test.verified}},
		}
		if got := madeBy("odyssey[bot]", commit); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Which quota a request takes from is told by its address, on github.com and on
// an Enterprise Server.
func TestResource(t *testing.T) {
	t.Parallel()
	for api, urls := range map[string]map[string]string{
		"https://api.github.com/": {
			"https://api.github.com/graphql":                   "graphql",
			"https://api.github.com/repos/acme/graphql":        "core",
			"https://api.github.com/search/issues":             "search",
			"https://api.github.com/repos/acme/search/issues":  "core",
			"https://api.github.com/repos/acme/x/git/blobs/ab": "core",
		},
		"https://ghe.example.com/api/v3/": {
			"https://ghe.example.com/api/graphql":         "graphql",
			"https://ghe.example.com/api/v3/search/code":  "search",
			"https://ghe.example.com/api/v3/repos/a/b":    "core",
			"https://ghe.example.com/api/v3/x/y/graphql":  "core",
			"https://ghe.example.com/api/v3/repos/search": "core",
		},
	} {
		m := &meter{api: api}
		for url, want := range urls {
			if got := m.resource(httptest.NewRequest(http.MethodPost, url, http.NoBody)); got != want {
				t.Errorf("%s: %s", url, got)
			}
		}
	}
}
