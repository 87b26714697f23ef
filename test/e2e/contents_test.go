package e2e

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// contents decodes Gitea's answer about a file.
type contents struct{ b *strings.Builder }

func (c *contents) UnmarshalJSON(data []byte) error {
	var file struct{ Content string }
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	text, err := base64.StdEncoding.DecodeString(file.Content)
	c.b.Write(text)
	return err
}
