package config

import (
	"path"
	"slices"

	"github.com/invopop/jsonschema"
	"gopkg.in/yaml.v3"
)

// Grouping says which merges share a pull request. The zero value groups by
// destination.
type Grouping struct {
	mode  string // one of the modes; "" is perDestination
	named []namedGroup
}

type namedGroup struct {
	name  string
	globs []string
}

// The modes of a Grouping that has no named groups.
const (
	perDestination = "destination"
	perMerge       = "merge"
	together       = "all"
)

// Name returns the name of the group of a merge. Merges with the same name
// share a pull request. A destination that no named group takes is its own
// group.
func (g Grouping) Name(dest, remote, ref string) string {
	switch g.mode {
	case perMerge:
		return dest + " " + remote + " " + ref
	case together:
		return together
	}
	for _, group := range g.named {
		if slices.ContainsFunc(group.globs, func(glob string) bool { return matches(glob, dest) }) {
			return group.name
		}
	}
	return dest
}

func matches(glob, dest string) bool {
	ok, err := path.Match(path.Clean(glob), path.Clean(dest))
	return ok && err == nil
}

// UnmarshalYAML decodes a node that the schema of a Grouping has accepted.
func (g *Grouping) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&g.mode)
	}
	for name, value := range entries(node) {
		group := namedGroup{name: name}
		if err := value.Decode(&group.globs); err != nil {
			return err
		}
		g.named = append(g.named, group)
	}
	return nil
}

func groupingSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Default: perDestination,
		OneOf: []*jsonschema.Schema{
			{Type: "string", Enum: []any{perDestination, perMerge, together}},
			{
				Type:          "object",
				MinProperties: new(uint64(1)),
				MaxProperties: new(uint64(100)),
				PropertyNames: &jsonschema.Schema{
					Type:    "string",
					Pattern: "^[a-z0-9][a-z0-9._-]{0,39}$",
					Not:     &jsonschema.Schema{Enum: []any{together}},
				},
				AdditionalProperties: &jsonschema.Schema{
					Type:        "array",
					Description: "Globs of destinations. The first group with one that matches takes the destination.",
					MinItems:    new(uint64(1)),
					MaxItems:    new(uint64(100)),
					Items: &jsonschema.Schema{
						Type:      "string",
						MinLength: new(uint64(1)),
						MaxLength: new(uint64(200)),
						Examples:  []any{"./oca/*"},
					},
				},
			},
		},
	}
}
