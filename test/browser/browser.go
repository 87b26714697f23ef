// Package browser looks at pages in headless Chromium, which test/setup.sh
// installs if it is missing. It speaks the DevTools protocol over a pipe:
// https://chromedevtools.github.io/devtools-protocol/
package browser

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/setup"
)

var find = sync.OnceValues(func() (string, error) {
	if _, err := setup.Part("chromium", ""); err != nil {
		return "", err
	}
	return exec.LookPath(cmp.Or(os.Getenv("CHROMIUM"), "chromium"))
})

// View says how to look at a page.
type View struct {
	URL    string
	Width  int // CSS pixels
	Height int
	Dark   bool
}

// Page is what was seen of a page once it was loaded.
type Page struct {
	Title     string
	PNG       []byte   // the whole page, to its end
	Requests  []string // URLs that it asked for, its own first
	Console   []string // errors and warnings, and what the policy refused
	Scroll    int      // width of the content in CSS pixels
	Client    int      // width there is for it
	Dialogues int      // alerts and the like that scripts opened
}

// Browser is a running Chromium.
type Browser struct{ pipe *pipe }

// Start starts a browser that ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	program, err := find()
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours, mine, yours := pipes(t)
	dir := t.TempDir()
	cmd := exec.Command(program,
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir="+dir,
		"--no-sandbox", // which root and most containers have not; the pages are our own
		"--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--no-proxy-server", "--hide-scrollbars", "--force-color-profile=srgb", "--lang=en", "about:blank")
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "XDG_CONFIG_HOME=" + dir, "XDG_CACHE_HOME=" + dir}
	cmd.ExtraFiles = []*os.File{theirs, yours} // descriptors 3 and 4
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirs.Close(), yours.Close()
	p := newPipe(ours, mine)
	t.Cleanup(func() {
		p.close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its helpers too, which write to dir
		_ = cmd.Wait()
	})
	return &Browser{pipe: p}
}

// pipes makes the two pipes of a browser.
func pipes(t testing.TB) (theirs, ours, mine, yours *os.File) {
	t.Helper()
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if mine, yours, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	return theirs, ours, mine, yours
}

// Visit loads a page and looks at it.
func (b *Browser) Visit(t testing.TB, v View) Page {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	page, err := b.visit(ctx, v)
	if err != nil {
		t.Fatalf("look at %s: %v", v.URL, err)
	}
	return page
}

func (b *Browser) visit(ctx context.Context, v View) (Page, error) {
	tab, err := b.open(ctx)
	if err != nil {
		return Page{}, err
	}
	defer tab.close(context.WithoutCancel(ctx))
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	for _, step := range []struct {
		method string
		params any
	}{
		{"Page.enable", nil},
		{"Network.enable", nil},
		{"Runtime.enable", nil},
		{"Log.enable", nil},
		{"Emulation.setDeviceMetricsOverride", map[string]any{"width": v.Width, "height": v.Height, "deviceScaleFactor": 1, "mobile": v.Width < 600}},
		{"Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}},
		{"Page.navigate", map[string]any{"url": v.URL}},
	} {
		if err := tab.call(ctx, step.method, step.params, nil); err != nil {
			return Page{}, err
		}
	}
	if err := tab.loaded(ctx); err != nil {
		return Page{}, err
	}
	return tab.describe(ctx)
}

// describe reads what is to be seen.
func (tab *tab) describe(ctx context.Context) (Page, error) {
	var seen struct {
		Title                  string
		Scroll, Client, Height int
	}
	const script = `JSON.stringify({title: document.title, scroll: document.documentElement.scrollWidth,
		client: document.documentElement.clientWidth, height: document.documentElement.scrollHeight})`
	var text string
	if err := tab.eval(ctx, script, &text); err != nil {
		return Page{}, err
	}
	if err := json.Unmarshal([]byte(text), &seen); err != nil {
		return Page{}, fmt.Errorf("read %q: %w", text, err)
	}
	var shot struct{ Data []byte }
	err := tab.call(ctx, "Page.captureScreenshot", map[string]any{
		"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "width": seen.Client, "height": min(seen.Height, 8000), "scale": 1},
	}, &shot)
	if err != nil {
		return Page{}, err
	}
	page := tab.events()
	page.Title, page.PNG, page.Scroll, page.Client = seen.Title, shot.Data, seen.Scroll, seen.Client
	return page, nil
}
