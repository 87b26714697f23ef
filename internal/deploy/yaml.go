package deploy

import (
	"bytes"
	"errors"
	"io"
	"path"
	"strings"

	"gopkg.in/yaml.v3"
)

// document is a YAML file with one or more documents in it.
type document struct {
	name  string
	lines *lines
	to    Image
	sites []site
	inner bool                // it is a block of text in another one
	shown map[*yaml.Node]bool // scalars that are in a site
	uses  map[*yaml.Node]int  // how often a scalar is an image's part, or an alias
	taken map[*yaml.Node]int  // how often it is a part of this image
}

// findYAML finds references in a YAML file: "image" keys, the mappings of Helm
// values, and the lists of kustomizations.
func findYAML(name string, data []byte, to Image) ([]site, error) {
	return (&document{name: name, to: to}).find(data)
}

func (d *document) find(data []byte) ([]site, error) {
	d.lines = newLines(data)
	d.uses, d.taken, d.shown = map[*yaml.Node]int{}, map[*yaml.Node]int{}, map[*yaml.Node]bool{}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var roots []*yaml.Node
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &Error{File: d.name, Msg: "is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: "), Hint: "leave the file out of --files if it is a template"}
		}
		d.count(&root)
		roots = append(roots, &root)
	}
	for _, root := range roots {
		if err := d.walk(root); err != nil {
			return nil, err
		}
	}
	for node, n := range d.taken {
		if n < d.uses[node] {
			return nil, &Error{File: d.name, Line: node.Line, Msg: "the anchor &" + node.Anchor + " stands for something else, too", Hint: "write the image out where it is meant"}
		}
	}
	return d.sites, nil
}

// count counts how often each scalar is meant. What an alias stands for is
// walked once, where its anchor is, so that no bomb goes off.
func (d *document) count(node *yaml.Node) {
	for i, child := range node.Content {
		switch {
		case child.Kind == yaml.AliasNode:
			d.uses[child.Alias]++
		case node.Kind == yaml.MappingNode && i%2 == 1 && isPart(node.Content[i-1].Value):
			d.uses[child]++
		}
		d.count(child)
	}
}

// isPart reports whether a key's value is an image's tag or digest.
func isPart(key string) bool { return key == "tag" || key == "newTag" || key == "digest" }

func (d *document) walk(node *yaml.Node) error {
	if node.Kind == yaml.MappingNode {
		if err := d.mapping(node); err != nil {
			return err
		}
	}
	for _, child := range node.Content {
		if err := d.walk(child); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) mapping(node *yaml.Node) error {
	if image := value(node, "image"); image != nil && isText(image) && child(node, "image") != nil {
		if err := d.image(node, image); err != nil {
			return err
		}
	}
	if images := value(node, "images"); images != nil && images.Kind == yaml.SequenceNode && d.kustomization(node) {
		for _, entry := range images.Content {
			if err := d.kustomize(resolve(entry)); err != nil {
				return err
			}
		}
	}
	if err := d.patch(node); err != nil {
		return err
	}
	if repository := value(node, "repository"); repository != nil && isText(repository) {
		return d.values(node, repository)
	}
	return nil
}

// patch is a kustomization's patch: YAML in a block of text, or an operation on
// the path of an image.
func (d *document) patch(node *yaml.Node) error {
	if at, to := value(node, "path"), value(node, "value"); at != nil && to != nil && strings.HasSuffix(at.Value, "/image") && isText(to) {
		return d.reference(to)
	}
	patch := child(node, "patch")
	if d.inner || patch == nil || patch.Style&yaml.LiteralStyle == 0 {
		return nil
	}
	block, ok := d.lines.block(patch)
	if !ok {
		return nil
	}
	sites, err := (&document{name: d.name, to: d.to, inner: true}).find([]byte(patch.Value))
	if err != nil {
		return nil //nolint:nilerr // text that is no YAML names nothing that could be changed
	}
	for _, s := range sites {
		d.sites = append(d.sites, block.lift(s))
	}
	return nil
}

// kustomization reports whether a mapping is the top of a kustomization.
func (d *document) kustomization(node *yaml.Node) bool {
	base := path.Base(d.name)
	if base == "Kustomization" || base == "kustomization.yaml" || base == "kustomization.yml" {
		return true
	}
	kind := value(node, "kind")
	return kind != nil && (kind.Value == "Kustomization" || kind.Value == "Component")
}

// image is an "image" key: a reference, or a name with its tag beside it.
func (d *document) image(node, image *yaml.Node) error {
	if tag, digest := value(node, "tag"), value(node, "digest"); normal(image.Value) != "" && (tag != nil || digest != nil) {
		return d.parts(image.Value, tag, digest)
	}
	return d.reference(image)
}

func (d *document) reference(node *yaml.Node) error {
	before, text, after := unwrap(node.Value)
	was, ok := split(text)
	if !ok || was.Repository() != d.to.Repository() {
		return nil
	}
	s, err := d.span(node)
	if err != nil {
		return err
	}
	d.add(site{was: was, edits: func(to Image) []edit {
		return []edit{s.edit(before + was.rewritten(to) + after)}
	}}, node)
	return nil
}

// values is an image of Helm values: repository, perhaps registry, and tag or
// digest or both.
func (d *document) values(node, repository *yaml.Node) error {
	name := repository.Value
	if registry := value(node, "registry"); registry != nil && isText(registry) && registry.Value != "" {
		name = registry.Value + "/" + name
	}
	return d.parts(name, value(node, "tag"), value(node, "digest"))
}

// kustomize is an entry of a kustomization's images.
func (d *document) kustomize(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	name := value(node, "newName")
	if name == nil || name.Value == "" {
		name = value(node, "name")
	}
	if name == nil || !isText(name) {
		return nil
	}
	return d.parts(name.Value, value(node, "newTag"), value(node, "digest"))
}

// parts is an image whose tag and digest stand apart. Where there is no place
// for the digest it goes with the tag, as "TAG@sha256:…".
func (d *document) parts(name string, tag, digest *yaml.Node) error {
	if normal(name) != d.to.Repository() || tag == nil && digest == nil {
		return nil
	}
	s := site{was: Image{Name: name}}
	var spans []func(to Image) edit
	if tag != nil {
		span, err := d.span(tag)
		if err != nil {
			return err
		}
		text, pinned, _ := strings.Cut(tag.Value, "@")
		s.was.Tag, s.was.Digest = text, pinned
		spans = append(spans, func(to Image) edit {
			if digest != nil {
				return span.edit(to.Tag)
			}
			return span.edit(to.Tag + "@" + to.Digest)
		})
	}
	if digest != nil {
		span, err := d.span(digest)
		if err != nil {
			return err
		}
		s.was.Digest = digest.Value
		spans = append(spans, func(to Image) edit { return span.edit(to.Digest) })
	}
	s.edits = func(to Image) (edits []edit) {
		for _, change := range spans {
			edits = append(edits, change(to))
		}
		return edits
	}
	for _, node := range []*yaml.Node{tag, digest} {
		if node != nil {
			d.taken[node]++
		}
	}
	d.add(s, tag, digest)
	return nil
}

// add notes a site and the scalars that it is made of; one that was found by
// another alias is there already.
func (d *document) add(s site, nodes ...*yaml.Node) {
	known := true
	for _, node := range nodes {
		if node != nil {
			known = known && d.shown[node]
			d.shown[node] = true
		}
	}
	if !known {
		d.sites = append(d.sites, s)
	}
}

func (d *document) span(node *yaml.Node) (span, error) {
	s, ok := d.lines.span(node)
	if !ok {
		return s, &Error{File: d.name, Line: node.Line, Msg: "the image cannot be changed in place", Hint: "write it on one line, without escapes; an empty value as \"\""}
	}
	return s, nil
}

// value returns the value of a mapping's key, as an anchor or a merge key may
// say it; nil when there is none.
func value(node *yaml.Node, key string) *yaml.Node { return lookup(node, key, 0) }

// maxMerges is how deep merge keys are followed, and how many of a list: together
// they bound what a lookup costs.
const maxMerges = 4

func lookup(node *yaml.Node, key string, depth int) *yaml.Node {
	if node = resolve(node); node.Kind != yaml.MappingNode || depth > maxMerges {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return resolve(node.Content[i+1])
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].ShortTag() != "!!merge" {
			continue
		}
		from := []*yaml.Node{node.Content[i+1]}
		if list := resolve(from[0]); list.Kind == yaml.SequenceNode {
			from = list.Content[:min(len(list.Content), maxMerges)]
		}
		for _, source := range from {
			if found := lookup(source, key, depth+1); found != nil {
				return found
			}
		}
	}
	return nil
}

// child returns the value that stands at a mapping's key itself, which may be an
// alias; nil when there is none.
func child(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isText(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode }
