package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/nuobit/odyssey/internal/forge"
)

// hook is where events are told.
type hook struct {
	url, secret string
	app         *App        // of an App: events of where it is installed
	repo        *repository // of a repository
}

// delivery is an event that was told to a hook, once.
type delivery struct {
	id         int64
	guid       string
	event      string
	action     string
	hook       hook
	install    *install
	repo       *repository
	body       []byte
	at         time.Time
	again      bool
	statusCode int // of the answer; 502 without one
}

// hookTimeout is how long GitHub waits for an answer.
const hookTimeout = 10 * time.Second

// SetHook sets where the App's events are told.
func (a *App) SetHook(url, secret string) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.server.hooks = slices.DeleteFunc(a.server.hooks, func(h hook) bool { return h.app == a })
	a.server.hooks = append(a.server.hooks, hook{url: url, secret: secret, app: a})
}

// AddHook tells a repository's events to an address as well.
func (s *Server) AddHook(name forge.Name, url, secret string) {
	s.mustRepo(name, func(r *repository) {
		s.hooks = append(s.hooks, hook{url: url, secret: secret, repo: r})
	})
}

// Delivery is one of the deliveries of webhooks so far.
type Delivery struct {
	GUID, Event, Action string
	Status              int // of the answer
	Again               bool
}

// Deliveries returns them, the oldest first; those under way have no status.
func (s *Server) Deliveries() (all []Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.sent {
		all = append(all, Delivery{d.guid, d.event, d.action, d.statusCode, d.again})
	}
	return all
}

// AgeDeliveries makes those so far older.
func (s *Server) AgeDeliveries(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.sent {
		d.at = d.at.Add(-by)
	}
}

// tell sends an event to all whom it concerns.
func (s *Server) tell(r *repository, event, action string, by *account, payload map[string]any) {
	if by != nil {
		payload["sender"] = s.user(by)
	}
	payload["repository"] = s.shapeRepo(r)
	if action != "" {
		payload["action"] = action
	}
	guid := strings.ToLower(rand.Text())
	for _, h := range s.hooks {
		d := &delivery{guid: guid, event: event, action: action, hook: h, repo: r}
		if h.app != nil {
			covering := slices.IndexFunc(h.app.all, func(i *install) bool { return i.covers(r) && !i.suspended })
			if covering < 0 {
				continue
			}
			d.install = h.app.all[covering]
			payload["installation"] = map[string]any{"id": d.install.id, "node_id": node("Installation", d.install.id)}
		} else if h.repo != r {
			continue
		}
		d.body = must(json.Marshal(payload))
		s.checkPayload(d)
		s.deliver(d)
	}
}

// checkPayload compares what is told with GitHub's description of it.
func (s *Server) checkPayload(d *delivery) {
	name := strings.TrimSuffix(strings.ReplaceAll("webhook-"+d.event+"-"+d.action, "_", "-"), "-")
	schema, ok := s.description.payloads[name]
	if !ok {
		s.t.Errorf("GitHub describes no %s", name)
		return
	}
	var value any
	mustNot(json.Unmarshal(d.body, &value))
	if err := schema.VisitJSON(value); err != nil {
		s.t.Errorf("GitHub tells no such %s: %v", name, err)
	}
}

// deliver sends a delivery in the background.
func (s *Server) deliver(d *delivery) {
	d.id, d.at = s.nextID(), s.now()
	s.sent = append(s.sent, d)
	s.running.Go(func() {
		status := post(s.t.Context(), d)
		s.mu.Lock()
		defer s.mu.Unlock()
		d.statusCode = status
	})
}

func post(ctx context.Context, d *delivery) int {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.hook.url, bytes.NewReader(d.body))
	if err != nil {
		return http.StatusBadGateway
	}
	mac := hmac.New(sha256.New, []byte(d.hook.secret))
	mac.Write(d.body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "GitHub-Hookshot/fake")
	r.Header.Set("X-Github-Event", d.event)
	r.Header.Set("X-Github-Delivery", d.guid)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return http.StatusBadGateway
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (s *Server) tellPush(r *repository, branch string, before, after plumbing.Hash, by *account) {
	url := fmt.Sprintf("%s/%s", s.web(), r.name)
	s.tell(r, "push", "", by, map[string]any{
		"ref": "refs/heads/" + branch, "before": before.String(), "after": after.String(), "base_ref": nil,
		"created": before.IsZero(), "deleted": after.IsZero(),
		"forced":  !before.IsZero() && !after.IsZero() && !r.git.isAncestor(before, after),
		"compare": url + "/compare/" + before.String() + "..." + after.String(), "commits": []any{}, "head_commit": nil,
		"pusher": map[string]any{"name": by.login, "email": by.email()},
	})
}

func (s *Server) tellPull(r *repository, i *item, action string, by *account) {
	payload := map[string]any{"number": i.number, "pull_request": s.shapePull(r, i, true)}
	if action == "synchronize" {
		payload["before"], payload["after"] = i.pull.baseSHA.String(), i.pull.headSHA.String()
	}
	s.tell(r, "pull_request", action, by, payload)
}

func (s *Server) tellIssue(r *repository, i *item, action string, by *account) {
	s.tell(r, "issues", action, by, map[string]any{"issue": s.shapeItem(r, i)})
}

func (s *Server) tellComment(r *repository, c *comment, action string, by *account) {
	payload := map[string]any{"issue": s.shapeItem(r, c.item), "comment": s.shapeComment(r, c)}
	if action == "edited" {
		payload["changes"] = map[string]any{"body": map[string]any{"from": c.body}}
	}
	s.tell(r, "issue_comment", action, by, payload)
}

// listDeliveries lists those of the App's hook, the newest first.
func listDeliveries(c *call) (int, any, error) {
	var found []*delivery
	for _, d := range slices.Backward(c.sent) {
		failed := d.statusCode >= http.StatusBadRequest
		wanted := c.query("status", "")
		if d.hook.app == c.app && d.statusCode != 0 && (wanted == "" || (wanted == "failure") == failed) {
			found = append(found, d)
		}
	}
	size := min(int(atoi(c.query("per_page", "30"))), c.maxPage)
	if cursor := c.query("cursor", ""); cursor != "" {
		from := slices.IndexFunc(found, func(d *delivery) bool { return fmt.Sprintf("v1_%d", d.id) == cursor })
		if from < 0 {
			return 0, nil, refuse(http.StatusUnprocessableEntity, "invalid cursor")
		}
		found = found[from:]
	}
	link := ""
	if len(found) > size {
		query := c.input.Request.URL.Query()
		query.Set("cursor", fmt.Sprintf("v1_%d", found[size].id))
		link = fmt.Sprintf(`<%s%s?%s>; rel="next"`, c.URL, c.input.Request.URL.Path, query.Encode())
		found = found[:size]
	}
	items := []any{}
	for _, d := range found {
		items = append(items, shapeDelivery(d))
	}
	return http.StatusOK, page{items, link}, nil
}

func shapeDelivery(d *delivery) map[string]any {
	got := map[string]any{
		"id": d.id, "guid": d.guid, "delivered_at": stamp(d.at), "redelivery": d.again, "duration": 0.1, "event": d.event,
		"status": http.StatusText(d.statusCode), "status_code": d.statusCode, "action": body(d.action),
		"installation_id": nil, "repository_id": d.repo.id, "throttled_at": nil,
	}
	if d.install != nil {
		got["installation_id"] = d.install.id
	}
	return got
}

// redeliver sends a delivery again, with the same GUID.
func redeliver(c *call) (int, any, error) {
	found := slices.IndexFunc(c.sent, func(d *delivery) bool { return d.id == c.number("delivery_id") && d.hook.app == c.app })
	if found < 0 {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "no such delivery")
	}
	again := *c.sent[found]
	again.again, again.statusCode = true, 0
	for _, h := range c.hooks { // where it goes to now
		if h.app == c.app {
			again.hook = h
		}
	}
	c.deliver(&again)
	return http.StatusAccepted, map[string]any{}, nil
}

func atoi(text string) int64 {
	var n int64
	_, _ = fmt.Sscan(text, &n)
	return n
}
