package config

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/invopop/jsonschema"
)

// exampleWidth is where the comments of an example are wrapped, in characters.
const exampleWidth = 100

// Example returns an .odyssey.yaml that says what holds without one: every
// setting with its default, below a comment that tells what it does. It is made
// from the schema.
func Example() ([]byte, error) {
	var b strings.Builder
	b.WriteString("# What the Odyssey bot may do in this repository. It reads this file from the default branch only.\n" +
		"# Each setting has its default here, so a line that is taken out changes nothing.\n")
	if err := exemplify(&b, repoSchema(), "", map[string]bool{}); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// exemplify writes the properties of an object. What was told of a setting
// before is not told again of one with the same name.
func exemplify(b *strings.Builder, object *jsonschema.Schema, indent string, told map[string]bool) error {
	for p := object.Properties.Oldest(); p != nil; p = p.Next() {
		if indent == "" && p.Value.Type == "object" {
			b.WriteByte('\n')
		}
		if about := p.Key + ": " + p.Value.Description; !told[about] {
			for _, line := range wrap(p.Value.Description, exampleWidth-len(indent)-2) {
				b.WriteString(indent + "# " + line + "\n")
			}
			told[about] = true
		}
		if p.Value.Type == "object" && p.Value.Properties.Len() > 0 {
			b.WriteString(indent + p.Key + ":\n")
			if err := exemplify(b, p.Value, indent+"  ", told); err != nil {
				return err
			}
			continue
		}
		value, err := exampleValue(p.Value)
		if err != nil {
			return fmt.Errorf("default of %s: %w", p.Key, err)
		}
		b.WriteString(indent + p.Key + ": " + value + "\n")
	}
	return nil
}

// exampleValue writes a default, in YAML's flow style.
func exampleValue(s *jsonschema.Schema) (string, error) {
	switch value := s.Default.(type) {
	case nil:
		if s.Type == "array" {
			return "[]", nil
		}
		return "", fmt.Errorf("a %q has none", s.Type)
	case string:
		if strings.Trim(value, "abcdefghijklmnopqrstuvwxyz0123456789") == "" {
			return value, nil
		}
		data, err := json.Marshal(value) // YAML reads what JSON writes
		return string(data), err
	default:
		data, err := json.Marshal(value)
		return string(data), err
	}
}

// wrap breaks text at blanks into lines of so many characters.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
