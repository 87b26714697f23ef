package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/python/requirements"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Build makes the environment of o.Venv: it installs what o.Lock names, after
// resolving the lock anew when o.Refresh, and checks that it fits together.
// When it fails, lock and former environment are as they were. Faults of files
// and settings are *yamldoc.Error, those of tools *ToolError, packages that do
// not fit together a *CheckError.
func Build(ctx context.Context, o Options) (*Report, error) {
	work, err := os.MkdirTemp(variable(o.Environ, "TMPDIR"), "odyssey-python-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	b, err := newBuilder(ctx, o, work)
	if err != nil {
		return nil, err
	}
	v, err := replaceVenv(o.Venv)
	if err != nil {
		return nil, err
	}
	err = b.fill(ctx, v)
	if err == nil && o.Refresh {
		b.report.LockWritten, err = lock.WriteFile(o.Lock, b.lockText)
	}
	if err, after := err, v.finish(err == nil); err != nil || after != nil {
		return nil, errors.Join(err, after)
	}
	return b.report, nil
}

// builder is a run of Build.
type builder struct {
	o      Options
	work   string // directory of temporary files
	r      *runner
	python *Interpreter
	uv     string // its path; empty when pip is to do the work

	before, locked *requirements.Lock   // before is that which a refresh replaces; nil when there was none that could be read
	lockText       []byte               // of locked
	installed      []requirements.Entry // those of locked that are for this interpreter
	asked          *requirements.Result // what the files ask for

	settings *settings
	tool     *tool
	report   *Report
}

// examine finds the tool, asks the interpreter, and reads what is asked for.
func examine(ctx context.Context, o Options) (*builder, error) {
	b := &builder{o: o, report: &Report{Built: []string{}, Changes: []Change{}, Warnings: []string{}, Refreshed: o.Refresh}}
	var err error
	if b.uv, err = findUV(o); err != nil {
		return nil, err
	}
	name := o.Python
	if name == "" {
		name = "python3"
	}
	b.begin("interpreter", name)
	if b.python, err = Query(ctx, name, o.Environ); err != nil {
		return nil, err
	}
	b.report.Python = b.python.Version
	b.asked, err = requirements.Normalize(requirements.Input{
		Files: o.Requirements, Constraints: o.Constraints, Overrides: o.Overrides, Env: b.python.Markers, Environ: o.Environ, Fetched: o.Fetched,
	})
	if err != nil {
		return nil, err
	}
	b.report.Normalized, b.report.Markdown = b.asked.Text(), b.asked.Markdown()
	return b, nil
}

// newBuilder checks all that can be checked before anything is touched.
func newBuilder(ctx context.Context, o Options, work string) (*builder, error) {
	b, err := examine(ctx, o)
	if err != nil {
		return nil, err
	}
	b.work = work
	if err := b.readLock(); err != nil {
		return nil, err
	}
	temporary := filepath.Join(work, "tmp")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		return nil, err
	}
	b.r = newRunner(o.Environ)
	b.r.dir = work
	b.r.env = append(b.r.env, "TMPDIR="+temporary)
	return b, nil
}

// readLock reads the lock. One that is resolved anew may be missing or broken.
func (b *builder) readLock() error {
	if b.o.Refresh {
		if len(b.asked.Lines) == 0 {
			return &yamldoc.Error{Path: b.o.Lock, Msg: "cannot be resolved: no requirements file asks for a package", Hint: "name Odoo's requirements.txt with --requirement"}
		}
		if data, err := readLockFile(b.o.Lock); err == nil {
			b.before, _ = requirements.ParseLock(b.o.Lock, data)
		}
		return nil
	}
	var err error
	b.locked, b.lockText, err = readLock(b.o, b.python)
	if err != nil {
		return err
	}
	b.installed, err = b.locked.Active(b.python.Markers)
	return err
}

// fill makes an environment at the place that was made for it.
func (b *builder) fill(ctx context.Context, v *virtualenv) error {
	steps := []struct {
		name, detail string
		run          func() error
	}{
		{"environment", v.dir, func() error { return v.create(ctx, b.r, b.python) }},
		{"settings", "", func() error { return b.configure(ctx, v) }},
		{"resolve", "", func() error { return b.resolve(ctx, v) }},
		{"install", "", func() error { return b.install(ctx, v) }},
		{"normalize", "", func() error { return normalizeVenv(v.dir) }},
		{"compile", "", func() error { return compile(ctx, b.r, v.dir) }},
		{"check", "", func() error { return Check(ctx, v.dir, b.o.Environ) }},
	}
	for _, step := range steps {
		if step.name == "resolve" && !b.o.Refresh || step.name == "compile" && !b.o.CompileBytecode {
			continue
		}
		b.begin(step.name, step.detail)
		start := time.Now()
		if err := step.run(); err != nil {
			return err
		}
		b.report.phase(step.name, time.Since(start))
	}
	return nil
}

func (b *builder) begin(phase, detail string) {
	if b.o.Progress != nil {
		b.o.Progress(phase, detail)
	}
}

// configure finds out where packages come from.
func (b *builder) configure(ctx context.Context, v *virtualenv) error {
	s, err := readSettings(ctx, b.r, b.o.Environ, v.python())
	if err != nil {
		return err
	}
	for _, option := range b.asked.Options {
		s.apply(option)
	}
	if b.locked != nil {
		for _, option := range b.locked.Options {
			s.apply(option)
		}
	}
	s.secrets(&b.r.redact)
	for _, name := range s.ignored {
		b.warn("pip's setting %s is not followed", name)
	}
	b.settings = s
	if b.tool, err = newTool(ctx, b.r, s, b.o, b.uv, v.python()); err != nil {
		return err
	}
	if s.preferBinary && b.tool.name == ToolUV {
		b.warn("uv has nothing like pip's prefer-binary, which is not followed")
	}
	b.report.Tool, b.report.ToolVersion = b.tool.name, b.tool.version
	return nil
}

func (b *builder) warn(format string, args ...any) {
	b.report.Warnings = append(b.report.Warnings, fmt.Sprintf(format, args...))
}

// resolve makes the lock's text.
func (b *builder) resolve(ctx context.Context, v *virtualenv) error {
	in := resolution{constraints: slices.Clone(b.settings.constraints), building: b.building()}
	var err error
	if in.requirements, err = b.write(requirementsFile, lines(b.asked.Lines, b.tool.name == ToolPip)); err != nil {
		return err
	}
	if len(b.asked.Constraints) > 0 {
		path, err := b.write(constraintsFile, lines(b.asked.Constraints, false))
		if err != nil {
			return err
		}
		in.constraints = append(in.constraints, path)
	}
	all, err := b.tool.resolve(ctx, b.settings, b.python, v.python(), in)
	if err != nil {
		return err
	}
	if b.lockText, err = formatLock(all, b.python, b.asked); err != nil {
		return err
	}
	if b.locked, err = requirements.ParseLock(b.o.Lock, b.lockText); err != nil {
		return err
	}
	if b.installed, err = b.locked.Active(b.python.Markers); err != nil {
		return err
	}
	if b.tool.name == ToolPip {
		b.warn("the lock has the hashes of the files for this platform alone, as pip tells no others; uv tells all")
	}
	b.report.Changes = changes(b.before, b.locked)
	return nil
}

// buildConstraints are the files that bound what builds source distributions,
// those of pip's settings included.
func (b *builder) buildConstraints() []string {
	var all []string
	for _, file := range b.o.BuildConstraints {
		all = append(all, locate(file, ""))
	}
	return slices.Concat(all, b.settings.buildConstraints, b.settings.constraints)
}

// install installs what is locked.
func (b *builder) install(ctx context.Context, v *virtualenv) error {
	text := b.lockText
	if config := configSettings(b.asked.Lines); len(config) > 0 && b.tool.name == ToolPip {
		text = withConfig(b.installed, config)
	}
	path, err := b.write("requirements.lock.txt", text)
	if err != nil {
		return err
	}
	b.report.Packages, b.report.Hashed = len(b.installed), b.locked.Hashed()
	b.compare(b.installed)
	b.report.Built, err = b.tool.install(ctx, b.settings, v.python(), path, b.report.Hashed, b.building())
	return err
}

// building says how source distributions are built.
func (b *builder) building() building {
	return building{b.buildConstraints(), configSettings(b.asked.Lines)}
}

// write writes a temporary file for a tool.
func (b *builder) write(name string, data []byte) (string, error) {
	path := filepath.Join(b.work, name)
	return path, os.WriteFile(path, data, 0o600)
}
