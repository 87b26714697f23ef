package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Tags say what an image is to be called.
type Tags struct {
	Names []string
	// Next is what a series of tags begins with, such as "17.0-py310-trixie-r": the image gets the tag
	// with the next number, of four digits at least, unless it has the newest already. Empty: none.
	Next string
}

// tagAll gives an image tags. It looks at all of them before it writes one.
func tagAll(ctx context.Context, out output, t Target, index document, tags []string) ([]string, error) {
	var free []string
	for _, tag := range tags {
		there, err := checkTag(ctx, out, t, tag, index.digest)
		if err != nil {
			return nil, err
		}
		if !there && !slices.Contains(free, tag) {
			free = append(free, tag)
		}
	}
	if len(tags) == 0 && !t.Registry() {
		free = []string{""}
	}
	for _, tag := range free {
		if err := out.tag(ctx, index, tag); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// checkTag refuses a tag that another image has.
func checkTag(ctx context.Context, out output, t Target, tag, digest string) (there bool, err error) {
	has, err := out.holder(ctx, tag)
	if err != nil {
		return false, err
	}
	if has != "" && has != digest {
		return false, &TagError{Name: t.tagged(tag), Has: has, Want: digest}
	}
	return has != "", nil
}

func (t Target) tagged(tag string) string {
	if t.Registry() {
		return t.Reference.Repository + ":" + tag
	}
	return t.Path + ":" + tag
}

// numbered is a tag of a series.
type numbered struct {
	tag    string
	number int
}

// series finds the tags that are a prefix and a number, the newest first.
func series(tags []string, prefix string) []numbered {
	var all []numbered
	for _, tag := range tags {
		digits, ok := strings.CutPrefix(tag, prefix)
		if !ok || len(digits) < 4 || strings.Trim(digits, "0123456789") != "" {
			continue
		}
		if n, err := strconv.Atoi(digits); err == nil {
			all = append(all, numbered{tag, n})
		}
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Or(b.number-a.number, strings.Compare(a.tag, b.tag)) })
	return all
}

// Newest returns the tag of a series in a repository with the highest number; "" when there is none.
func (c *Client) Newest(ctx context.Context, repository, prefix string) (string, error) {
	tags, err := c.Tags(ctx, repository)
	if all := series(tags, prefix); err == nil && len(all) > 0 {
		return all[0].tag, nil
	}
	return "", err
}

// maxTries bounds how often a number is taken by somebody else.
const maxTries = 20

// tagNext gives an image the next tag of a series.
func (c *Client) tagNext(ctx context.Context, out output, t Target, result *Result, prefix string) error {
	newest, err := c.Newest(ctx, t.Reference.Repository, prefix)
	if err != nil {
		return err
	}
	number := 0
	if newest != "" {
		has, err := out.holder(ctx, newest)
		if err != nil {
			return err
		}
		if has == result.Digest {
			result.Tags = append(result.Tags, newest)
			return nil
		}
		number, _ = strconv.Atoi(strings.TrimPrefix(newest, prefix)) // series read it
	}
	taken := (*TagError)(nil)
	for range maxTries {
		number++
		tags, err := tagAll(ctx, out, t, result.index, []string{fmt.Sprintf("%s%04d", prefix, number)})
		if err == nil {
			result.Tags = append(result.Tags, tags...)
			return nil
		}
		if !errors.As(err, &taken) {
			return err
		}
	}
	return taken
}
