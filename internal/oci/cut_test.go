package oci

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// hangUp ends the connection of a request without an answer.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// cutRegistry is a registry that keeps what came in before a connection broke and tells how much
// that is, as docker-registry does. What it is sent is in got, by the session.
type cutRegistry struct {
	got    bytes.Buffer
	cuts   []int // after how many bytes in all the connection breaks
	lost   bool  // forgets a session when its connection breaks
	starts int
	puts   []string // digests
}

func (c *cutRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	here := fmt.Sprintf("/v2/acme/odoo/blobs/uploads/%d?state=a%%2Fb", c.starts)
	switch {
	case r.URL.Path == "/v2/":
	case r.Method == http.MethodPost:
		c.starts++
		c.got.Reset()
		w.Header().Set("Location", fmt.Sprintf("/v2/acme/odoo/blobs/uploads/%d?state=a%%2Fb", c.starts))
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPatch:
		if from := r.Header.Get("Content-Range"); from != "" {
			var start, end int
			if _, err := fmt.Sscanf(from, "%d-%d", &start, &end); err != nil || start != c.got.Len() || int64(end-start+1) != r.ContentLength {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
		} else if c.got.Len() > 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if len(c.cuts) > 0 {
			limit := c.cuts[0]
			if n, _ := io.CopyN(&c.got, r.Body, int64(limit-c.got.Len())); n > 0 && c.got.Len() == limit {
				c.cuts = c.cuts[1:]
				if c.lost {
					c.starts += 100
				}
				hangUp(w)
				return
			}
		} else {
			_, _ = io.Copy(&c.got, r.Body)
		}
		w.Header().Set("Location", here)
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodGet && strings.HasPrefix(here, r.URL.Path):
		w.Header().Set("Location", here)
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(0, c.got.Len()-1)))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut && r.URL.Query().Get("state") == "a/b":
		c.puts = append(c.puts, r.URL.Query().Get("digest"))
		if digestOf(c.got.Bytes()) != r.URL.Query().Get("digest") {
			answer(w, http.StatusBadRequest, "DIGEST_INVALID", "")
			return
		}
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
