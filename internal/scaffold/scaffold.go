// Package scaffold makes repositories of the scaffolds: it fills in names, and
// puts the files where they belong, all of them or none.
package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/nuobit/odyssey/scaffolds"
)

// Kind is what a scaffold is for.
type Kind string

// The kinds of scaffold.
const (
	DerivedImage Kind = "derived-image"
	Kubernetes   Kind = "k8s"
	Compose      Kind = "compose"
	Podman       Kind = "podman"
)

// Deployments are the kinds that run an image.
func Deployments() []Kind { return []Kind{Kubernetes, Compose, Podman} }

// Pins are the files of a deployment that name its image; "" for a derived image.
func (k Kind) Pins() string {
	return map[Kind]string{
		Kubernetes: "overlays/*/settings/kustomization.yaml (newName, newTag, digest)",
		Compose:    "compose.yaml",
		Podman:     "odoo.container, odoo-init.container and odoo-update.container",
	}[k]
}

// dir is where package scaffolds has the kind.
func (k Kind) dir() string {
	if k == DerivedImage {
		return string(k)
	}
	return path.Join("deployment", string(k))
}

// File is a file of a repository.
type File struct {
	Path    string // relative, with slashes
	Mode    fs.FileMode
	Content []byte
}

// Render returns the files of a scaffold with the values filled in, by path.
func Render(kind Kind, values *Values) ([]File, error) {
	names, err := values.replacer(kind)
	if err != nil {
		return nil, err
	}
	tree, err := fs.Sub(scaffolds.Files(), kind.dir())
	if err != nil {
		return nil, err
	}
	var files []File
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		target, wanted := values.Forge.place(name)
		if !wanted {
			return nil
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file := File{Path: target, Mode: 0o644, Content: []byte(names.Replace(string(content)))}
		if bytes.HasPrefix(content, []byte("#!")) {
			file.Mode = 0o755
		}
		files = append(files, file)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the scaffold %s: %w", kind, err)
	}
	return files, nil
}

// Forge is whose workflows a derived-image repository gets.
type Forge string

// The forges whose workflows there are.
const (
	GitHub  Forge = "github"
	Gitea   Forge = "gitea"
	Forgejo Forge = "forgejo"
)

// Forges are all of them.
func Forges() []Forge { return []Forge{GitHub, Gitea, Forgejo} }

// place is where a file of a scaffold goes, and whether the forge has a use for
// it. Forgejo runs Gitea's workflows, from a directory of its own.
func (f Forge) place(name string) (string, bool) {
	top, rest, _ := strings.Cut(name, "/")
	switch {
	case top == ".github":
		return name, f == GitHub
	case top == ".gitea" && f == Forgejo:
		return path.Join(".forgejo", rest), true
	case top == ".gitea":
		return name, f == Gitea
	}
	return name, true
}
