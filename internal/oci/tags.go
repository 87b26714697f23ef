package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
)

// maxTags bounds what is read of a repository's tags.
const maxTags = 100_000

var nextLink = regexp.MustCompile(`^<([^>]+)>; *rel="?next"?`)

// tags lists the tags page by page.
func (r *repository) tags(ctx context.Context) ([]string, error) {
	what := "list the tags of " + r.name.Name()
	address, err := url.Parse(r.url("tags/list?n=1000"))
	if err != nil {
		return nil, err
	}
	var all []string
	for address != nil {
		page, next, err := r.tagPage(ctx, what, address)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(all) > maxTags || len(page) == 0 && next != nil {
			return nil, &RegistryError{What: what, Detail: "the list does not end"}
		}
		address = next
	}
	return all, nil
}

func (r *repository) tagPage(ctx context.Context, what string, address *url.URL) (tags []string, next *url.URL, err error) {
	res, err := r.do(ctx, call{what: what, method: http.MethodGet, url: address.String()}, http.StatusOK)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	var page struct {
		Tags []string `json:"tags"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(&page); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", what, err)
	}
	next, err = following(what, address, res)
	return page.Tags, next, err
}

// following is where a list goes on; nil where it ends.
func following(what string, address *url.URL, res *http.Response) (*url.URL, error) {
	m := nextLink.FindStringSubmatch(res.Header.Get("Link"))
	if m == nil {
		return nil, nil //nolint:nilnil // it ends
	}
	link, err := url.Parse(m[1])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	next := address.ResolveReference(link)
	if next.Host != address.Host || next.Scheme != address.Scheme {
		return nil, &RegistryError{What: what, Detail: "the list goes on at another host"}
	}
	return next, nil
}
