package lock

import (
	"errors"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Parse reads a repos.yaml. policy decides which remotes may stand in it.
// All faults are reported at once, each as a *yamldoc.Error with its line.
func Parse(name string, data []byte, policy gitname.Policy) (*File, error) {
	doc, err := yamldoc.Parse(name, data)
	if err != nil {
		return nil, err
	}
	if doc.Root == nil {
		return nil, &yamldoc.Error{Path: name, Line: 1, Msg: "declares no destination", Hint: example}
	}
	return parse(doc, policy)
}

func parse(doc *yamldoc.Document, policy gitname.Policy) (*File, error) {
	p := &parser{doc: doc, policy: policy}
	file := p.file()
	if len(file.Destinations) > maxDestinations || file.Merges() > maxMerges {
		p.fault(doc.Root, "%d destinations with %d merges; %d and %d are allowed", len(file.Destinations), file.Merges(), maxDestinations, maxMerges)
		return nil, p.err()
	}
	p.errs = append(p.errs, checkDestinations(file)...)
	if len(p.errs) > 0 {
		return nil, p.err()
	}
	return file, nil
}

// Bounds of a file, far above any deployment: what follows from a file takes
// time with the square of its destinations.
const (
	maxDestinations = 500
	maxMerges       = 2500
)

const example = "an entry looks like this: ./odoo: {remotes: {odoo: https://github.com/odoo/odoo.git}, merges: [odoo 18.0]}"

// parser walks a document and collects its faults.
type parser struct {
	doc    *yamldoc.Document
	policy gitname.Policy
	errs   []*yamldoc.Error
}

func (p *parser) fault(node *yaml.Node, format string, args ...any) {
	p.errs = append(p.errs, p.doc.Errorf(node, format, args...))
}

// err joins the faults in the order of their lines.
func (p *parser) err() error {
	slices.SortStableFunc(p.errs, func(a, b *yamldoc.Error) int { return a.Line - b.Line })
	var all []error
	for _, e := range p.errs {
		all = append(all, e)
	}
	return errors.Join(all...)
}

func (p *parser) file() *File {
	file := &File{Path: p.doc.Path}
	if p.doc.Root.Kind != yaml.MappingNode {
		p.fault(p.doc.Root, "the top level must map directories to entries; %s", example)
		return file
	}
	for key, value := range pairs(p.doc.Root) {
		if value.Kind != yaml.MappingNode {
			p.fault(key, "%q is no destination: an entry has remotes and merges", key.Value)
			continue
		}
		file.Destinations = append(file.Destinations, p.destination(key, value))
	}
	return file
}

func (p *parser) destination(key, entry *yaml.Node) Destination {
	d := Destination{Path: key.Value, Line: key.Line}
	var merges, target *yaml.Node
	for k, value := range pairs(entry) {
		switch k.Value {
		case "remotes":
			d.Remotes = p.remotes(value)
		case "merges":
			merges = value
		case "target":
			d.Target, target = p.target(value), value
		default:
			p.extra(k, value)
			d.Extra = append(d.Extra, Field{k.Value, value})
		}
	}
	if d.Remotes == nil {
		p.fault(key, "%s: remotes is missing: name at least one, as NAME: URL", d.Path)
	}
	if merges == nil {
		p.fault(key, "%s: merges is missing: list at least one, as - REMOTE REF", d.Path)
		return d
	}
	d.Merges = p.merges(&d, merges)
	if remote, _, two := strings.Cut(d.Target, " "); two && d.Remote(remote) == nil {
		p.fault(target, "%s: the target's remote %q is not among its remotes", d.Path, remote)
	}
	return d
}

// remotes returns every remote of the mapping, the faulty ones included, so
// that a merge of one causes no second fault.
func (p *parser) remotes(node *yaml.Node) []Remote {
	remotes := []Remote{}
	if node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		p.fault(node, "remotes must map at least one name to a URL")
		return remotes
	}
	for key, value := range pairs(node) {
		remotes = append(remotes, Remote{Name: key.Value, URL: value.Value, Line: value.Line})
		if err := gitname.CheckRemote(key.Value); err != nil {
			p.fault(key, "%v", err)
			continue
		}
		u, err := gitname.ParseURL(value.Value)
		if err == nil {
			err = p.policy.Check(u)
		}
		if err != nil {
			p.fault(value, "remote %s: %v", key.Value, err)
		}
	}
	return remotes
}

func (p *parser) target(node *yaml.Node) string {
	if isNull(node) {
		return ""
	}
	words := strings.Fields(node.Value)
	if node.Kind != yaml.ScalarNode || len(words) > 2 {
		p.fault(node, "target must be BRANCH or REMOTE BRANCH")
		return ""
	}
	if len(words) == 0 {
		return ""
	}
	if err := gitname.CheckRef(words[len(words)-1]); err != nil {
		p.fault(node, "target: %v", err)
	}
	return strings.Join(words, " ")
}

// extra checks the shape of the keys that git-aggregator reads.
func (p *parser) extra(key, value *yaml.Node) {
	switch key.Value {
	case "defaults":
		if value.Kind != yaml.MappingNode && !isNull(value) {
			p.fault(value, "defaults must be a mapping of fetch options, such as depth: 200")
		}
	case "fetch_all", "shell_command_after":
		if value.Kind == yaml.MappingNode {
			p.fault(value, "%s must be text or a list", key.Value)
		}
	}
}

// isNull reports whether a value is left empty, or written as ~ or null.
func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }

// pairs iterates over the keys and values of a mapping.
func pairs(node *yaml.Node) func(yield func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i], node.Content[i+1]) {
				return
			}
		}
	}
}
