package githubtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// refusal is an answer that is no success.
type refusal struct {
	status  int
	message string
	errors  []refusedField
	header  map[string]string
}

type refusedField struct {
	Resource string `json:"resource"`
	Field    string `json:"field"`
	Code     string `json:"code"`
	Message  string `json:"message,omitempty"`
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.message) }

func refuse(status int, message string) error { return &refusal{status: status, message: message} }

func notFound() error { return refuse(http.StatusNotFound, "Not Found") }

// invalid is a request that is understood and cannot be done.
func invalid(resource, field, code, message string) error {
	return &refusal{
		status: http.StatusUnprocessableEntity, message: "Validation Failed",
		errors: []refusedField{{resource, field, code, message}},
	}
}

// outcome is what is sent.
type outcome struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3")
	if path == "/api/graphql" {
		path = "/graphql"
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	intercept := s.intercept
	s.mu.Unlock()
	var instead *Answer
	if intercept != nil {
		instead = intercept(r)
	}
	var o outcome
	as := ""
	if instead == nil || instead.After {
		r.Body = io.NopCloser(bytes.NewReader(body))
		o, as = s.handle(r, path)
	}
	if instead != nil && !instead.Reset {
		o = outcome{status: instead.Status, header: http.Header{}, body: []byte(instead.Body)}
		for name, value := range instead.Header {
			o.header.Set(name, value)
		}
	}
	s.mu.Lock()
	s.seen = append(s.seen, Request{r.Method, path, r.URL.RawQuery, as, o.status})
	s.mu.Unlock()
	if instead != nil && instead.Reset {
		reset(w)
		return
	}
	for name, values := range o.header {
		w.Header()[name] = values
	}
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	w.WriteHeader(o.status)
	_, _ = w.Write(o.body)
}

// reset breaks a connection off.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

var byID = regexp.MustCompile(`^/repositories/([0-9]+)(/.*)?$`)

// handle answers one request, and returns who asked.
func (s *Server) handle(r *http.Request, path string) (outcome, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if parts := byID.FindStringSubmatch(path); parts != nil {
		for _, repo := range s.repos {
			if strconv.FormatInt(repo.id, 10) == parts[1] {
				path = "/repos/" + repo.name.String() + parts[2]
			}
		}
	}
	who, err := s.authenticate(r)
	if err != nil {
		return s.send(r, nil, 0, nil, err), ""
	}
	if path == "/graphql" {
		return s.graph(r, who), who.login()
	}
	if to := s.renamed(path); to != "" {
		to += strings.TrimSuffix("?"+r.URL.RawQuery, "?")
		return s.moved(to), who.login()
	}
	u := *r.URL
	u.RawPath, u.Path = path, unescaped(path)
	clone := r.Clone(r.Context())
	clone.URL, clone.RequestURI = &u, ""
	c, err := s.description.checkRequest(clone)
	if err != nil {
		s.t.Errorf("GitHub's API has no such request: %s %s?%s: %v", r.Method, path, r.URL.RawQuery, err)
		return s.send(r, nil, 0, nil, refuse(http.StatusInternalServerError, "not as GitHub describes it")), who.login()
	}
	status, body, err := s.run(c, who)
	return s.send(r, c, status, body, err), who.login()
}

func unescaped(path string) string {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return plain
}

var inRepo = regexp.MustCompile(`^/repos/([^/]+)/([^/]+)(/.*)?$`)

// renamed returns where a repository is that was called otherwise, "" for
// others.
func (s *Server) renamed(path string) string {
	parts := inRepo.FindStringSubmatch(path)
	if parts == nil {
		return ""
	}
	repo, old := s.repo(parts[1], parts[2])
	if !old {
		return ""
	}
	return fmt.Sprintf("%s/repositories/%d%s", s.URL, repo.id, parts[3])
}

func (s *Server) moved(to string) outcome {
	body := must(json.Marshal(map[string]any{"message": "Moved Permanently", "url": to, "documentation_url": "https://docs.github.com"}))
	return outcome{status: http.StatusMovedPermanently, header: http.Header{"Location": {to}, "Content-Type": {jsonType}}, body: body}
}

const jsonType = "application/json; charset=utf-8"

// run finds the repository, checks what the asker may, and does what is asked.
func (s *Server) run(described *called, who *actor) (int, any, error) {
	op := operations()[described.operation]
	c := &call{Server: s, actor: who, called: described, params: described.input.PathParams}
	if name, ok := c.params["repo"]; ok {
		c.repo, _ = s.repo(c.params["owner"], name)
		if c.repo == nil || who.on(c.repo) == 0 {
			return 0, nil, notFound()
		}
		if c.repo.archived && described.input.Request.Method != http.MethodGet {
			return 0, nil, refuse(http.StatusForbidden, "Repository was archived so is read-only.")
		}
	}
	if err := who.mayCall(op, c.repo); err != nil {
		return 0, nil, err
	}
	return op.serve(c)
}

// send makes the answer and checks it. Of a request that is answered with
// what the asker has already, it sends nothing.
func (s *Server) send(r *http.Request, c *called, status int, value any, err error) outcome {
	o := outcome{status: status, header: http.Header{}}
	resource := "core"
	if strings.HasSuffix(r.URL.Path, "/graphql") && r.Method == http.MethodPost {
		resource = "graphql"
	}
	s.rateLimit(o.header, resource)
	var no *refusal
	if errors.As(err, &no) {
		o.status = no.status
		body := map[string]any{"message": no.message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(no.status)}
		if no.errors != nil {
			body["errors"] = no.errors
		}
		value = body
		for name, text := range no.header {
			o.header.Set(name, text)
		}
	} else if err != nil {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		o.status, value = http.StatusInternalServerError, map[string]any{"message": err.Error()}
	}
	if p, ok := value.(page); ok {
		o.header.Set("Link", p.link)
		value = p.items
	}
	if value != nil {
		o.body = must(json.Marshal(value))
		o.header.Set("Content-Type", jsonType)
	}
	if c != nil {
		if err := c.checkResponse(r.Context(), o.status, o.header, o.body); err != nil {
			s.t.Errorf("GitHub gives no such answer to %s: status %d: %v\n%.2000s", c.operation, o.status, err, o.body)
		}
	}
	return s.conditionally(r, o)
}

// conditionally adds an ETag, and leaves the body out when the asker has it.
func (s *Server) conditionally(r *http.Request, o outcome) outcome {
	if r.Method != http.MethodGet || o.status != http.StatusOK {
		return o
	}
	tag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(append(o.body, o.header.Get("Link")...)))
	o.header.Set("Etag", tag)
	if r.Header.Get("If-None-Match") == tag {
		o.status, o.body = http.StatusNotModified, nil
	}
	return o
}

// rateLimit adds what is left of a quota that never runs out.
func (s *Server) rateLimit(h http.Header, resource string) {
	h.Set("X-Ratelimit-Limit", "5000")
	h.Set("X-Ratelimit-Remaining", "4999")
	h.Set("X-Ratelimit-Used", "1")
	h.Set("X-Ratelimit-Resource", resource)
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(s.clock().Add(time.Hour).Unix(), 10))
}

// page is a part of a list.
type page struct {
	items any
	link  string
}

// paged cuts a page out of a list as the request wants it.
func paged[T any](c *call, all []T, shape func(T) any) (int, any, error) {
	query := c.input.Request.URL.Query()
	size, number := 30, 1
	if n, err := strconv.Atoi(query.Get("per_page")); err == nil {
		size = n
	}
	if n, err := strconv.Atoi(query.Get("page")); err == nil {
		number = max(n, 1)
	}
	size = min(size, c.maxPage)
	last := max((len(all)+size-1)/size, 1)
	items := []any{}
	for _, item := range all[min((number-1)*size, len(all)):min(number*size, len(all))] {
		items = append(items, shape(item))
	}
	var links []string
	link := func(rel string, number int) {
		query.Set("page", strconv.Itoa(number))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel=%q`, c.URL, c.input.Request.URL.Path, query.Encode(), rel))
	}
	if number < last {
		link("next", number+1)
		link("last", last)
	}
	if number > 1 {
		link("first", 1)
		link("prev", number-1)
	}
	return http.StatusOK, page{items, strings.Join(links, ", ")}, nil
}

// call is a request that is being answered.
type call struct {
	*Server
	*actor
	*called
	repo   *repository
	params map[string]string
}

// query returns a parameter, or what it is when it is not given.
func (c *call) query(name, otherwise string) string {
	if v := c.input.Request.URL.Query().Get(name); v != "" {
		return v
	}
	return otherwise
}

// decode reads the body, which has been checked.
func (c *call) decode(into any) { mustNot(json.Unmarshal(c.body, into)) }

func mustNot(err error) {
	if err != nil {
		panic(err)
	}
}

func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.params[name], 10, 64)
	return n
}
