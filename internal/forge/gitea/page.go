package gitea

import (
	"fmt"
	"strconv"

	sdk "code.gitea.io/sdk/gitea"
)

const (
	pageSize = 50 // the most that Gitea gives by default
	maxPages = 200
)

// lister gets one page.
type lister[T any] func(sdk.ListOptions) ([]T, *sdk.Response, error)

// all returns the items of all pages.
func all[T any](list lister[T]) ([]T, error) {
	var items []T
	err := walk(list, func(item T) error {
		items = append(items, item)
		return nil
	})
	return items, err
}

// walk visits the items of all pages, up to the first error. It asks for no
// page that it can know to be empty.
func walk[T any](list lister[T], visit func(T) error) error {
	seen := 0
	for page := 1; page <= maxPages; page++ {
		items, resp, err := list(sdk.ListOptions{Page: page, PageSize: pageSize})
		if err := answer(resp, err); err != nil {
			return err
		}
		for _, item := range items {
			if err := visit(item); err != nil {
				return err
			}
		}
		seen += len(items)
		if len(items) == 0 || isLast(resp, len(items), seen) {
			return nil
		}
	}
	return fmt.Errorf("more than %d pages", maxPages)
}

// isLast trusts the server's count, because a server may give less than
// pageSize at a time.
func isLast(resp *sdk.Response, got, seen int) bool {
	if total, err := strconv.Atoi(resp.Header.Get("X-Total-Count")); err == nil {
		return seen >= total
	}
	return got < pageSize
}
