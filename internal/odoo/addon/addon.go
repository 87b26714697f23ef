// Package addon is what an update of a database has to know of addons: where
// they are and whether their files have changed. It is apart from package odoo as
// odoo-run must stay small.
package addon

import (
	"crypto/sha1" //nolint:gosec // it tells versions of an addon apart, and is what click-odoo-update keeps
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Exclude are the files of an addon that no update of a database
// depends on, as click-odoo-update has them.
func Exclude() []string {
	return []string{"*.pyc", "*.pyo", "i18n/*.pot", "i18n_extra/*.pot", "static/*", "tests/*"}
}

// Checksum returns the SHA-1 of the names and contents of an addon's files, the
// same that click-odoo-update computes. Files that match one of exclude, patterns
// of Python's fnmatch for the path below dir, do not count, nor do translations
// to other languages than languages (such as fr_FR; all when there are none).
// Links to directories are not followed.
func Checksum(dir string, exclude, languages []string) (string, error) {
	c := &checksummer{hash: sha1.New(), languages: map[string]bool{}} //nolint:gosec // see the import
	for _, pattern := range exclude {
		c.exclude = append(c.exclude, fnmatch(pattern))
	}
	for _, language := range languages {
		short, _, _ := strings.Cut(language, "_")
		c.languages[short] = true
	}
	if err := c.add(dir, ""); err != nil {
		return "", fmt.Errorf("checksum of %s: %w", dir, err)
	}
	return hex.EncodeToString(c.hash.Sum(nil)), nil
}

const manifest = "__manifest__.py"

type checksummer struct {
	hash      hash.Hash
	exclude   []*regexp.Regexp
	languages map[string]bool
}

// add takes in the files of a directory, then its directories.
func (c *checksummer) add(top, rel string) error {
	entries, err := os.ReadDir(filepath.Join(top, rel)) // sorted by name
	if err != nil {
		return err
	}
	var dirs []string
	for _, entry := range entries {
		name := path.Join(rel, entry.Name())
		info, err := os.Stat(filepath.Join(top, name))
		switch {
		case entry.IsDir():
			dirs = append(dirs, name)
		case err == nil && info.IsDir(): // by a link
		case !c.counts(rel, name):
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return &fs.PathError{Op: "read", Path: filepath.Join(top, name), Err: fmt.Errorf("it is no regular file")}
		default:
			if err := c.addFile(top, name); err != nil {
				return err
			}
		}
	}
	for _, dir := range dirs {
		if err := c.add(top, dir); err != nil {
			return err
		}
	}
	return nil
}

func (c *checksummer) counts(dir, name string) bool {
	if slices.ContainsFunc(c.exclude, func(pattern *regexp.Regexp) bool { return pattern.MatchString(name) }) {
		return false
	}
	base, isTranslation := strings.CutSuffix(path.Base(name), ".po")
	if len(c.languages) == 0 || !isTranslation || base == "" || dir != "i18n" && dir != "i18n_extra" {
		return true
	}
	language, _, _ := strings.Cut(base, "_")
	return c.languages[language]
}

func (c *checksummer) addFile(top, name string) error {
	f, err := os.Open(filepath.Join(top, name))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.WriteString(c.hash, name); err != nil {
		return err
	}
	_, err = io.Copy(c.hash, f)
	return err
}

// fnmatch translates a pattern of Python's fnmatch: *, ?, [seq] and [!seq],
// of which * and ? also match a slash.
func fnmatch(pattern string) *regexp.Regexp {
	var b strings.Builder
	for rest := pattern; rest != ""; {
		char := rest[0]
		rest = rest[1:]
		switch char {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			set, after, ok := set(rest)
			if !ok {
				b.WriteString(`\[`)
				continue
			}
			rest = after
			b.WriteString(set)
		default:
			b.WriteString(regexp.QuoteMeta(string([]byte{char})))
		}
	}
	compiled, err := regexp.Compile(`(?s)^` + b.String() + `$`)
	if err != nil {
		return regexp.MustCompile(`^` + regexp.QuoteMeta(pattern) + `$`)
	}
	return compiled
}

// set translates what follows a bracket, up to the closing one.
func set(rest string) (translated, after string, ok bool) {
	negated := strings.TrimPrefix(rest, "!")
	end := strings.IndexByte(negated[min(1, len(negated)):], ']') + min(1, len(negated))
	if len(negated) == 0 || end < 1 || negated[end] != ']' {
		return "", rest, false
	}
	chars := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(negated[:end])
	not := ""
	if negated != rest {
		not = "^"
	}
	return "[" + not + chars + "]", negated[end+1:], true
}

// Find returns the directory of an addon in the first of some roots that has it;
// empty when none does.
func Find(roots []string, name string) string {
	if name == "" || name[0] == '.' || name != filepath.Base(name) {
		return ""
	}
	for _, root := range roots {
		dir := filepath.Join(root, name)
		if info, err := os.Stat(filepath.Join(dir, manifest)); err == nil && info.Mode().IsRegular() {
			return dir
		}
	}
	return ""
}

// Names returns the names of all addons in some roots, sorted.
func Names(roots []string) []string {
	var names []string
	for _, root := range roots {
		entries, err := os.ReadDir(root)
		if err != nil {
			continue // Odoo passes over it, too
		}
		for _, entry := range entries {
			if Find([]string{root}, entry.Name()) != "" {
				names = append(names, entry.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
