package requirements

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/pep508"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Normalize reads the files and decides what holds for the interpreter of
// in.Env. Faults in files are *yamldoc.Error, several of them joined.
func Normalize(in Input) (*Result, error) {
	r := &reader{root: in.Root, environ: map[string]string{}}
	for _, entry := range in.Environ {
		if key, value, ok := strings.Cut(entry, "="); ok {
			r.environ[key] = value
		}
	}
	if dir, err := filepath.EvalSymlinks(in.Fetched); err == nil && in.Fetched != "" {
		r.fetched = dir
	}
	for _, path := range in.Files {
		r.top(path, installs)
	}
	for _, path := range in.Constraints {
		r.top(path, bounds)
	}
	if in.Overrides != "" {
		r.top(in.Overrides, overrides)
	}
	if len(r.faults) > 0 {
		return nil, errors.Join(r.faults...)
	}
	result := &Result{python: in.Env["python_version"]}
	active, err := result.activate(r, in.Env)
	if err != nil {
		return nil, err
	}
	if err := result.override(active); err != nil {
		return nil, err
	}
	result.Lines, result.Constraints = eachOnce(result.Lines), eachOnce(result.Constraints)
	result.Options = lastOnce(r.options)
	if err := result.contradictions(); err != nil {
		return nil, err
	}
	return result, nil
}

// activate keeps the lines whose marker is true, by role.
func (result *Result) activate(r *reader, env pep508.Environment) (active [overrides + 1][]Line, err error) {
	var faults []error
	for role, lines := range r.lines {
		for _, line := range lines {
			holds, err := line.Requirement.Marker.Eval(env)
			switch {
			case err != nil:
				faults = append(faults, at(line.path, line.Line, err))
			case holds:
				active[role] = append(active[role], line)
			default:
				result.Dropped = append(result.Dropped, line)
			}
		}
	}
	return active, errors.Join(faults...)
}

// override puts overrides in the place of the lines of their packages.
func (result *Result) override(active [overrides + 1][]Line) error {
	by := map[string]*Line{}
	var faults []error
	for i := range active[overrides] {
		line := &active[overrides][i]
		if first, twice := by[line.Name]; twice {
			faults = append(faults, &yamldoc.Error{
				Path: line.path, Line: line.Line, Msg: fmt.Sprintf("%s is overridden a second time; the first is %s", line.Name, first.place()),
				Hint: "keep one of the two, or give them markers that exclude each other",
			})
			continue
		}
		by[line.Name] = line
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	used := map[string]bool{}
	result.Lines = result.replace(active[installs], by, used, false)
	result.Constraints = result.replace(active[bounds], by, used, true)
	for _, line := range active[overrides] {
		if used[line.Name] {
			continue
		}
		if len(line.Requirement.Extras) > 0 {
			faults = append(faults, &yamldoc.Error{
				Path: line.path, Line: line.Line, Msg: fmt.Sprintf("%s has extras, but no requirement line installs it, and a constraint cannot have them", line.Name),
				Hint: "leave the extras out, or write the line into a requirements file",
			})
		}
		result.Bounding = append(result.Bounding, line)
		result.Constraints = append(result.Constraints, line)
	}
	return errors.Join(faults...)
}

// replace returns lines with the first of an overridden package replaced and
// its others left out. A constraint gives way to the override of a
// requirement, too: it would bound what was just decided.
func (result *Result) replace(lines []Line, by map[string]*Line, used map[string]bool, constraint bool) []Line {
	var out []Line
	for _, line := range lines {
		override := by[line.Name]
		if override == nil || line.Name == "" {
			out = append(out, line)
			continue
		}
		result.Replaced = append(result.Replaced, Replaced{Old: line, New: *override, Constraint: constraint})
		if used[line.Name] {
			continue
		}
		if constraint && len(override.Requirement.Extras) > 0 {
			out = append(out, bare(*override))
		} else {
			out = append(out, *override)
		}
		used[line.Name] = true
	}
	return out
}

// bare is a line as a constraint can carry it, without extras.
func bare(line Line) Line {
	with := line.Requirement.String()
	line.Requirement.Extras = nil
	line.Text = line.Requirement.String() + strings.TrimPrefix(line.Text, with)
	return line
}

// eachOnce leaves lines out that say what an earlier one says.
func eachOnce(lines []Line) []Line {
	var out []Line
	seen := map[string]bool{}
	for _, line := range lines {
		key := line.key()
		if !seen[key] {
			out = append(out, line)
		}
		seen[key] = true
	}
	return out
}

// lastOnce leaves out options that stand again further down: there they may
// undo what stands between, as a second --index-url does.
func lastOnce(options []Option) []Option {
	var out []Option
	seen := map[string]bool{}
	for _, o := range slices.Backward(options) {
		if !seen[o.Text] {
			out = append(out, o)
		}
		seen[o.Text] = true
	}
	slices.Reverse(out)
	return out
}

// key is the text with the name in one spelling.
func (l Line) key() string {
	if l.Name == "" {
		return l.Text
	}
	return l.Name + strings.TrimPrefix(l.Text, l.Requirement.Name)
}

func (l Line) place() string { return fmt.Sprintf("%s:%d", l.path, l.Line) }

// contradictions finds packages that no version can satisfy: one line pins a
// version that another line, or a constraint, excludes.
func (result *Result) contradictions() error {
	pins := map[string]Line{} // by package, the first line that pins it
	at := map[string]int{}
	for i, line := range result.Lines {
		if _, ok := line.Requirement.Specifier.Pin(); ok && line.Name != "" {
			if _, have := pins[line.Name]; !have {
				pins[line.Name], at[line.Name] = line, i
			}
		}
	}
	var faults []error
	for i, line := range slices.Concat(result.Lines, result.Constraints) {
		pin, ok := pins[line.Name]
		if !ok || len(faults) >= maxFaults || !contradict(pin, line) {
			continue
		}
		earlier, later := pin, line
		if i < at[line.Name] {
			earlier, later = line, pin
		}
		faults = append(faults, &yamldoc.Error{
			Path: later.path, Line: later.Line,
			Msg:  fmt.Sprintf("%s contradicts %s at %s", later.Requirement, earlier.Requirement, earlier.place()),
			Hint: fmt.Sprintf("change one of them, or decide by a line for %s in requirements-overrides.in", line.Name),
		})
	}
	return errors.Join(faults...)
}

// contradict reports whether pin, which pins a version, excludes line.
func contradict(pin, line Line) bool {
	version, _ := pin.Requirement.Specifier.Pin()
	if line.Requirement.Specifier.Contains(version) {
		return false
	}
	// ==1.0 and ==1.0+local: the second satisfies both.
	other, both := line.Requirement.Specifier.Pin()
	return !both || !pin.Requirement.Specifier.Contains(other)
}
