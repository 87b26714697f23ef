package release

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
)

// pythonPackage is a distribution of an environment, as its metadata has it.
type pythonPackage struct {
	Name    string `json:"name"` // normalised (PEP 503)
	Version string `json:"version,omitempty"`
	License string `json:"license,omitempty"`
	SPDX    string `json:"spdx,omitempty"` // the same as an SPDX expression (PEP 639)
}

// maxMetadata is how much of a distribution's metadata is read, in bytes; a description follows.
const maxMetadata = 64 << 10

// installed lists the distributions of an environment, sorted by name.
func installed(venv string) ([]pythonPackage, error) {
	minor, err := venvMinor(venv)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(filepath.Join(venv, "lib", "python"+minor, "site-packages"))
	if errors.Is(err, fs.ErrNotExist) {
		return []pythonPackage{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	all := []pythonPackage{}
	for _, e := range entries {
		stem, found := strings.CutSuffix(e.Name(), ".dist-info")
		if !found || !e.IsDir() {
			continue
		}
		p, err := readMetadata(root, e.Name()+"/METADATA")
		if err != nil {
			return nil, err
		}
		if p.Name == "" {
			p.Name, p.Version, _ = strings.Cut(stem, "-")
		}
		p.Name = pep508.Normalize(p.Name)
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b pythonPackage) int { return strings.Compare(a.Name+"\x00"+a.Version, b.Name+"\x00"+b.Version) })
	return slices.CompactFunc(all, func(a, b pythonPackage) bool { return a.Name == b.Name && a.Version == b.Version }), nil
}

// readMetadata reads the head of a distribution's METADATA, which whoever made it may have written as he
// liked; nothing where there is none.
func readMetadata(root *os.Root, name string) (p pythonPackage, err error) {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxMetadata))
	for lines.Scan() && lines.Text() != "" {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = shown(strings.TrimSpace(value))
		switch strings.ToLower(key) {
		case "name":
			p.Name = value
		case "version":
			p.Version = value
		case "license":
			p.License = value
		case "license-expression":
			p.SPDX = value
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return p, err
	}
	return p, nil
}
