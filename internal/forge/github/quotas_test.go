package github

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
)

// Of many accounts those are told that have the least, and of windows that are
// over that they are full.
func TestQuotas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := &Forge{session: b.session}
	note := func(account, resource string, limit, left int, last time.Duration) {
		now := b.Now()
		b.session.quota.note(call{use: use{account: account}, resource: resource}, &http.Response{StatusCode: http.StatusOK, Header: http.Header{
			"X-Ratelimit-Limit": {strconv.Itoa(limit)}, "X-Ratelimit-Remaining": {strconv.Itoa(left)}, "Date": {now.UTC().Format(http.TimeFormat)},
			"X-Ratelimit-Reset": {strconv.FormatInt(now.Add(last).Unix(), 10)},
		}}, false)
	}
	hour := b.Now().Add(time.Hour)
	note("token", "search", 30, 0, time.Minute)
	note("token", "core", 5000, 100, time.Hour)
	want := []forge.Quota{
		{Account: "token", Resource: "search", Limit: 30, Left: 0, Reset: b.Now().Add(time.Minute)},
		{Account: "token", Resource: "core", Limit: 5000, Left: 100, Reset: hour},
	}
	if diff := cmp.Diff(want, f.Quotas()); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	b.pass(time.Minute)
	want[0], want[1] = want[1], forge.Quota{Account: "token", Resource: "search", Limit: 30, Left: 30}
	if diff := cmp.Diff(want, f.Quotas()); diff != "" {
		t.Errorf("after a minute (-want +got):\n%s", diff)
	}
	for i := range 200 {
		note(fmt.Sprint("installation ", i), "core", 1000, 999-i, time.Hour)
	}
	got := f.Quotas()
	if len(got) != mostQuotas || got[0].Account != "token" || got[1].Account != "installation 199" {
		t.Errorf("%d, the first are %+v", len(got), got[:2])
	}
}
