package config_test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
)

var update = flag.Bool("update", false, "write the schemas into docs/reference instead of comparing")

func TestSchemaFiles(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]func() ([]byte, error){
		"odyssey.schema.json":        config.RepoSchema,
		"odyssey-server.schema.json": config.ServerSchema,
	} {
		path := filepath.Join("..", "..", "docs", "reference", name)
		want, err := schema()
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is out of date; run: go test ./internal/config -run TestSchemaFiles -update\n(-want +got):\n%s", path, diff)
		}
	}
}

// TestSchemaDefaults: a document that writes out the schema's defaults means
// the same as one that does not.
func TestSchemaDefaults(t *testing.T) {
	t.Parallel()
	compare := func(implicit, explicit any, implicitErr, explicitErr error) {
		t.Helper()
		if implicitErr != nil || explicitErr != nil {
			t.Fatal(implicitErr, explicitErr)
		}
		if diff := cmp.Diff(implicit, explicit, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("(-implicit +explicit):\n%s", diff)
		}
	}
	implicit, implicitErr := config.ParseRepo("f.yaml", nil)
	explicit, explicitErr := config.ParseRepo("f.yaml", marshal(t, defaults(t, config.RepoSchema)))
	compare(implicit, explicit, implicitErr, explicitErr)

	least := map[string]any{"forges": []any{map[string]any{"kind": "gitea", "url": "https://h", "tokenFile": "t", "repositories": []string{"a/b"}}}}
	all := defaults(t, config.ServerSchema)
	maps.Copy(all, least)
	server, implicitErr := config.ParseServer("f.yaml", marshal(t, least))
	explicitServer, explicitErr := config.ParseServer("f.yaml", marshal(t, all))
	compare(server, explicitServer, implicitErr, explicitErr)
}

// defaults returns the document that a schema's defaults make.
func defaults(t *testing.T, schema func() ([]byte, error)) map[string]any {
	t.Helper()
	var collect func(data []byte) any
	collect = func(data []byte) any {
		var o struct {
			Default    any
			Properties map[string]json.RawMessage
		}
		if err := json.Unmarshal(data, &o); err != nil {
			t.Fatal(err)
		}
		if o.Properties == nil {
			return o.Default
		}
		out := map[string]any{}
		for key, property := range o.Properties {
			if v := collect(property); v != nil {
				out[key] = v
			}
		}
		return out
	}
	data, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	collected, ok := collect(data).(map[string]any)
	if !ok {
		t.Fatalf("the schema is no object: %s", data)
	}
	return collected
}

// marshal returns JSON, which is YAML too.
func marshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
