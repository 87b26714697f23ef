package pep508

import (
	"fmt"
	"strings"
)

// Environment holds what markers ask for: python_version,
// python_full_version, os_name, sys_platform, platform_release,
// platform_system, platform_version, platform_machine,
// platform_python_implementation, implementation_name,
// implementation_version, extra. Without extra, it is "".
type Environment map[string]string

// Eval reports whether the marker is true in env. It is an error when the
// marker asks for what env lacks, or compares by ~= or === what is no version.
func (m Marker) Eval(env Environment) (bool, error) {
	if m.root == nil {
		return true, nil
	}
	return m.eval(m.root, env)
}

// eval asks every comparison, as packaging does, so that an error does not
// depend on the others.
func (m Marker) eval(n *node, env Environment) (bool, error) {
	if n.op != "" {
		result, err := n.compare(env)
		if err != nil {
			return false, fmt.Errorf("marker %s: %w", quote(m.text), err)
		}
		return result, nil
	}
	result := !n.any
	for _, child := range n.children {
		one, err := m.eval(child, env)
		if err != nil {
			return false, err
		}
		if one == n.any {
			result = n.any
		}
	}
	return result, nil
}

func (n *node) compare(env Environment) (bool, error) {
	key, left, right := n.left.text, n.left.text, n.right.text
	var err error
	switch {
	case n.left.variable:
		left, err = env.value(key)
	case n.right.variable:
		key = right
		right, err = env.value(key)
	default:
		err = fmt.Errorf("%q and %q are both values; one side must be a variable such as python_version", left, right)
	}
	if err != nil {
		return false, err
	}
	if key == "extra" {
		left, right = Normalize(left), Normalize(right)
	}
	if comparesVersions(key) {
		if bound, err := parseSpecifier(n.op + right); err == nil {
			return bound.Contains(left), nil
		}
	}
	return compareText(left, n.op, right)
}

// value looks a variable up.
func (env Environment) value(key string) (string, error) {
	value, ok := env[key]
	switch {
	case !ok && key == "extra":
		return "", nil
	case !ok && (key == "extras" || key == "dependency_groups"):
		return "", fmt.Errorf("%s is for pylock.toml files only", key)
	case !ok:
		return "", fmt.Errorf("the environment does not say what %s is", key)
	case key == "python_full_version" && strings.HasSuffix(value, "+"):
		return value + "local", nil // what a Python built between two releases calls itself
	}
	return value, nil
}

func comparesVersions(key string) bool {
	switch key {
	case "implementation_version", "platform_release", "python_full_version", "python_version":
		return true
	}
	return false
}

// compareText compares what are not versions. Text has no order: < and > are
// never true, <= and >= mean ==, as packaging has it since its version 26.
func compareText(left, op, right string) (bool, error) {
	switch op {
	case "in":
		return strings.Contains(right, left), nil
	case "not in":
		return !strings.Contains(right, left), nil
	case "==", "<=", ">=":
		return left == right, nil
	case "!=":
		return left != right, nil
	case "<", ">":
		return false, nil
	}
	return false, fmt.Errorf("%s compares versions; %q and %q are not both versions", op, left, right)
}
