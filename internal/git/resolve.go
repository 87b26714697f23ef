package git

import (
	"context"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Resolve returns the commit of each of refs that exists on the server of
// url, with one request however many refs there are. A short name is looked
// up where git fetch looks: below refs/, refs/tags/ and refs/heads/. An
// annotated tag counts as the commit it points at.
//
// The answer grows with the refs that share a wanted name as their prefix,
// not with the server's refs.
func (c *Client) Resolve(ctx context.Context, url string, refs []string) (map[string]string, error) {
	commits, _, err := c.ResolveTags(ctx, url, refs)
	return commits, err
}

// ResolveTags is Resolve that also tells which of refs are tags.
func (c *Client) ResolveTags(ctx context.Context, url string, refs []string) (commits map[string]string, tags map[string]bool, err error) {
	var prefixes []string
	for _, ref := range refs {
		if err := gitname.CheckRef(ref); err != nil {
			return nil, nil, err
		}
		prefixes = append(prefixes, candidates(ref)...)
	}
	listed, err := retry(ctx, c, func(ctx context.Context) ([]advertised, error) {
		return c.listRefs(ctx, url, prefixes)
	})
	if err != nil {
		return nil, nil, c.moved(ctx, url, err)
	}
	byName := make(map[string]string, len(listed))
	for _, ref := range listed {
		byName[ref.name] = ref.commit
	}
	commits, tags = map[string]string{}, map[string]bool{}
	for _, ref := range refs {
		commit, name, err := pick(ref, byName)
		if err != nil {
			return nil, nil, err
		}
		if commit != "" {
			commits[ref], tags[ref] = commit, strings.HasPrefix(name, "refs/tags/")
		}
	}
	return commits, tags, nil
}

// candidates are the full names that a ref may stand for.
func candidates(ref string) []string {
	if ref == "HEAD" || strings.HasPrefix(ref, "refs/") {
		return []string{ref}
	}
	return []string{"refs/" + ref, "refs/tags/" + ref, "refs/heads/" + ref}
}

// pick returns the commit of ref and its full name, or "". A name that is a branch and a tag at
// different commits is an error: git-aggregator itself takes the branch for a
// base and the tag for a further merge.
func pick(ref string, byName map[string]string) (found, name string, err error) {
	for _, full := range candidates(ref) {
		commit := byName[full]
		if commit == "" {
			continue
		}
		if found != "" && commit != found {
			return "", "", fmt.Errorf("%q is ambiguous: %s and %s differ; write the one you mean in full", ref, name, full)
		}
		found, name = commit, full
	}
	return found, name, nil
}

// Refs lists the branches and tags of a server by their short names, but for
// those that could not be locked.
func (c *Client) Refs(ctx context.Context, url string) ([]string, error) {
	listed, err := retry(ctx, c, func(ctx context.Context) ([]advertised, error) {
		return c.listRefs(ctx, url, []string{"refs/heads/", "refs/tags/"})
	})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, ref := range listed {
		_, name, _ := strings.Cut(strings.TrimPrefix(ref.name, "refs/"), "/")
		if gitname.CheckRef(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}
