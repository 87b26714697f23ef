package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// tab is one page of a browser.
type tab struct {
	pipe    *pipe
	target  string
	session string

	mu     sync.Mutex
	seen   Page
	loadCh chan struct{}
	once   sync.Once
}

// open opens an empty tab.
func (b *Browser) open(ctx context.Context) (*tab, error) {
	var target struct {
		TargetID string `json:"targetId"`
	}
	if err := b.pipe.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return nil, err
	}
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	if err := b.pipe.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	t := &tab{pipe: b.pipe, target: target.TargetID, session: attached.SessionID, loadCh: make(chan struct{})}
	b.pipe.listen(t.session, t.event)
	return t, nil
}

func (tab *tab) call(ctx context.Context, method string, params, result any) error {
	return tab.pipe.call(ctx, tab.session, method, params, result)
}

// eval evaluates an expression whose value is a string.
func (tab *tab) eval(ctx context.Context, expression string, result *string) error {
	var answer struct {
		Result struct{ Value string }
	}
	if err := tab.call(ctx, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer); err != nil {
		return err
	}
	*result = answer.Result.Value
	return nil
}

func (tab *tab) loaded(ctx context.Context) error {
	select {
	case <-tab.loadCh:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the page is not loaded: %w", ctx.Err())
	case <-tab.pipe.ended:
		return errors.New("the browser ended")
	}
}

func (tab *tab) close(ctx context.Context) {
	tab.pipe.listen(tab.session, nil)
	_ = tab.pipe.call(ctx, "", "Target.closeTarget", map[string]any{"targetId": tab.target}, nil)
}

func (tab *tab) events() Page {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.seen
}

// event takes what the browser tells of the page.
func (tab *tab) event(method string, params json.RawMessage) {
	var p struct {
		Request struct{ URL string }
		Entry   struct{ Level, Text string }
		Type    string
		Args    []struct{ Value any }
		Details struct{ Text string } `json:"exceptionDetails"`
	}
	_ = json.Unmarshal(params, &p) // what is not there stays empty
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch method {
	case "Page.loadEventFired":
		tab.once.Do(func() { close(tab.loadCh) })
	case "Network.requestWillBeSent":
		tab.seen.Requests = append(tab.seen.Requests, p.Request.URL)
	case "Log.entryAdded":
		if p.Entry.Level == "error" || p.Entry.Level == "warning" {
			tab.seen.Console = append(tab.seen.Console, p.Entry.Level+": "+p.Entry.Text)
		}
	case "Runtime.consoleAPICalled":
		tab.seen.Console = append(tab.seen.Console, strings.TrimSpace(fmt.Sprint(p.Type, ": ", p.Args)))
	case "Runtime.exceptionThrown":
		tab.seen.Console = append(tab.seen.Console, "exception: "+p.Details.Text)
	case "Page.javascriptDialogOpening":
		tab.seen.Dialogues++
		go func() { // the page waits for it
			_ = tab.pipe.send(tab.session, "Page.handleJavaScriptDialog", map[string]any{"accept": false})
		}()
	}
}
