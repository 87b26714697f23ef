package release

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/lock"
)

// repositories are Odoo, some locked by a tag, and some by a branch.
func repositories(fixed, moving int) []destination {
	all := []destination{{Destination: &lock.Destination{Path: "./odoo", Merges: []lock.Merge{{Ref: "17.0"}}}}}
	for i := range fixed {
		all = append(all, destination{Destination: &lock.Destination{Path: fmt.Sprintf("./fixed/f%03d", i), Merges: []lock.Merge{{Ref: "refs/tags/v1"}}}})
	}
	for i := range moving {
		all = append(all, destination{Destination: &lock.Destination{Path: fmt.Sprintf("./oca/m%03d", i), Merges: []lock.Merge{{Ref: "17.0"}}}})
	}
	return all
}

// layersOf are the members of each layer, by the layer's name.
func layersOf(shares []*share) map[string][]string {
	all := map[string][]string{}
	for _, s := range shares {
		for _, d := range s.members {
			all[s.name] = append(all[s.name], d.Path)
		}
	}
	return all
}

// TestArrange: everything is in one layer, once; there are no more layers than room; whoever has
// room has a layer of its own; and one repository more or less moves few others.
func TestArrange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ fixed, moving, room, own int }{
		{0, 0, 96, 1},
		{3, 20, 96, 24},
		{0, 95, 96, 96},
		{0, 96, 96, 72}, // 24 are kept for those that share
		{20, 80, 96, 88},
		{20, 90, 96, 64},
		{100, 200, 96, 64},
		{300, 0, 96, 88},
		{0, 300, 40, 16},
	} {
		all := repositories(c.fixed, c.moving)
		shares := arrange(all, c.room)
		own, seen := 0, map[string]bool{}
		for _, s := range shares {
			if !s.shared {
				own++
			}
			for _, d := range s.members {
				if seen[d.Path] {
					t.Errorf("%+v: %s is in two layers", c, d.Path)
				}
				seen[d.Path] = true
			}
		}
		if len(seen) != len(all) || len(shares) > c.room || own != c.own {
			t.Errorf("%+v: %d of %d repositories in %d layers, %d of them with one's own", c, len(seen), len(all), len(shares), own)
		}
		if shares[0].name != "./odoo" || !slices.IsSortedFunc(shares, func(a, b *share) int { return a.rank - b.rank }) {
			t.Errorf("%+v: the order is %v", c, shares)
		}
		before := layersOf(shares)
		more := append(slices.Clone(all), destination{Destination: &lock.Destination{Path: "./oca/m150-new", Merges: []lock.Merge{{Ref: "17.0"}}}})
		changed := 0
		for name, members := range layersOf(arrange(more, c.room)) {
			if !slices.Equal(before[name], members) {
				changed++
			}
		}
		if crossing := len(all) == c.room; changed > 2 && !crossing {
			t.Errorf("%+v: one repository more changes %d layers", c, changed)
		}
	}
}

// TestArrangeGolden holds which layers share what: another answer is another digest for everybody who has so many
// repositories, and counts up format.
func TestArrangeGolden(t *testing.T) {
	t.Parallel()
	var got []string
	for _, s := range arrange(repositories(20, 100), 40) {
		if s.shared {
			got = append(got, s.name+" "+strings.Join(layersOf([]*share{s})[s.name], " "))
		}
	}
	sum := digest(got...)
	if want := goldenShares; sum != want {
		t.Errorf("the layers have the digest %s, and not %s:\n%s", sum, want, strings.Join(got, "\n"))
	}
}

const goldenShares = "29791fbb11f00321c5d8d4cc3e03383682ec44193550d0c132e15779f87caaff"

// TestManyRepositories packs 300, of which one moves then: its layer is made again and no other.
func TestManyRepositories(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const many = 300
	var text strings.Builder
	text.WriteString(lockText(3, 4))
	for i := range many {
		fmt.Fprintf(&text, "./oca/r%03d:\n  remotes: {oca: https://example.com/r%03d.git}\n  merges:\n  # locked-from: oca 17.0\n  - oca %s\n", i, i, tree(1000+i))
		s.write(s.options.Source, map[string]string{fmt.Sprintf("oca/r%03d/addon%03d/__manifest__.py", i, i): fmt.Sprintf("{'name': 'x%d', 'version': '17.0.1.0.0', 'license': 'AGPL-3'}", i)})
		s.sources.trees[fmt.Sprintf("./oca/r%03d", i)] = tree(2000 + i)
	}
	s.write(s.options.Source, map[string]string{"oca/stranger/x.py": "no destination's", "oca/r299/addon299/__pycache__/x.pyc": "x"})
	s.options.Lock = parseLock(t, text.String())
	first := s.release()
	if n := len(first.Layers); n > maxOwn+othersLayers {
		t.Fatalf("%d layers", n)
	}
	if parts := Parts(s.options.Previous); len(parts) != many+3+othersLayers || parts[len(parts)-2].Commits == "" {
		t.Errorf("%d parts, the last %+v", len(parts), parts[len(parts)-1])
	}
	// Every file of a repository is in some layer, and nothing else is.
	dir := filepath.Join(t.TempDir(), "image")
	s.options.Previous, s.sources.asked = nil, nil
	afresh, err := s.pack(dir)
	if err != nil || afresh.Digest != first.Digest {
		t.Fatalf("without the previous image %v, %v; at first %s", afresh, err, first.Digest)
	}
	found := 0
	for _, l := range afresh.Layers {
		for name := range layerFiles(t, dir, l.Digest) {
			switch {
			case strings.HasSuffix(name, "/__manifest__.py") && strings.HasPrefix(name, "opt/odoo/src/oca/r"):
				found++
			case strings.Contains(name, "stranger"), strings.Contains(name, "__pycache__"):
				t.Errorf("%s is in %s", name, l.Name)
			}
		}
	}
	if found != many {
		t.Errorf("%d of %d repositories are in the image", found, many)
	}
	// One that shares a layer moves: those who share it are brought to the lock, and no others.
	s.release()
	moved := strings.Replace(text.String(), tree(1299), tree(1999), 1)
	s.options.Lock = parseLock(t, moved)
	s.sources.trees["./oca/r299"] = tree(2999)
	second := s.release()
	if n := len(first.Layers) - len(reused(second.Layers)); n != 1 {
		t.Errorf("%d layers were made anew", n)
	}
	if !slices.Contains(s.sources.asked, "./oca/r299") || len(s.sources.asked) > 20 {
		t.Errorf("materialised %v", s.sources.asked)
	}
	s.options.Previous, s.sources.asked = nil, nil
	if afresh, err := s.pack(filepath.Join(t.TempDir(), "image")); err != nil || afresh.Digest != second.Digest {
		t.Errorf("without the previous image %v, %v; with it %s", afresh, err, second.Digest)
	}
}

// TestPreviousHasFewer: when repositories begin to share layers, what is known of them is kept, and
// the layers are made anew from what is there.
func TestPreviousHasFewer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.release()
	p := &packer{Options: s.options, room: 2}
	if err := p.plan(); err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, d := range p.destinations {
		known[d.Path] = d.tree
	}
	if diff := cmp.Diff(map[string]string{"./odoo": tree(11), "./acme/crm_x": tree(12), "./oca/web": tree(104)}, known); diff != "" {
		t.Error(diff)
	}
	same := 0
	for _, share := range p.shares {
		if share.same {
			same++
		}
	}
	if same != 1 { // Odoo's
		t.Errorf("%d layers are taken over", same)
	}
	// A layer that lies about what it holds is not believed.
	for i := range s.options.Previous.Layers {
		if l := &s.options.Previous.Layers[i]; l.Annotations[annotationLayer] == "./odoo" {
			l.Annotations[annotationSources] = `[{"path":"./odoo","addons":[{"dir":"../../etc"}]}]`
		}
	}
	p = &packer{Options: s.options, room: maxOwn}
	if err := p.plan(); err != nil || p.destinations[0].tree != "" || p.shares[0].same {
		t.Errorf("%v, %+v", err, p.shares[0])
	}
}
