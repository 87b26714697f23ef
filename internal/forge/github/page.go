package github

import (
	"fmt"
	"slices"

	sdk "github.com/google/go-github/v62/github"
)

const (
	pageSize = 100 // the most that GitHub gives
	maxPages = 100
)

var errManyPages = fmt.Errorf("more than %d pages", maxPages)

// lister gets one page.
type lister[T any] func(sdk.ListOptions) ([]T, *sdk.Response, error)

// all returns the items of all pages.
func all[T any](list lister[*T]) ([]*T, error) {
	var items []*T
	page := sdk.ListOptions{PerPage: pageSize}
	for range maxPages {
		some, resp, err := list(page)
		if err := answer(resp, err); err != nil {
			return nil, err
		}
		items = append(items, slices.DeleteFunc(some, func(item *T) bool { return item == nil })...)
		if resp.NextPage == 0 {
			return items, nil
		}
		page.Page = resp.NextPage
	}
	return nil, errManyPages
}
