package github

import (
	"cmp"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// mostQuotas bounds what Quotas returns.
const mostQuotas = 100

// Quotas tells what is left of the account's quotas or, of an App, of each of
// its installations' that were called: those first of which the smallest part
// is left, at most 100.
func (f *Forge) Quotas() []forge.Quota {
	all := f.session.quota.list()
	if a, ok := f.session.identity.(*app); ok {
		for i := range all {
			all[i].Account = a.ownerOf(all[i].Account)
		}
	}
	part := func(q forge.Quota) float64 { return float64(q.Left) / float64(max(q.Limit, 1)) }
	slices.SortFunc(all, func(a, b forge.Quota) int {
		return cmp.Or(cmp.Compare(part(a), part(b)), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Resource, b.Resource))
	})
	return all[:min(len(all), mostQuotas)]
}

// list tells the state of all windows. One that is over is full again.
func (q *quota) list() (all []forge.Quota) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	for account, a := range q.accounts {
		for resource, w := range a.windows {
			if w == nil {
				continue
			}
			left, reset := w.left, w.end
			if !w.end.After(now) {
				left, reset = w.limit, time.Time{}
			}
			all = append(all, forge.Quota{Account: account, Resource: resource, Limit: w.limit, Left: left, Reset: reset})
		}
	}
	return all
}

// drop forgets an account that is gone.
func (q *quota) drop(account string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.accounts, account)
}

// ownerOf returns the owner of an installation by the name of its account; the
// name itself of others, and of one whose owner nobody asked for.
func (a *app) ownerOf(account string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, owner := range a.names {
		if installationAccount(id) == account {
			return owner
		}
	}
	return account
}
