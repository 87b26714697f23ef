package config

import (
	"fmt"
	"iter"

	"gopkg.in/yaml.v3"
)

// The functions below take any node, nil too, and find nothing in one of the
// wrong kind: that is a fault which the schema reports.

// child returns the value of key in a mapping, or nil.
func child(node *yaml.Node, key string) *yaml.Node {
	for name, value := range entries(node) {
		if name == key {
			return value
		}
	}
	return nil
}

// entries yields the keys and values of a mapping in the file's order.
func entries(node *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, node.Content[i+1]) {
				return
			}
		}
	}
}

func items(node *yaml.Node) []*yaml.Node {
	if node == nil || node.Kind != yaml.SequenceNode {
		return nil
	}
	return node.Content
}

func textOf(node *yaml.Node) (text string, ok bool) {
	if node == nil || typeOf(node) != "string" {
		return "", false
	}
	return node.Value, true
}

// typeOf returns JSON Schema's name of the node's type. A plain date is text,
// as YAML 1.2 has it.
func typeOf(node *yaml.Node) string {
	switch node.ShortTag() {
	case "!!map":
		return "object"
	case "!!seq":
		return "array"
	case "!!int":
		return "integer"
	case "!!float":
		return "number"
	case "!!bool":
		return "boolean"
	case "!!null":
		return "null"
	}
	return "string"
}

// shown is how a message quotes a node.
func shown(node *yaml.Node) string {
	switch typeOf(node) {
	case "object":
		return "a mapping"
	case "array":
		return "a list"
	case "null":
		return "nothing"
	case "string":
		return fmt.Sprintf("%q", node.Value)
	}
	return node.Value
}
