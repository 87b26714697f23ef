package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/invopop/jsonschema"
)

// Where the schemas are published; also the $id of each.
const (
	repoSchemaID   = "https://raw.githubusercontent.com/nuobit/odyssey/main/docs/reference/odyssey.schema.json"
	serverSchemaID = "https://raw.githubusercontent.com/nuobit/odyssey/main/docs/reference/odyssey-server.schema.json"
)

// RepoSchema returns the JSON Schema (draft 2020-12) of .odyssey.yaml,
// indented, with a newline at its end.
func RepoSchema() ([]byte, error) { return render(repoSchema()) }

// ServerSchema returns the JSON Schema (draft 2020-12) of odyssey.yaml,
// indented, with a newline at its end.
func ServerSchema() ([]byte, error) { return render(serverSchema()) }

func repoSchema() *jsonschema.Schema {
	s := schemaOf(Repo{}, repoSchemaID, ".odyssey.yaml", "What the Odyssey bot may do in this repository.")
	byDefault := DefaultRepo()
	for i, kind := range byDefault.Kinds() {
		node, _ := s.Properties.Get(kind.Name)
		for key, value := range map[string]any{"enabled": kind.Enabled, "schedule": kind.Schedule.String(), "jitter": short(kind.Jitter)} {
			property, _ := node.Properties.Get(key)
			property.Default = value
			if i > 0 && key != "enabled" {
				property.Description = "As that of " + byDefault.Kinds()[0].Name + "."
			}
		}
		enabled, _ := node.Properties.Get("enabled")
		enabled.Description = "Whether the bot refreshes " + kind.what + "."
	}
	return s
}

func serverSchema() *jsonschema.Schema {
	return schemaOf(Server{}, serverSchemaID, "odyssey.yaml", "Configuration of the Odyssey bot.")
}

func schemaOf(v any, id, title, description string) *jsonschema.Schema {
	reflector := jsonschema.Reflector{
		Anonymous:                  true,
		DoNotReference:             true,
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			switch t {
			case reflect.TypeFor[Grouping]():
				return groupingSchema()
			case reflect.TypeFor[Schedule]():
				return scheduleSchema()
			case reflect.TypeFor[time.Duration]():
				return durationSchema()
			case reflect.TypeFor[Who]():
				return whoSchema()
			}
			return nil
		},
	}
	s := reflector.Reflect(v)
	s.ID, s.Title, s.Description = jsonschema.ID(id), title, description
	return s
}

func render(s *jsonschema.Schema) ([]byte, error) {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render schema %s: %w", s.ID, err)
	}
	return append(data, '\n'), nil
}
