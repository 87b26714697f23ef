package giteatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// User is an account on the server.
type User struct {
	Login, Email string
	Password     string // of the administrator "" in a directory used before
	Token        string // with all scopes
}

// RepoOptions say what a new repository is like.
type RepoOptions struct {
	Empty   bool // without the first commit, which holds README.md
	Private bool
}

// NewUser makes an account that may do nothing but what is granted to it.
func (s *Server) NewUser(ctx context.Context, login string) (User, error) {
	u := User{Login: login, Email: login + "@example.org", Password: newPassword()}
	err := s.API(ctx, s.Admin, http.MethodPost, "/admin/users", map[string]any{
		"username": u.Login, "email": u.Email, "password": u.Password, "must_change_password": false,
	}, nil)
	if err != nil {
		return User{}, err
	}
	u.Token, err = s.NewToken(ctx, u, "giteatest", "all")
	return u, err
}

// NewToken makes a further token of a user whose password is known.
func (s *Server) NewToken(ctx context.Context, u User, name string, scopes ...string) (string, error) {
	var token struct {
		SHA1 string `json:"sha1"`
	}
	path := "/users/" + url.PathEscape(u.Login) + "/tokens"
	in := map[string]any{"name": name, "scopes": scopes}
	err := s.API(ctx, User{Login: u.Login, Password: u.Password}, http.MethodPost, path, in, &token)
	return token.SHA1, err
}

// AddWebhook makes the server deliver events to an address, signed with a
// secret. path says of what: "/repos/OWNER/NAME", "/orgs/NAME", or "/user" for
// all repositories of the user.
func (s *Server) AddWebhook(ctx context.Context, as User, path, to, secret string, events ...string) (id int64, err error) {
	var hook struct{ ID int64 }
	err = s.API(ctx, as, http.MethodPost, path+"/hooks", map[string]any{
		"type": "gitea", "active": true, "events": events,
		"config": map[string]string{"url": to, "content_type": "json", "secret": secret},
	}, &hook)
	return hook.ID, err
}

// NewRepo makes a repository of owner with the default branch main.
func (s *Server) NewRepo(ctx context.Context, owner User, name string, o RepoOptions) error {
	return s.API(ctx, owner, http.MethodPost, "/user/repos", map[string]any{
		"name": name, "auto_init": !o.Empty, "private": o.Private, "default_branch": "main",
	}, nil)
}

// AddCollaborator lets user push to repo ("owner/name").
func (s *Server) AddCollaborator(ctx context.Context, owner User, repo string, user User) error {
	path := "/repos/" + repo + "/collaborators/" + url.PathEscape(user.Login)
	return s.API(ctx, owner, http.MethodPut, path, map[string]any{"permission": "write"}, nil)
}

// API calls the API (path as in "/repos/o/n") as a user, by token or, without
// one, by password. in and out are JSON values and may be nil. It fails on
// any status that is not 2xx.
func (s *Server) API(ctx context.Context, as User, method, path string, in, out any) error {
	text, err := s.call(ctx, as, method, path, in)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// call returns the body of a successful answer.
func (s *Server) call(ctx context.Context, as User, method, path string, in any) ([]byte, error) {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+"/api/v1"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if as.Token != "" {
		req.Header.Set("Authorization", "token "+as.Token)
	} else {
		req.SetBasicAuth(as.Login, as.Password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(text)))
	}
	return text, nil
}

// newPassword satisfies Gitea's rules for passwords.
func newPassword() string { return "Aa1!" + rand.Text() }

// APIText is API for a call that answers with text, which is written to out.
func (s *Server) APIText(ctx context.Context, as User, method, path string, in any, out io.Writer) error {
	text, err := s.call(ctx, as, method, path, in)
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}
