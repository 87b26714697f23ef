package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/invopop/jsonschema"
	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/near"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// maxFaults is how many faults of a file are worth reporting.
const maxFaults = 50

// checker collects the faults of a document. It knows the keywords of JSON
// Schema that the schemas here use.
type checker struct {
	doc    *yamldoc.Document
	faults []*yamldoc.Error
	faulty map[*yaml.Node]bool
}

func newChecker(doc *yamldoc.Document) *checker {
	return &checker{doc: doc, faulty: map[*yaml.Node]bool{}}
}

// fault records a fault of the node at path and returns it, for a hint. A
// node's second fault is not recorded: it follows from the first.
func (c *checker) fault(node *yaml.Node, path, format string, args ...any) *yamldoc.Error {
	err := c.doc.Errorf(node, format, args...)
	if path != "" {
		err.Msg = path + ": " + err.Msg
	}
	if !c.faulty[node] {
		c.faults = append(c.faults, err)
	}
	c.faulty[node] = true
	return err
}

// err joins the faults in the order of their lines.
func (c *checker) err() error {
	slices.SortStableFunc(c.faults, func(a, b *yamldoc.Error) int { return a.Line - b.Line })
	var errs []error
	for _, fault := range c.faults[:min(len(c.faults), maxFaults)] {
		errs = append(errs, fault)
	}
	if more := len(c.faults) - maxFaults; more > 0 {
		errs = append(errs, &yamldoc.Error{Path: c.doc.Path, Msg: fmt.Sprintf("has %d more faults", more)})
	}
	return errors.Join(errs...)
}

func (c *checker) check(node *yaml.Node, path string, s *jsonschema.Schema) {
	alternatives := s.OneOf
	if len(alternatives) == 0 {
		alternatives = []*jsonschema.Schema{s}
	}
	i := slices.IndexFunc(alternatives, func(a *jsonschema.Schema) bool { return a.Type == typeOf(node) })
	if i < 0 {
		c.unexpected(node, path, s)
		return
	}
	switch s := alternatives[i]; s.Type {
	case "object":
		c.object(node, path, s)
	case "array":
		c.array(node, path, s)
	case "string":
		c.text(node, path, s)
	case "integer":
		c.integer(node, path, s)
	}
}

func (c *checker) unexpected(node *yaml.Node, path string, s *jsonschema.Schema) {
	fault := c.fault(node, path, "expected %s, not %s", wanted(s), shown(node))
	fault.Hint = example(s)
	if names := near.Names(node.Value, enum(s)); len(names) > 0 {
		fault.Hint = didYouMean(names)
	}
}

func (c *checker) object(node *yaml.Node, path string, s *jsonschema.Schema) {
	if s.AdditionalProperties != jsonschema.FalseSchema {
		c.named(node, path, s)
		return
	}
	var known []string
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		known = append(known, p.Key)
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if property, ok := s.Properties.Get(key.Value); ok {
			c.check(value, join(path, key.Value), property)
			continue
		}
		if fault := c.fault(key, path, "unknown key %q", key.Value); len(c.faults) <= maxFaults {
			fault.Hint = meant(key.Value, known)
		}
	}
	absent := slices.DeleteFunc(slices.Clone(s.Required), func(key string) bool { return child(node, key) != nil })
	if len(absent) > 0 {
		c.fault(node, path, "lacks %s", strings.Join(absent, ", "))
	}
}

// named checks a mapping whose keys the user chooses.
func (c *checker) named(node *yaml.Node, path string, s *jsonschema.Schema) {
	n := uint64(len(node.Content) / 2)
	if n < *s.MinProperties || n > *s.MaxProperties {
		c.fault(node, path, "expected %d to %d entries, not %d", *s.MinProperties, *s.MaxProperties, n)
		return
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		c.text(key, path, s.PropertyNames)
		c.check(value, join(path, key.Value), s.AdditionalProperties)
	}
}

func (c *checker) array(node *yaml.Node, path string, s *jsonschema.Schema) {
	n := uint64(len(node.Content))
	if s.MinItems != nil && n < *s.MinItems {
		c.fault(node, path, "expected at least %d, not %d", *s.MinItems, n)
	}
	if s.MaxItems != nil && n > *s.MaxItems {
		c.fault(node, path, "expected at most %d, not %d", *s.MaxItems, n)
		return
	}
	first := map[string]int{}
	for i, item := range node.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.check(item, at, s.Items)
		text, ok := textOf(item)
		if line, twice := first[text]; ok && twice && s.UniqueItems {
			c.fault(item, at, "%q stands here again, first at line %d", text, line)
		} else if ok {
			first[text] = item.Line
		}
	}
}

func (c *checker) text(node *yaml.Node, path string, s *jsonschema.Schema) {
	length := uint64(utf8.RuneCountInString(node.Value)) //nolint:gosec // a count is not negative
	switch {
	case s.Enum != nil && !slices.Contains(enum(s), node.Value):
		c.unexpected(node, path, s)
	case s.MinLength != nil && length < *s.MinLength:
		c.fault(node, path, "must not be empty").Hint = example(s)
	case s.MaxLength != nil && length > *s.MaxLength:
		c.fault(node, path, "%q is longer than %d characters", node.Value, *s.MaxLength)
	case s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(node.Value):
		c.fault(node, path, "%q does not match %s", node.Value, s.Pattern).Hint = example(s)
	case s.Not != nil && slices.Contains(enum(s.Not), node.Value):
		c.fault(node, path, "the name %q is taken; choose another", node.Value)
	}
}

// integer takes decimal digits alone: 010 is 8 in YAML 1.1 and 10 in 1.2.
func (c *checker) integer(node *yaml.Node, path string, s *jsonschema.Schema) {
	n, err := strconv.ParseInt(node.Value, 10, 64)
	low, lowErr := s.Minimum.Int64()
	high, highErr := s.Maximum.Int64()
	inEnum := s.Enum == nil || slices.Contains(enum(s), node.Value)
	if err != nil || strconv.FormatInt(n, 10) != node.Value || !inEnum ||
		lowErr == nil && n < low || highErr == nil && n > high {
		c.unexpected(node, path, s)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// meant is the hint for a key that is none of known.
func meant(key string, known []string) string {
	if names := near.Names(key, known); len(names) > 0 {
		return didYouMean(names)
	}
	return "the keys here are: " + strings.Join(known, ", ")
}

func didYouMean(names []string) string { return "did you mean " + strings.Join(names, " or ") + "?" }

// wanted says in words what a schema takes.
func wanted(s *jsonschema.Schema) string {
	var words []string
	switch {
	case s.OneOf != nil:
		for _, alternative := range s.OneOf {
			words = append(words, wanted(alternative))
		}
	case s.Enum != nil:
		words = enum(s)
	case s.Type == "object":
		return "a mapping"
	case s.Type == "array":
		return "a list"
	case s.Type == "boolean":
		return "true or false"
	case s.Type == "integer":
		return fmt.Sprintf("a whole number from %s to %s", s.Minimum, s.Maximum)
	default:
		return "text"
	}
	return strings.Join(words, " or ")
}

func enum(s *jsonschema.Schema) []string {
	var words []string
	for _, v := range s.Enum {
		words = append(words, fmt.Sprint(v))
	}
	return words
}

func example(s *jsonschema.Schema) string {
	if len(s.Examples) == 0 {
		return ""
	}
	return fmt.Sprintf("for example: %v", s.Examples[0])
}
