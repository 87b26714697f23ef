package yamldoc

import (
	"gopkg.in/yaml.v3"
)

// expander copies a node tree with aliases and merge keys resolved, and stops
// at the bounds: an alias bomb ends after maxNodes copies, not in memory.
type expander struct {
	doc     *Document
	nodes   int
	aliases map[*yaml.Node]bool // what the aliases that are being followed stand for
}

func (x *expander) expand(node *yaml.Node, depth int) (*yaml.Node, error) {
	if x.nodes++; x.nodes > maxNodes {
		return nil, x.doc.Errorf(node, "has more than %d values once its aliases are followed", maxNodes)
	}
	if depth > maxDepth {
		return nil, x.doc.Errorf(node, "is nested deeper than %d levels", maxDepth)
	}
	if err := x.checkTag(node); err != nil {
		return nil, err
	}
	switch node.Kind {
	case yaml.AliasNode:
		return x.alias(node, depth)
	case yaml.MappingNode:
		return x.mapping(node, depth)
	}
	out := *node
	out.Anchor, out.Content = "", nil
	for _, child := range node.Content {
		c, err := x.expand(child, depth+1)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, c)
	}
	return &out, nil
}

func (x *expander) alias(node *yaml.Node, depth int) (*yaml.Node, error) {
	if x.aliases[node.Alias] {
		return nil, x.doc.Errorf(node, "*%s stands inside of what it stands for", node.Value)
	}
	x.aliases[node.Alias] = true
	defer delete(x.aliases, node.Alias)
	return x.expand(node.Alias, depth+1)
}

// checkTag refuses tags that would change what a value is, such as !!binary
// and !!python/object, and those of applications, which nobody here knows.
func (x *expander) checkTag(node *yaml.Node) error {
	if node.Style&yaml.TaggedStyle == 0 {
		return nil
	}
	plain := yaml.Node{Kind: node.Kind, Value: node.Value, Style: node.Style &^ yaml.TaggedStyle}
	if tag := node.ShortTag(); tag != plain.ShortTag() && (tag != "!!str" || node.Kind != yaml.ScalarNode) {
		err := x.doc.Errorf(node, "the tag %s is not supported here", tag)
		err.Hint = "remove the tag"
		return err
	}
	return nil
}

func (x *expander) mapping(node *yaml.Node, depth int) (*yaml.Node, error) {
	out := *node
	out.Anchor, out.Content = "", nil
	lines := map[string]int{}
	var merged, mergeKey *yaml.Node
	for i := 0; i < len(node.Content); i += 2 {
		key, err := x.key(node.Content[i])
		if err != nil {
			return nil, err
		}
		v, err := x.expand(node.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		switch first, twice := lines[key.Value]; {
		case key.ShortTag() == "!!merge" && mergeKey == nil:
			mergeKey, merged = key, v
		case key.ShortTag() == "!!merge":
			err := x.doc.Errorf(key, "<< stands here again, first at line %d", mergeKey.Line)
			err.Hint = "write one list: <<: [*first, *second]"
			return nil, err
		case twice:
			return nil, x.doc.Errorf(key, "the key %q stands here again, first at line %d", key.Value, first)
		default:
			lines[key.Value] = key.Line
			out.Content = append(out.Content, key, v)
		}
	}
	if merged != nil {
		if err := x.merge(&out, merged, lines); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// key returns a copy of a mapping's key, at the line where the key stands
// even if it is an alias.
func (x *expander) key(node *yaml.Node) (*yaml.Node, error) {
	line, column := node.Line, node.Column
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	key := *node
	key.Anchor, key.Line, key.Column = "", line, column
	if x.nodes++; key.Kind != yaml.ScalarNode {
		return nil, x.doc.Errorf(&key, "a key must be plain text")
	}
	if err := x.checkTag(&key); err != nil {
		return nil, err
	}
	return &key, nil
}

// merge adds to out the keys of a merge value (a mapping or a sequence of
// them) that out does not have yet, as YAML 1.1's << does.
func (x *expander) merge(out, from *yaml.Node, have map[string]int) error {
	sources := []*yaml.Node{from}
	if from.Kind == yaml.SequenceNode {
		sources = from.Content
	}
	for _, source := range sources {
		if source.Kind != yaml.MappingNode {
			return x.doc.Errorf(source, "<< takes a mapping or a list of mappings")
		}
		for i := 0; i < len(source.Content); i += 2 {
			if key := source.Content[i]; have[key.Value] == 0 {
				have[key.Value] = key.Line
				out.Content = append(out.Content, key, source.Content[i+1])
			}
		}
	}
	return nil
}
