package github

import (
	"bytes"
	"container/list"
	"io"
	"net/http"
	"sync"
)

const (
	maxCached = 16 << 20 // bytes of all answers that are kept
	maxAnswer = 1 << 20  // of one
)

// cache keeps answers so that GitHub need not give them again: a request that
// has "If-None-Match" and is answered with 304 takes nothing from the quota.
// An answer is never used without asking. Its methods may be called at the same
// time.
type cache struct {
	mu      sync.Mutex
	size    int
	order   *list.List // of *kept, the one used last in front
	entries map[string]*list.Element
}

// kept is an answer.
type kept struct {
	key, etag string
	header    http.Header
	body      []byte
}

// question is a request on its way and what was known before.
type question struct {
	key    string // "": its answer is not to be kept
	answer *kept  // nil: none
}

func newCache() *cache { return &cache{order: list.New(), entries: map[string]*list.Element{}} }

// ask makes a request conditional if its answer is known. Accounts share no
// answers: they may see different things.
func (c *cache) ask(account string, req *http.Request) question {
	if req.Method != http.MethodGet || req.Header.Get("Range") != "" || req.Header.Get("If-None-Match") != "" {
		return question{}
	}
	q := question{key: account + "\n" + req.URL.String() + "\n" + req.Header.Get("Accept")}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[q.key]; e != nil {
		c.order.MoveToFront(e)
		q.answer = e.Value.(*kept) //nolint:errcheck,forcetypeassert // the list holds nothing else
		req.Header.Set("If-None-Match", q.answer.etag)
	}
	return q
}

// settle returns the answer to a question: the known one when GitHub says that
// nothing changed, else the new one, which it keeps.
func (c *cache) settle(q question, resp *http.Response) (*http.Response, error) {
	switch {
	case q.key == "":
	case resp.StatusCode == http.StatusNotModified && q.answer != nil:
		_ = resp.Body.Close()
		return q.answer.response(resp), nil
	case resp.StatusCode == http.StatusOK && resp.Header.Get("Etag") != "":
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		c.keep(&kept{q.key, resp.Header.Get("Etag"), resp.Header.Clone(), body})
	}
	return resp, nil
}

// response is a known answer with what the forge said now, its quota above all.
func (k *kept) response(now *http.Response) *http.Response {
	header := k.header.Clone()
	for name, values := range now.Header {
		header[name] = values
	}
	header.Del("Content-Length")
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: now.Proto, ProtoMajor: now.ProtoMajor, ProtoMinor: now.ProtoMinor,
		Header: header, Body: io.NopCloser(bytes.NewReader(k.body)), ContentLength: int64(len(k.body)), Request: now.Request,
	}
}

// keep puts an answer in front, and lets those go that were not used for the
// longest time.
func (c *cache) keep(k *kept) {
	if len(k.body) > maxAnswer {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.entries[k.key]; old != nil {
		c.drop(old)
	}
	c.entries[k.key] = c.order.PushFront(k)
	c.size += k.cost()
	for c.size > maxCached {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	k := c.order.Remove(e).(*kept) //nolint:errcheck,forcetypeassert // the list holds nothing else
	delete(c.entries, k.key)
	c.size -= k.cost()
}

// cost is about what an answer takes of memory, in bytes.
func (k *kept) cost() int { return len(k.body) + len(k.key) + 1024 }
