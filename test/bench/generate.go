package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/standin"
)

// The size of the large repository: that of Odoo 18, whose tree has 81,759
// files and 1.95 GB and makes a pack of 357 MB.
const (
	largeModules   = 500
	largeLanguages = 60  // .po files of a module
	largeSources   = 100 // other files of a module
)

// largeRepo makes a repository with the layout and the size of Odoo's, on the
// branch 17.0. Four of five bytes are translations, whose languages differ in
// a part of their lines.
func largeRepo(ctx context.Context, server *gitserver.Server, name string) error {
	return packRepo(ctx, server, name, largeModules)
}

// packRepo is largeRepo with so many modules.
func packRepo(ctx context.Context, server *gitserver.Server, name string, modules int) error {
	repo, err := emptyRepo(server, name)
	if err != nil {
		return err
	}
	return fastImport(ctx, repo.Dir, func(s *stream) {
		s.commit("17.0", "", "everything\n")
		modes := standin.Modes()
		files := standin.Files()
		for _, path := range slices.Sorted(maps.Keys(files)) {
			s.file(cmp.Or(modes[path], "100644"), path, []byte(files[path]))
		}
		p := newProse(1)
		for m := range modules {
			s.module(p, fmt.Sprintf("addons/module_%03d", m), 65+p.IntN(430), largeLanguages, largeSources)
		}
		fmt.Printf("  %s: %d files of %d MB\n", name, s.files, s.bytes>>20)
	})
}

// module writes an addon of many files.
func (s *stream) module(p *prose, dir string, terms, languages, sources int) {
	name := dir[strings.LastIndexByte(dir, '/')+1:]
	s.file("100644", dir+"/__manifest__.py", fmt.Appendf(nil, "{\n    'name': '%s',\n    'version': '1.0',\n    'depends': ['base'],\n    'license': 'LGPL-3',\n}\n", name))
	s.file("100644", dir+"/__init__.py", nil)
	template := newTemplate(p, name, terms)
	for language := range languages {
		s.buffer = template.translate(s.buffer[:0], p, language)
		s.file("100644", fmt.Sprintf("%s/i18n/l%02d.po", dir, language), s.buffer)
	}
	for i := range sources {
		path, content := p.source(s.buffer[:0], i)
		s.buffer = content
		s.file("100644", dir+"/"+path, content)
	}
}

// source appends a file of one of an addon's kinds, and returns its path too.
func (p *prose) source(b []byte, i int) (string, []byte) {
	switch {
	case i%25 == 0:
		return fmt.Sprintf("static/img/picture_%d.png", i), p.noise(b, 4000+p.IntN(52_000))
	case i%3 == 0:
		for range 5 + p.IntN(120) {
			b = fmt.Appendf(b, "    <record id=\"%s_%d\" model=\"ir.ui.view\">\n        <field name=\"name\">", p.words[p.index()], p.IntN(1000))
			b = append(p.sentence(b, 6), "</field>\n    </record>\n"...)
		}
		return fmt.Sprintf("views/view_%d.xml", i), b
	case i%3 == 1:
		for range 10 + p.IntN(250) {
			b = append(b, "        this."...)
			b = append(p.sentence(b, 1), " = async ("...)
			b = append(p.sentence(b, 2), ") => { return "...)
			b = append(p.sentence(b, 2), "; };\n"...)
		}
		return fmt.Sprintf("static/src/js/widget_%d.js", i), b
	}
	for range 10 + p.IntN(150) {
		b = fmt.Appendf(b, "    def _compute_%s(self):\n        for record in self:\n            record.", p.words[p.index()])
		b = append(p.sentence(b, 1), " = self."...)
		b = append(p.sentence(b, 1), "\n"...)
	}
	return fmt.Sprintf("models/model_%d.py", i), b
}

// template is what the translations of a module have in common.
type template struct {
	name  string
	heads []string // comment and msgid of each term
	terms [][]int  // words of each term
}

func newTemplate(p *prose, name string, terms int) *template {
	t := &template{name: name}
	for range terms {
		words := make([]int, 2+p.IntN(12))
		var text []byte
		for i := range words {
			words[i] = p.index()
			text = append(append(text, p.words[words[i]]...), ' ')
		}
		field := p.words[p.index()] + "_" + p.words[p.index()]
		t.heads = append(t.heads, fmt.Sprintf("\n#. module: %s\n#: model:ir.model.fields,field_description:%s.field_%s\nmsgid %q\n", name, name, field, text[:len(text)-1]))
		t.terms = append(t.terms, words)
	}
	return t
}

// translate appends the file of a language; a third of its terms has none yet.
func (t *template) translate(b []byte, p *prose, language int) []byte {
	b = fmt.Appendf(b, "# Translation of %s\nmsgid \"\"\nmsgstr \"\"\n\"Language: l%02d\\n\"\n", t.name, language)
	for i, words := range t.terms {
		b = append(append(b, t.heads[i]...), "msgstr \""...)
		if (i+language)%3 > 0 {
			for _, word := range words {
				b = append(append(b, p.words[(word*31+language*97)%len(p.words)]...), ' ')
			}
		}
		b = append(b, "\"\n"...)
	}
	return b
}

// historyOptions is the shape of a repository of the size of an OCA one.
type historyOptions struct {
	seed    uint64
	modules int
	commits int // on the branch 17.0, each changing one file
	// fixes are branches off the middle of 17.0, fix-1 and so on, of three
	// commits each, which touch no file that another one touches.
	fixes int
	// steps is the number of commits put on top of the branch that moves:
	// fix-1, or 17.0 without fixes. The branches step-1 and so on name them.
	steps int
}

// historyRepo makes a repository of a few modules and many commits.
func historyRepo(ctx context.Context, server *gitserver.Server, name string, o historyOptions) error {
	repo, err := emptyRepo(server, name)
	if err != nil {
		return err
	}
	err = fastImport(ctx, repo.Dir, func(s *stream) { s.history(newProse(o.seed), name, o) })
	if err != nil {
		return err
	}
	return inRepo(func(tb fatal) { repo.Git(tb, "repack", "-adq") })
}

func (s *stream) history(p *prose, name string, o historyOptions) {
	s.commit("17.0", "", "everything\n")
	base := strings.ReplaceAll(name, "-", "_")
	for m := range o.modules {
		s.module(p, fmt.Sprintf("%s_%d", base, m), 20+p.IntN(40), 6, 20)
	}
	fork := ""
	for c := range o.commits - 1 {
		mark := s.commit("17.0", "", fmt.Sprintf("change %d\n", c))
		path, content := p.source(s.buffer[:0], 1+p.IntN(18))
		s.buffer = content
		s.file("100644", fmt.Sprintf("%s_%d/%s", base, p.IntN(o.modules), path), content)
		if c == o.commits/2 {
			fork = mark
		}
	}
	moving := "17.0"
	for f := range o.fixes {
		branch := fmt.Sprintf("fix-%d", f+1)
		from := fork
		for c := range 3 {
			s.commit(branch, from, fmt.Sprintf("fix %d\n", c))
			from = ""
			s.file("100644", fmt.Sprintf("%s_0/fix_%d_%d.py", base, f, c), p.sentence(nil, 200))
		}
		moving = "fix-1"
	}
	for n := range o.steps {
		mark := s.commit(moving, "", "step\n")
		s.file("100644", base+"_0/step.py", p.sentence(nil, 300))
		fmt.Fprintf(s.w, "reset refs/heads/step-%d\nfrom %s\n\n", n+1, mark)
	}
}

// emptyRepo makes a repository on the server.
func emptyRepo(server *gitserver.Server, name string) (repo *gitserver.Repo, err error) {
	err = inRepo(func(tb fatal) { repo = server.Repo(tb, name) })
	return repo, err
}

// inRepo calls f and returns what it failed with.
func inRepo(f func(tb fatal)) (err error) {
	defer func() {
		switch failed := recover().(type) {
		case nil:
		case error:
			err = failed
		default:
			panic(failed)
		}
	}()
	f(fatal{})
	return nil
}
