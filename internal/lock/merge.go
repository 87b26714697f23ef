package lock

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/gitname"
)

func (p *parser) merges(d *Destination, node *yaml.Node) []Merge {
	if node.Kind != yaml.SequenceNode || len(node.Content) == 0 {
		p.fault(node, "%s: merges must list at least one REMOTE REF", d.Path)
		return nil
	}
	var merges []Merge
	for _, item := range node.Content {
		m, ok := p.merge(d, item)
		if !ok {
			continue
		}
		if len(d.Remotes) > 0 && d.Remote(m.Remote) == nil {
			p.fault(item, "%s: merge %q: there is no remote %q here", d.Path, m.Remote+" "+m.Ref, m.Remote)
			continue
		}
		if err := gitname.CheckRef(m.Ref); err != nil {
			p.fault(item, "%s: %v", d.Path, err)
			continue
		}
		merges = append(merges, m)
	}
	return merges
}

// merge reads "REMOTE REF" or {remote: R, ref: F, depth: …}.
func (p *parser) merge(d *Destination, item *yaml.Node) (Merge, bool) {
	m := Merge{Line: item.Line}
	switch item.Kind {
	case yaml.ScalarNode:
		remote, ref, ok := strings.Cut(item.Value, " ")
		if !ok || strings.ContainsAny(ref, " \t\n") || remote == "" {
			p.fault(item, "%s: the merge %q must be REMOTE REF, with one space between", d.Path, item.Value)
			return m, false
		}
		m.Remote, m.Ref = remote, ref
	case yaml.MappingNode:
		for key, value := range pairs(item) {
			switch key.Value {
			case "remote":
				m.Remote = value.Value
			case "ref":
				m.Ref = value.Value
			default:
				m.Options = append(m.Options, Field{key.Value, value})
			}
		}
		if m.Remote == "" || m.Ref == "" {
			p.fault(item, "%s: a merge needs remote and ref", d.Path)
			return m, false
		}
	default:
		p.fault(item, "%s: a merge must be REMOTE REF, or a mapping with remote and ref", d.Path)
		return m, false
	}
	return m, true
}
