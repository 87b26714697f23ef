package provenance

import (
	"bytes"
	"strings"
	"testing"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

func example() ([]Resource, Build) {
	return []Resource{{Name: "acme/odoo", Digest: SHA256("sha256:" + strings.Repeat("a", 64))}}, Build{
		Type: BuildPack, External: map[string]any{"base": Resource{Name: "base", Digest: SHA256(strings.Repeat("b", 64))}, "languages": []string{"ca"}, "sourceDateEpoch": 0},
		Internal: map[string]any{"format": "2"},
		Resolved: []Resource{{Name: "./odoo", URI: "git+https://github.com/odoo/odoo.git", Digest: map[string]string{"gitCommit": strings.Repeat("1", 40)}}},
	}
}

// TestMake: in-toto's own library reads the statement and finds nothing wrong with it; who says so, and when it was
// said again, does not change what is said.
func TestMake(t *testing.T) {
	t.Parallel()
	subject, build := example()
	for _, by := range []By{{}, {Builder: "https://github.com/acme/odoo-image/.github/workflows/release.yml@refs/heads/18.0", Run: "https://github.com/acme/odoo-image/actions/runs/7", Version: "1.2.3"}} {
		data, mark, err := Make(subject, build, by)
		if err != nil {
			t.Fatal(err)
		}
		var statement intoto.Statement
		if err := protojson.Unmarshal(data, &statement); err != nil {
			t.Fatal(err)
		}
		if err := statement.Validate(); err != nil {
			t.Errorf("in-toto: %v", err)
		}
		predicate, err := protojson.Marshal(statement.GetPredicate())
		if err != nil {
			t.Fatal(err)
		}
		var p slsa.Provenance
		if err := protojson.Unmarshal(predicate, &p); err != nil {
			t.Fatal(err)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("SLSA: %v", err)
		}
		if want := by.Builder; want != "" && p.GetRunDetails().GetBuilder().GetId() != want || want == "" && p.GetRunDetails().GetBuilder().GetId() != UnknownBuilder {
			t.Errorf("the builder is %q", p.GetRunDetails().GetBuilder().GetId())
		}
		again := by
		again.Run, again.Version = "https://github.com/acme/odoo-image/actions/runs/8", "1.2.4"
		other, same, err := Make(subject, build, again)
		if err != nil || same != mark || bytes.Equal(other, data) {
			t.Errorf("another run of the same builder has the mark %s, the first %s, %v", same, mark, err)
		}
		again.Builder = "https://other.example.com"
		if _, other, err := Make(subject, build, again); err != nil || other == mark {
			t.Errorf("another builder has the same mark, %v", err)
		}
		read, err := Parse(data)
		if err != nil || read.Predicate.Build.Resolved[0].Name != "./odoo" {
			t.Errorf("read %+v, %v", read, err)
		}
	}
}

// TestCheck refuses what is no URI, and a password in one, which is not repeated.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"workflow", "https://ann:hunter2@example.com/x", "://", "https://" + strings.Repeat("x", 1000), "https://a b/\n%"} {
		err := By{Builder: bad}.Check()
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
		if (By{Run: bad}).Check() == nil {
			t.Errorf("%q is a run", bad)
		}
	}
	if err := (By{Builder: "https://github.com/acme/x/.github/workflows/release.yml@refs/heads/18.0"}).Check(); err != nil {
		t.Error(err)
	}
}

// FuzzParse: whatever hangs on an image is read, or refused with an error.
func FuzzParse(f *testing.F) {
	subject, build := example()
	data, _, err := Make(subject, build, By{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Parse(data); err == nil && s.PredicateType != PredicateType {
			t.Errorf("%+v", s)
		}
	})
}
