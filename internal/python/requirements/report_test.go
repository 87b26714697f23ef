package requirements_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/nuobit/odyssey/internal/python/requirements"
)

// What strangers write into a marker or URL must stay text in a report.
func TestFault_M1_RequirementsReport(t *testing.T) {
	t.Parallel()
	result, err := requirements.Normalize(golden(t, "testdata/hostile-py3.12"))
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe())).Convert([]byte(result.Markdown()), &page); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	if found := regexp.MustCompile(`<(a|img|b|script)\b|@[a-z]|#[0-9]|://|\bwww`).FindAllString(text, -1); found != nil {
		t.Errorf("%q in\n%s", found, text)
	}
	for _, want := range []string{"evil", "team"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if rows, cells := strings.Count(text, "<tr>"), strings.Count(text, "<td>"); rows != 3+1+2+1 || cells != 4+2*3+2 {
		t.Errorf("%d rows, %d cells:\n%s", rows, cells, text)
	}
}
