package config

import (
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
	"gopkg.in/yaml.v3"
)

// Who says whose commands are obeyed. The zero value is who may write.
type Who struct {
	admins bool
	logins []string
}

const (
	whoWrites      = "write"
	whoAdministers = "admin"
)

// May reports whether the command of a user is obeyed who has, at this moment,
// these permissions on the repository. Nobody's is without write permission.
func (w Who) May(login string, write, admin bool) bool {
	switch {
	case !write && !admin:
		return false
	case w.admins:
		return admin
	case len(w.logins) > 0:
		return slices.ContainsFunc(w.logins, func(known string) bool { return strings.EqualFold(known, login) })
	}
	return true
}

// String says it in words that fit after "only".
func (w Who) String() string {
	switch {
	case w.admins:
		return "who may administer the repository"
	case len(w.logins) > 0:
		return strings.Join(w.logins, ", ") + ", with write permission,"
	}
	return "who may write to the repository"
}

// UnmarshalYAML decodes a node that the schema of a Who has accepted.
func (w *Who) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		w.admins, w.logins = node.Value == whoAdministers, nil
		return nil
	}
	w.admins, w.logins = false, nil
	return node.Decode(&w.logins)
}

func whoSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Default: whoWrites,
		OneOf: []*jsonschema.Schema{
			{Type: "string", Enum: []any{whoWrites, whoAdministers}},
			{
				Type:        "array",
				Description: "Login names. Write permission is needed all the same.",
				MinItems:    new(uint64(1)),
				MaxItems:    new(uint64(100)),
				UniqueItems: true,
				Items: &jsonschema.Schema{
					Type:      "string",
					MinLength: new(uint64(1)),
					MaxLength: new(uint64(40)),
					Pattern:   "^[A-Za-z0-9._-]+$",
					Examples:  []any{"alice"},
				},
			},
		},
	}
}
