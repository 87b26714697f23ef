package browser_test

import (
	"bytes"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/browser"
)

func TestVisit(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<!doctype html><meta name=viewport content="width=device-width"><title>A page</title>
			<style>body{margin:0} @media (prefers-color-scheme: dark) {#wide{width:900px}}</style>
			<div id=wide style="min-width:700px">wide</div><script>console.error("ouch"); alert(1)</script><img src=/missing.png>`))
	})
	mux.HandleFunc("/missing.png", http.NotFound)
	server := httptest.NewServer(mux)
	defer server.Close()

	b := browser.Start(t)
	page := b.Visit(t, browser.View{URL: server.URL, Width: 390, Height: 844})
	if page.Title != "A page" || page.Scroll != 700 || page.Dialogues != 1 {
		t.Errorf("title %q, scroll %d, dialogues %d; want A page, 700, 1", page.Title, page.Scroll, page.Dialogues)
	}
	if len(page.Requests) < 2 || page.Requests[1] != server.URL+"/missing.png" {
		t.Errorf("requests %q", page.Requests)
	}
	if all := strings.Join(page.Console, "\n"); !strings.Contains(all, "ouch") || !strings.Contains(all, "404") {
		t.Errorf("console %q; want the error and the missing image", page.Console)
	}
	image, err := png.Decode(bytes.NewReader(page.PNG))
	if err != nil || image.Bounds().Dx() != page.Client {
		t.Errorf("screenshot: %v, client width %d", err, page.Client)
	}
	if page = b.Visit(t, browser.View{URL: server.URL, Width: 1280, Height: 800, Dark: true}); page.Scroll != 1280 {
		t.Errorf("scroll %d; want 1280", page.Scroll)
	}
}
