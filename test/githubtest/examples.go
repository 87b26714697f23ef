package githubtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Example is a delivery of a webhook as GitHub documents it.
type Example struct {
	Event   string // "issue_comment"
	Payload json.RawMessage
}

// Examples returns those of npm's @octokit/webhooks-examples, in its order.
func Examples(t testing.TB) []Example {
	t.Helper()
	examples, err := readExamples()
	if err != nil {
		t.Fatal(err)
	}
	return examples
}

var readExamples = sync.OnceValues(func() ([]Example, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "webhooks-examples.json"))
	if err != nil {
		return nil, err
	}
	var events []struct {
		Name     string            `json:"name"`
		Examples []json.RawMessage `json:"examples"`
	}
	if err := json.Unmarshal(text, &events); err != nil {
		return nil, err
	}
	var examples []Example
	for _, event := range events {
		for _, payload := range event.Examples {
			examples = append(examples, Example{event.Name, payload})
		}
	}
	return examples, nil
})
