package config_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// verdict is what the parser and the schema say to a document.
type verdict int

const (
	valid verdict = iota
	invalid
	parserOnly // invalid, but by a rule that JSON Schema cannot express
)

type document struct {
	name string
	want verdict
	text string
}

func repoDocuments() []document {
	return []document{
		{"nothing set", valid, "{}"},
		{"all set", valid, "version: 1\nmerges: {enabled: false, schedule: 'CRON_TZ=Europe/Madrid 0 6 * * 1-5', jitter: 1h30m, group: merge, requireGreen: true, labels: [a, 'b c'], reviewers: [alice, b.o-b_1]}\npullRequests: {limit: 100}\ncommands: {enabled: false, allow: [alice]}\n"},
		{"who, in a word", valid, "commands: {allow: admin}"},
		{"no schedule", valid, "merges: {schedule: never, jitter: 0s}"},
		{"named groups", valid, "merges: {group: {oca: [./oca/*], '1': ['[a-c]?', '\\*']}}"},
		{"alias and merge key", valid, "merges: &m {labels: &l [a], reviewers: *l}\npullRequests: {<<: {limit: 3}}"},
		{"date as a label", valid, "merges: {labels: [2024-01-02]}"},
		{"fifty characters", valid, "merges: {labels: [" + strings.Repeat("é", 50) + "]}"},
		{"no labels", valid, "merges: {labels: [], reviewers: []}"},
		{"glob twice", valid, "merges: {group: {x: [a, a]}}"},
		{"group like a mode", valid, "merges: {group: {merge: [a]}}"},

		{"list", invalid, "[]"},
		{"text", invalid, "x"},
		{"other version", invalid, "version: 2"},
		{"version as text", invalid, "version: '1'"},
		{"unknown key", invalid, "merge: {}"},
		{"unknown key below", invalid, "merges: {enable: true}"},
		{"automerge of each kind that has it", valid, "merges: {automerge: true}\nbase: {automerge: false}\npython: {automerge: true}"},
		{"minimum ages", valid, "merges: {minimumAge: 72h}\nbase: {minimumAge: 48h}"},
		{"minimum age of the lock", invalid, "python: {minimumAge: 72h}"},
		{"only green images", invalid, "base: {requireGreen: true}"},
		{"long minimum age", parserOnly, "base: {minimumAge: 721h}"},
		{"automerge of Enterprise", invalid, "enterprise: {automerge: true}"},
		{"key of a later release", invalid, "merges: {autoclose: true}"},
		{"empty schedule", invalid, "merges: {schedule: ''}"},
		{"schedule of a number", invalid, "merges: {schedule: 4}"},
		{"long schedule", invalid, "merges: {schedule: '0 0 * * " + strings.Repeat("1,", 50) + "1'}"},
		{"no such day", parserOnly, "merges: {schedule: '0 0 30 2 *'}"},
		{"jitter without unit", invalid, "merges: {jitter: '3'}"},
		{"negative jitter", invalid, "merges: {jitter: -3m}"},
		{"long jitter", parserOnly, "merges: {jitter: 25h}"},
		{"jitter beyond 64 bits", parserOnly, "merges: {jitter: 99999999999999999h}"},
		{"nobody", invalid, "commands: {allow: []}"},
		{"user twice", invalid, "commands: {allow: [a, a]}"},
		{"readers", invalid, "commands: {allow: read}"},
		{"section without content", invalid, "merges:"},
		{"yes for true", invalid, "merges: {enabled: yes}"},
		{"number for true", invalid, "merges: {enabled: 1}"},
		{"limit 0", invalid, "pullRequests: {limit: 0}"},
		{"limit 101", invalid, "pullRequests: {limit: 101}"},
		{"limit 1.5", invalid, "pullRequests: {limit: 1.5}"},
		{"limit beyond 64 bits", invalid, "pullRequests: {limit: 99999999999999999999}"},
		{"limit as text", invalid, "pullRequests: {limit: '10'}"},
		{"limit in octal", parserOnly, "pullRequests: {limit: 010}"},
		{"unknown group", invalid, "merges: {group: destinations}"},
		{"group as a list", invalid, "merges: {group: [a]}"},
		{"no groups", invalid, "merges: {group: {}}"},
		{"group without globs", invalid, "merges: {group: {a: []}}"},
		{"group all", invalid, "merges: {group: {all: [a]}}"},
		{"group with a capital", invalid, "merges: {group: {Oca: [a]}}"},
		{"group name of 41", invalid, "merges: {group: {aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde: [a]}}"},
		{"glob as a number", invalid, "merges: {group: {a: [18.0]}}"},
		{"empty glob", invalid, "merges: {group: {a: ['']}}"},
		{"invalid glob", parserOnly, "merges: {group: {a: ['[']}}"},
		{"label as a text", invalid, "merges: {labels: a}"},
		{"empty label", invalid, "merges: {labels: ['']}"},
		{"label with a line end", invalid, "merges: {labels: [\"a\\nb\"]}"},
		{"label twice", invalid, "merges: {labels: [a, a]}"},
		{"label of a number", invalid, "merges: {labels: [18.0]}"},
		{"label of nothing", invalid, "merges: {labels: [~]}"},
		{"51 characters", invalid, "merges: {labels: [" + strings.Repeat("é", 51) + "]}"},
		{"21 labels", invalid, "merges: {labels: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u]}"},
		{"reviewer with @", invalid, "merges: {reviewers: ['@alice']}"},
	}
}

func serverDocuments() []document {
	forge := func(more string) string {
		return "forges: [{kind: gitea, url: 'https://h', tokenFile: t, repositories: [a/b]" + more + "}]\n"
	}
	return []document{
		{"least", valid, forge("")},
		{"all set", valid, "version: 1\n" + forge(", name: main") + "git: {credentialsFile: /c, allow: ['http://127.0.0.1:3000/', 'file:///srv/']}\nidentity: {name: 'a b [bot]', email: '1+a[bot]@b'}\n"},
		{"serving", valid, forge(", webhookSecretFile: w, discover: [{owner: acme}, {topic: odyssey}, {owner: a, topic: b}]") + "storeURLFile: s\nlisten: ':80'\nstatusListen: '[::1]:0'\nstatusHosts: [bot.example.com]\nworkers: 64\ndrain: 0s\nsweep: 1m\nkeep: 1h\n"},
		{"a store", valid, forge("") + "store: /var/lib/odyssey.db"},
		{"discovered", valid, "forges: [{kind: gitea, url: 'https://h', tokenFile: t, discover: [{topic: odyssey}]}]"},
		{"two forges", valid, "forges:\n- &f {kind: gitea, url: https://h/git, tokenFile: t, repositories: [a/b, a/c]}\n- {<<: *f, kind: forgejo, url: https://i}\n"},
		{"github, an App", valid, "forges: [{kind: github, appID: 1, privateKeyFile: k, repositories: [a/b]}]"},
		{"github, a token", valid, "forges: [{kind: github, url: 'https://h', apiURL: 'https://h/api', tokenFile: t, discover: [{owner: a}]}]"},

		{"no forges", invalid, "version: 1"},
		{"gitea without url and token", parserOnly, "forges: [{kind: gitea, repositories: [a/b]}]"},
		{"gitea with an App", parserOnly, forge(", appID: 1, privateKeyFile: k")},
		{"gitea with an API", parserOnly, forge(", apiURL: 'https://h/api'")},
		{"github without credentials", parserOnly, "forges: [{kind: github, repositories: [a/b]}]"},
		{"github, App and token", parserOnly, "forges: [{kind: github, appID: 1, privateKeyFile: k, tokenFile: t, repositories: [a/b]}]"},
		{"github, App without key", parserOnly, "forges: [{kind: github, appID: 1, repositories: [a/b]}]"},
		{"github, key without App", parserOnly, "forges: [{kind: github, privateKeyFile: k, repositories: [a/b]}]"},
		{"github, App 0", invalid, "forges: [{kind: github, appID: 0, privateKeyFile: k, repositories: [a/b]}]"},
		{"github, App in quotes", invalid, "forges: [{kind: github, appID: '1', privateKeyFile: k, repositories: [a/b]}]"},
		{"github at its API", parserOnly, "forges: [{kind: github, url: 'https://api.github.com', tokenFile: t, repositories: [a/b]}]"},
		{"github, API with password", parserOnly, "forges: [{kind: github, apiURL: 'https://u:p@h', tokenFile: t, repositories: [a/b]}]"},
		{"github twice", parserOnly, "forges: [{kind: github, tokenFile: t, repositories: [a/b]}, {name: b, kind: github, url: 'https://github.com/', tokenFile: t, repositories: [a/B]}]"},
		{"empty forges", invalid, "forges: []"},
		{"unknown kind", invalid, "forges: [{kind: gitlab, url: 'https://h', tokenFile: t, repositories: [a/b]}]"},
		{"no kind", invalid, "forges: [{url: 'https://h', tokenFile: t, repositories: [a/b]}]"},
		{"token in the file", invalid, forge(", token: abc")},
		{"empty name", invalid, forge(", name: ''")},
		{"no repositories", valid, "forges: [{kind: gitea, url: 'https://h', tokenFile: t, repositories: []}]"},
		{"nothing watched", parserOnly, "forges: [{kind: gitea, url: 'https://h', tokenFile: t}]"},
		{"nothing to discover", invalid, forge(", discover: []")},
		{"everything to discover", parserOnly, forge(", discover: [{}]")},
		{"discover like a path", invalid, forge(", discover: [{owner: a/b}]")},
		{"topic with a capital", invalid, forge(", discover: [{topic: Odyssey}]")},
		{"secret in the file", invalid, forge(", webhookSecret: abc")},
		{"two stores", parserOnly, forge("") + "store: a.db\nstoreURLFile: b\n"},
		{"url as a store", parserOnly, forge("") + "store: postgres://u:p@h/d\n"},
		{"listen on nothing", invalid, forge("") + "listen: ''"},
		{"listen on a name", parserOnly, forge("") + "listen: localhost"},
		{"listen on a service", parserOnly, forge("") + "listen: ':http'"},
		{"listen beyond", parserOnly, forge("") + "listen: ':65536'"},
		{"listen on a number", invalid, forge("") + "listen: 8080"},
		{"one listener", parserOnly, forge("") + "statusListen: ':8080'"},
		{"status host with a port", invalid, forge("") + "statusHosts: ['bot.example.com:8081']"},
		{"no workers", invalid, forge("") + "workers: 0"},
		{"sweep at once", parserOnly, forge("") + "sweep: 59s"},
		{"keep in days", invalid, forge("") + "keep: 14d"},
		{"drain for ever", parserOnly, forge("") + "drain: 61m"},
		{"repository without owner", invalid, "forges: [{kind: gitea, url: 'https://h', tokenFile: t, repositories: [b]}]"},
		{"repository like a path", invalid, "forges: [{kind: gitea, url: 'https://h', tokenFile: t, repositories: [../b]}]"},
		{"repository twice", invalid, "forges: [{kind: gitea, url: 'https://h', tokenFile: t, repositories: [a/b, a/b]}]"},
		{"repository twice but for case", parserOnly, "forges: [{kind: gitea, url: 'https://h', tokenFile: t, repositories: [a/b, A/b]}]"},
		{"repository twice, by two forges", parserOnly, "forges: [{kind: gitea, url: 'https://h', tokenFile: t, repositories: [a/b]}, {kind: forgejo, url: 'https://h/', tokenFile: t, repositories: [a/b]}]"},
		{"two forges of a name", parserOnly, "forges: [{kind: gitea, url: 'https://h', tokenFile: t, repositories: [a/b]}, {kind: gitea, url: 'https://i', tokenFile: t, repositories: [a/b]}]"},
		{"url without scheme", parserOnly, "forges: [{kind: gitea, url: h, tokenFile: t, repositories: [a/b]}]"},
		{"url with password", parserOnly, "forges: [{kind: gitea, url: 'https://u:p@h', tokenFile: t, repositories: [a/b]}]"},
		{"url with query", parserOnly, "forges: [{kind: gitea, url: 'https://h/?', tokenFile: t, repositories: [a/b]}]"},
		{"allow without scheme", parserOnly, forge("") + "git: {allow: [127.0.0.1]}"},
		{"allow as text", invalid, forge("") + "git: {allow: http://127.0.0.1/}"},
		{"mail address without @", invalid, forge("") + "identity: {email: a}"},
		{"name with <", invalid, forge("") + "identity: {name: 'a <b'}"},
	}
}

func TestSchemaAgreesWithParser(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name      string
		schema    func() ([]byte, error)
		parse     func([]byte) error
		documents []document
	}{
		{"repo", config.RepoSchema, parseRepo, repoDocuments()},
		{"server", config.ServerSchema, parseServer, serverDocuments()},
	} {
		schema := compile(t, kind.schema)
		for _, d := range kind.documents {
			t.Run(kind.name+"/"+d.name, func(t *testing.T) {
				t.Parallel()
				if err := kind.parse([]byte(d.text)); (err == nil) != (d.want == valid) {
					t.Errorf("parser: %v", err)
				}
				if err := schema.Validate(plain(t, d.text)); (err != nil) != (d.want == invalid) {
					t.Errorf("schema: %v", err)
				}
			})
		}
	}
}

func parseRepo(data []byte) error {
	_, err := config.ParseRepo("f.yaml", data)
	return err
}

func parseServer(data []byte) error {
	_, err := config.ParseServer("f.yaml", data)
	return err
}

// compile also checks a schema against the schema of schemas.
func compile(t testing.TB, schema func() ([]byte, error)) *jsonschema.Schema {
	t.Helper()
	data, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// plain returns the document as JSON has it.
func plain(t testing.TB, text string) any {
	t.Helper()
	doc, err := yamldoc.Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return plainNode(t, doc.Root)
}

func plainNode(t testing.TB, node *yaml.Node) any {
	t.Helper()
	switch node.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			out[node.Content[i].Value] = plainNode(t, node.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, item := range node.Content {
			out = append(out, plainNode(t, item))
		}
		return out
	}
	var v any
	if err := node.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if _, ok := v.(time.Time); ok {
		return node.Value
	}
	return v
}
