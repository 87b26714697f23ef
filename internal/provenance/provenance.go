// Package provenance writes what an image was made from, and by whom, as an in-toto statement with SLSA's
// provenance of version 1, and reads such. docs/provenance.md says what its fields
// mean. The same build gives the same bytes: they have no time.
package provenance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Types that a statement names. The library of in-toto has structures for them too, but what it
// writes differs from run to run by intention (protojson), and an image's statement must not.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://slsa.dev/provenance/v1"

	docs = "https://github.com/nuobit/odyssey/blob/main/docs/provenance.md"
	// BuildPack and BuildJoin are what was done: an image packed, images joined.
	BuildPack = docs + "#pack-v1"
	BuildJoin = docs + "#join-v1"
	// UnknownBuilder stands where nobody says who builds.
	UnknownBuilder = docs + "#unknown-builder"
)

// Statement says what is true of its subjects.
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     Predicate  `json:"predicate"`
}

// Resource is something with a digest.
type Resource struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"` // by algorithm, such as sha256 or gitCommit; in hexadecimal
}

// Predicate is SLSA's provenance.
type Predicate struct {
	Build Build `json:"buildDefinition"`
	Run   Run   `json:"runDetails"`
}

// Build is what was asked for.
type Build struct {
	Type     string         `json:"buildType"`
	External map[string]any `json:"externalParameters"`
	Internal map[string]any `json:"internalParameters,omitempty"`
	Resolved []Resource     `json:"resolvedDependencies"`
}

// Run is who did it.
type Run struct {
	Builder  Builder   `json:"builder"`
	Metadata *Metadata `json:"metadata,omitempty"`
}

// Builder is whoever must be trusted for the statement to be true.
type Builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// Metadata is of one run.
type Metadata struct {
	InvocationID string `json:"invocationId,omitempty"`
}

// By says who builds.
type By struct {
	Builder string // a URI; "" when nobody says
	Run     string // a URI of the run; "" when nobody says
	Version string // of the program
}

// Check refuses what is no URI, or holds a credential.
func (b By) Check() error {
	for what, text := range map[string]string{"builder": b.Builder, "run": b.Run} {
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "" || u.User != nil || len(text) > 1000 {
			return fmt.Errorf("the %s is no URI without credentials; write such as https://github.com/acme/odoo-image/…", what)
		}
	}
	return nil
}

// Make writes the statement. mark is a digest of what it says, whichever run and version of the program
// says so.
func Make(subject []Resource, build Build, by By) (data []byte, mark string, err error) {
	s := Statement{Type: StatementType, Subject: subject, PredicateType: PredicateType, Predicate: Predicate{Build: build, Run: Run{Builder: Builder{ID: by.Builder}}}}
	if by.Builder == "" {
		s.Predicate.Run.Builder.ID = UnknownBuilder
	}
	if data, err = encode(s); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(data)
	if by.Version != "" {
		s.Predicate.Run.Builder.Version = map[string]string{"odyssey": by.Version}
	}
	if by.Run != "" {
		s.Predicate.Run.Metadata = &Metadata{InvocationID: by.Run}
	}
	data, err = encode(s)
	return data, hex.EncodeToString(sum[:]), err
}

func encode(s Statement) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(s)
	return b.Bytes(), err
}

// Parse reads a statement with SLSA's provenance. The caller bounds its size.
func Parse(data []byte) (*Statement, error) {
	var s Statement
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("read a statement: %w", err)
	}
	if s.Type != StatementType || s.PredicateType != PredicateType {
		return nil, fmt.Errorf("this is no provenance of SLSA 1: it says %.100q of type %.100q", s.PredicateType, s.Type)
	}
	return &s, nil
}

// SHA256 is a digest as statements have it, of "sha256:…" or the hexadecimal digits alone.
func SHA256(digest string) map[string]string {
	return map[string]string{"sha256": strings.TrimPrefix(digest, "sha256:")}
}
