package enterprise

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
)

// The README of the mirror, and what marks the block in it that is ours.
const (
	readmeName  = "README.md"
	blockBegin  = "<!-- odyssey: source bundle, begin -->"
	blockEnd    = "<!-- odyssey: source bundle, end -->"
	readmeTitle = "# Odoo Enterprise\n\nPrivate: the modules in this repository are proprietary.\n"
	maxReadme   = 1 << 20 // bytes
)

// readme returns the mirror's README with the block that names the bundle, and
// nil when it has that already.
func (m *mirror) readme(ctx context.Context, b *Bundle) ([]byte, error) {
	var old []byte
	for _, f := range m.files.files {
		if f.path != readmeName {
			continue
		}
		if f.mode == git.ModeSymlink {
			return nil, mirrorErrorf("%s is a link\n  make it a file", readmeName)
		}
		var err error
		if old, err = m.repo.Blob(ctx, f.id.String(), maxReadme); err != nil {
			return nil, err
		}
	}
	next, err := writeBlock(old, block(b))
	if err != nil || bytes.Equal(old, next) {
		return nil, err
	}
	return next, nil
}

func block(b *Bundle) string {
	code := func(text string) string { return "`" + text + "`" }
	return fmt.Sprintf("%s\n| source bundle | |\n|---|---|\n| file | %s |\n| date | %s |\n| size | %d bytes |\n| SHA-256 | %s |\n%s\n",
		blockBegin, code(safeName(b.Name)), day(b.Date), b.Size, code(b.SHA256), blockEnd)
}

// safeName keeps of a file's name what means nothing in Markdown or a commit.
func safeName(name string) string {
	return strings.Map(func(r rune) rune {
		if plain(string(r)) == "" {
			return '_'
		}
		return r
	}, name)
}

// writeBlock puts the block in the place of the one that is there, or at the end.
func writeBlock(old []byte, block string) ([]byte, error) {
	text := string(old)
	begins, ends := strings.Count(text, blockBegin), strings.Count(text, blockEnd)
	begin, end := strings.Index(text, blockBegin), strings.Index(text, blockEnd)
	switch {
	case begins == 0 && ends == 0:
		if text == "" {
			text = readmeTitle
		}
		return []byte(strings.TrimRight(text, "\n") + "\n\n" + block), nil
	case begins != 1 || ends != 1 || end < begin:
		return nil, mirrorErrorf("%s has the marks of the source bundle more than once, or not in pairs\n  leave one pair of them, or none", readmeName)
	}
	after := strings.TrimPrefix(text[end+len(blockEnd):], "\n")
	return []byte(text[:begin] + block + after), nil
}
