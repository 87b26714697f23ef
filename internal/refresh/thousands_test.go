package refresh_test

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/nuobit/odyssey/test/gitserver"
)

// forgeLimit is how long a text of a pull request, or of a check, may be, in
// characters as GitHub counts them.
const forgeLimit = 65_536

// Ten thousand new commits in thousands of addons make a text that a forge takes,
// and that says how much it leaves out; neither memory nor time runs away.
func TestFault_M2_ThousandsOfAddons(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	const addons, commits, touched = 3000, 10_000, 2
	d := newDerived(t)
	dir := func(addon int) string { return fmt.Sprintf("part_%02d/addon_%04d", addon%60, addon) } // large directories take long
	long := strings.Repeat("ü", 60)
	first, all := gitserver.Commit{Branch: "17.0", When: date(1), Message: "[ADD] all", Files: map[string]string{}}, make([]gitserver.Commit, commits)
	for a := range addons {
		first.Files[dir(a)+"/__manifest__.py"] = manifest("17.0.1.0.0", "'depends': ['base']")
	}
	for c := range all {
		files := map[string]string{}
		for i := range touched {
			files[fmt.Sprintf("%s/models/file_%d.py", dir((c*touched+i)%addons), i)] = fmt.Sprint(c)
		}
		// Newest commits touch most addons; each brings a script and a missing dependency.
		if c >= commits-addons {
			addon := dir(c - commits + addons)
			files[addon+"/__manifest__.py"] = manifest("17.0.2.0.0", fmt.Sprintf("'depends': ['base', 'lacking_%d']", c))
			files[addon+"/migrations/17.0.2.0.0/post-x.py"] = "1"
		}
		all[c] = gitserver.Commit{Branch: "17.0", When: date(2).Add(time.Duration(c) * time.Second), Author: fmt.Sprint("Ann ", c), Message: fmt.Sprintf("[FIX] @org/team <b>%s</b>: fixes #%d", long, c), Files: files}
	}
	d.web.Add(t, first)
	d.locked = lockOf(t, d.repos, d.client)
	d.web.Add(t, all...)
	first.Files = nil
	runtime.GC()

	peak, stop := watchHeap()
	start := time.Now()
	text := d.describe(t, nil)
	took := time.Since(start)
	stop()
	for what, said := range map[string]string{"body": text.Body, "check": text.Fit.Summary} {
		if n := len(utf16.Encode([]rune(said))); n > forgeLimit {
			t.Errorf("the %s has %d characters", what, n)
		}
		for _, bad := range []string{"@org/team", "<b>", "fixes #1"} {
			if strings.Contains(said, bad) {
				t.Errorf("the %s has %q", what, bad)
			}
		}
	}
	for _, want := range []string{"at least 4,096 commits", "3,000 addons changed", " more addons"} {
		if !strings.Contains(text.Body, want) {
			t.Errorf("the text does not say %q", want)
		}
	}
	if !strings.Contains(text.Title, "+4,096 commits or more") || len(text.Title) > 240 {
		t.Errorf("the title is %q", text.Title)
	}
	if n := len(strings.Split(text.Fit.Summary, "\n")); text.Fit.Title != "This brings 3,000 problems of addons" || n > 200 {
		t.Errorf("the check is %q, with %d lines", text.Fit.Title, n)
	}
	t.Logf("%v, %d MiB, %d bytes of text", took.Round(time.Millisecond), peak()>>20, len(text.Body))
	if took > 3*time.Minute || peak() > 256<<20 {
		t.Errorf("it took %v and %d MiB", took, peak()>>20)
	}
}

// watchHeap looks at how much memory is in use, until it is stopped; peak is the most
// above what there was before.
func watchHeap() (peak func() int64, stop func()) {
	inUse := func() int64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	before, most := inUse(), int64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				most = max(most, inUse()-before)
			}
		}
	}()
	return func() int64 { return most }, func() { close(done); <-ended }
}
