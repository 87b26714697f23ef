package python

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/internal/python/requirements"
)

// pinned is a package that was chosen.
type pinned struct {
	name    string   // normalised
	version string   // empty when url is set
	url     string   // of a direct reference
	hashes  []string // "sha256:…", sorted
	via     []string // what asked for it: packages, and files as "-r NAME"; sorted
}

// resolution is what a tool is asked to choose from.
type resolution struct {
	requirements string // path of a file
	constraints  []string
	building     building
}

// resolve chooses the newest versions that are allowed.
func (t *tool) resolve(ctx context.Context, s *settings, python *Interpreter, venvPython string, in resolution) ([]pinned, error) {
	var all []pinned
	var err error
	if t.name == ToolUV {
		all, err = t.compile(ctx, s, venvPython, in)
	} else {
		all, err = t.dryRun(ctx, python, venvPython, in)
	}
	slices.SortFunc(all, func(a, b pinned) int { return strings.Compare(a.name, b.name) })
	return all, err
}

// compile asks uv.
func (t *tool) compile(ctx context.Context, s *settings, python string, in resolution) ([]pinned, error) {
	args := slices.Concat([]string{
		"pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--annotation-style", "split", "--python", python,
	}, s.uvArguments(), in.building.uvArguments())
	for _, file := range in.constraints {
		args = append(args, "--constraints", file)
	}
	out, err := t.r.output(ctx, "resolve", t.path, append(args, in.requirements)...)
	if err != nil {
		return nil, err
	}
	lock, err := requirements.ParseLock("what uv resolved", out)
	if err != nil {
		return nil, err
	}
	via := readVia(string(out))
	var all []pinned
	for _, e := range lock.Entries {
		hashes := slices.Sorted(slices.Values(e.Hashes))
		all = append(all, pinned{e.Name, e.Version, e.URL, slices.Compact(hashes), via[e.Name]})
	}
	return all, nil
}

// readVia reads uv's annotations: below each package stands "# via X", or
// "# via" and one line "#   X" for each.
func readVia(text string) map[string][]string {
	via := map[string][]string{}
	name, inside := "", false
	for line := range strings.Lines(text) {
		comment, isComment := strings.CutPrefix(strings.TrimSpace(line), "#")
		switch {
		case !isComment && line[0] != ' ':
			name, inside = pep508.Normalize(line[:len(line)-len(strings.TrimLeft(line, nameCharacters))]), false
		case !isComment:
		case strings.HasPrefix(comment, " via"):
			inside = true
			comment = strings.TrimPrefix(comment, " via")
			fallthrough
		case inside:
			if from := strings.TrimSpace(comment); from != "" {
				via[name] = append(via[name], from)
			}
		}
	}
	return via
}

const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// installation is pip's report of what it would install, as far as it is read.
type installation struct {
	Install []struct {
		Download struct {
			URL     string `json:"url"`
			Archive struct {
				Hashes map[string]string `json:"hashes"`
				Hash   string            `json:"hash"` // before pip 23
			} `json:"archive_info"`
		} `json:"download_info"`
		Direct    bool     `json:"is_direct"`
		Requested bool     `json:"requested"`
		Extras    []string `json:"requested_extras"`
		Metadata  struct {
			Name     string   `json:"name"`
			Version  string   `json:"version"`
			Requires []string `json:"requires_dist"`
		} `json:"metadata"`
	} `json:"install"`
}

// dryRun asks pip. It knows the hash of the one file that it chose of each
// package.
func (t *tool) dryRun(ctx context.Context, python *Interpreter, venvPython string, in resolution) ([]pinned, error) {
	file := filepath.Join(filepath.Dir(in.requirements), "report.json")
	args := []string{"-I", "-B", "-m", "pip", "install", "--dry-run", "--ignore-installed", "--report", file, "-r", in.requirements}
	for _, c := range in.constraints {
		args = append(args, "-c", c)
	}
	r := *t.r
	r.env = slices.Concat(r.env, in.building.pipEnvironment())
	_, err := r.quiet(ctx, "resolve", venvPython, args...)
	failed := (*ToolError)(nil)
	if errors.As(err, &failed) && strings.Contains(failed.Output, "no such option") {
		return nil, fmt.Errorf("pip %s cannot resolve a lock: install uv, or a Python whose pip is 22.2 or newer", t.version)
	}
	if err != nil {
		return nil, err
	}
	data, err := readBounded(file, maxOutput)
	if err != nil {
		return nil, err
	}
	var report installation
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, fmt.Errorf("read pip's report: %w", err)
	}
	return report.pins(python.Markers)
}

// pins turns pip's report into pins. Which package needs which others follows
// from their metadata.
func (r *installation) pins(env pep508.Environment) ([]pinned, error) {
	via := map[string][]string{}
	var all []pinned
	for i := range r.Install {
		item := &r.Install[i]
		p := pinned{name: pep508.Normalize(item.Metadata.Name), version: item.Metadata.Version}
		if item.Direct {
			p.url, p.version = item.Download.URL, ""
		}
		hash := item.Download.Archive.Hashes["sha256"]
		if rest, ok := strings.CutPrefix(item.Download.Archive.Hash, "sha256="); ok && hash == "" {
			hash = rest
		}
		if hash != "" {
			p.hashes = []string{"sha256:" + hash}
		}
		if item.Requested {
			via[p.name] = append(via[p.name], fromRequirements)
		}
		needed, err := needs(item.Metadata.Requires, item.Extras, env)
		if err != nil {
			return nil, fmt.Errorf("read what %s %s needs: %w", p.name, item.Metadata.Version, err)
		}
		for _, other := range needed {
			via[other] = append(via[other], p.name)
		}
		all = append(all, p)
	}
	for i := range all {
		all[i].via = via[all[i].name]
	}
	return all, nil
}

// needs returns the names of the packages that requirements of a package's
// metadata ask for, with those extras.
func needs(requires, extras []string, env pep508.Environment) ([]string, error) {
	var names []string
	for _, text := range requires {
		r, err := pep508.Parse(text)
		if err != nil {
			return nil, err
		}
		for _, extra := range append([]string{""}, extras...) {
			with := pep508.Environment{}
			for key, value := range env {
				with[key] = value
			}
			with["extra"] = extra
			active, err := r.Marker.Eval(with)
			if err != nil {
				return nil, err
			}
			if active {
				names = append(names, r.Normalized)
				break
			}
		}
	}
	return names, nil
}
