package githubtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/nuobit/odyssey/test/setup"
)

// description is GitHub's own description of its API, cut down to the
// operations that the fake serves.
type description struct {
	router   routers.Router
	examples map[string]any              // of responses, by name
	payloads map[string]*openapi3.Schema // of webhooks: "webhook-issues-opened"
	graph    *ast.Schema
}

// Dir is where the description and what belongs to it are.
func Dir() (string, error) { return setup.Part("octokit", "octokit") }

// describe reads the description, once for each test binary.
var describe = sync.OnceValues(func() (*description, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "openapi.json"))
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	d := &description{examples: map[string]any{}, payloads: map[string]*openapi3.Schema{}}
	for name, example := range at(doc, "components", "examples") {
		d.examples[name] = at(example)["value"]
	}
	if err := cutDown(doc); err != nil {
		return nil, err
	}
	loaded, err := load(doc)
	if err != nil {
		return nil, fmt.Errorf("load GitHub's description: %w", err)
	}
	if d.router, err = gorillamux.NewRouter(loaded); err != nil {
		return nil, err
	}
	for name, schema := range loaded.Components.Schemas {
		if strings.HasPrefix(name, "webhook-") {
			d.payloads[name] = schema.Value
		}
	}
	schema, err := os.ReadFile(filepath.Join(dir, "graphql-schema.graphql"))
	if err != nil {
		return nil, err
	}
	d.graph, err = loadGraph(string(schema))
	return d, err
})

// loadGraph reads GitHub's schema. GitHub names a field twice there.
func loadGraph(text string) (*ast.Schema, error) {
	doc, err := parser.ParseSchemas(validator.Prelude, &ast.Source{Name: "schema.graphql", Input: text})
	if err != nil {
		return nil, err
	}
	for _, definition := range doc.Definitions {
		seen := map[string]bool{}
		definition.Fields = slices.DeleteFunc(definition.Fields, func(f *ast.FieldDefinition) bool {
			again := seen[f.Name]
			seen[f.Name] = true
			return again
		})
	}
	return validator.ValidateSchemaDocument(doc)
}

// at follows keys into JSON's objects. What is no object is an empty one.
func at(value any, keys ...string) map[string]any {
	object, _ := value.(map[string]any)
	for _, key := range keys {
		object, _ = object[key].(map[string]any)
	}
	return object
}

// load reads a description so that a router of it answers on every host, and
// lets those parameters have several segments that the description says so of.
func load(doc map[string]any) (*openapi3.T, error) {
	delete(doc, "servers")
	paths := map[string]any{}
	for path, item := range at(doc, "paths") {
		for _, name := range severalSegments(doc, item) {
			path = strings.ReplaceAll(path, "{"+name+"}", "{"+name+":.+}")
		}
		paths[path] = item
	}
	doc["paths"] = paths
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromData(text)
}

func severalSegments(doc map[string]any, item any) (names []string) {
	for _, operation := range at(item) {
		parameters, _ := at(operation)["parameters"].([]any)
		for _, p := range parameters {
			p := resolve(doc, p)
			if p["x-multi-segment"] == true {
				name, _ := p["name"].(string)
				names = append(names, name)
			}
		}
	}
	return names
}

// resolve follows a reference.
func resolve(doc map[string]any, value any) map[string]any {
	object := at(value)
	for {
		ref, ok := object["$ref"].(string)
		if !ok {
			return object
		}
		object = at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
}

// cutDown leaves the operations that the fake serves and what they refer to.
// It fails when the fake serves what GitHub does not describe.
func cutDown(doc map[string]any) error {
	kept, all := map[string]any{}, at(doc, "paths")
	var unknown []error
	for operation := range operations() {
		method, path, _ := strings.Cut(operation, " ")
		described, ok := at(all, path)[strings.ToLower(method)]
		if !ok {
			unknown = append(unknown, fmt.Errorf("GitHub describes no %s", operation))
			continue
		}
		if kept[path] == nil {
			kept[path] = map[string]any{}
		}
		at(kept, path)[strings.ToLower(method)] = described
	}
	doc["paths"] = kept
	used := map[string]map[string]any{}
	collect(doc, kept, used)
	for _, name := range payloads() {
		collect(doc, map[string]any{"$ref": "#/components/schemas/webhook-" + name}, used)
	}
	components := map[string]any{}
	for kind, some := range used {
		components[kind] = some
	}
	doc["components"] = components
	delete(doc, "webhooks")
	delete(doc, "x-webhooks")
	return errors.Join(unknown...)
}

// collect finds the components that a value refers to.
func collect(doc map[string]any, value any, used map[string]map[string]any) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			collect(doc, v, used)
		}
	case map[string]any:
		delete(value, "examples") // of which some break the rules that they illustrate
		if ref, ok := value["$ref"].(string); ok {
			parts := strings.Split(ref, "/")
			kind, name := parts[2], parts[3]
			if used[kind] == nil {
				used[kind] = map[string]any{}
			}
			if _, seen := used[kind][name]; !seen {
				component := at(doc, "components", kind)[name]
				used[kind][name] = component
				collect(doc, component, used)
			}
		}
		for key, v := range value {
			if key != "$ref" {
				collect(doc, v, used)
			}
		}
	}
}

// payloads are the webhooks that the fake sends, as the description calls them.
func payloads() []string {
	return []string{
		"push", "pull-request-opened", "pull-request-closed", "pull-request-reopened", "pull-request-synchronize",
		"issues-opened", "issues-closed", "issues-reopened",
		"issue-comment-created", "issue-comment-edited", "issue-comment-deleted",
		"check-run-rerequested", "check-suite-rerequested", "repository-renamed", "repository-transferred",
	}
}
