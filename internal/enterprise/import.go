package enterprise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/git"
)

// Why an import stops before it changes anything, by errors.Is. The report says
// more.
var (
	ErrMissing = errors.New("the bundle lacks modules of the Community checkout")
	ErrDrift   = errors.New("modules of Community differ in the bundle")
	ErrHead    = errors.New("the Community checkout is not at the locked commit")
	// ErrInput: a bundle, checkout or directory that cannot be used.
	ErrInput = errors.New("invalid input")
)

// inputError is an error that satisfies errors.Is(err, ErrInput).
type inputError struct{ err error }

func (e *inputError) Error() string   { return e.err.Error() }
func (e *inputError) Unwrap() []error { return []error{e.err, ErrInput} }

// Options say what is to be imported, and how.
type Options struct {
	Bundle    string // a file …
	Download  string // … or a directory that one was unpacked to
	Community string // a checkout of Odoo Community
	Lock      string // repos.lock.yaml; optional with Extract
	Dest      string // of Community in the lock
	Mirror    string // work tree; optional without Apply
	Extract   string // a directory that is new or empty

	// For who has no checkouts: Checkout in the place of Community, Pin of Lock,
	// and Clone of Mirror. All are nil otherwise.
	Checkout *Checkout
	Pin      *Pin
	Clone    *Clone

	Apply, Removals       bool
	AllowDrift, AllowHead bool

	// MaxLag is how far apart the dates of the bundle and of Community's commit
	// may be without a warning; 0: DefaultLag.
	MaxLag time.Duration

	Limits archive.Limits
}

// run is one import.
type run struct {
	o          *Options
	pin        *Pin
	community  *Community
	mirror     *mirror
	reader     *bundleReader
	bundle     *Bundle
	enterprise map[string]*Module
	report     *Report
}

// Import reads a bundle, says what is Enterprise in it, and does with that what
// the options ask for. The report is not nil when the error is ErrMissing,
// ErrDrift or ErrHead.
func Import(ctx context.Context, client *git.Client, o Options) (*Report, error) {
	i := &run{o: &o}
	if err := i.prepare(ctx, client); err != nil {
		return nil, err
	}
	source, name, sum, done, err := openSource(o.Bundle, o.Download, o.Limits)
	if err != nil {
		return nil, &inputError{err}
	}
	defer func() { _ = done() }() // it was only read
	switch {
	case i.headError() != nil || !o.Apply && o.Extract == "":
		err = i.classify(ctx, source, name, sum, nil)
		return i.report, err
	case o.Apply:
		f, err := newFastImport(ctx, i.mirror)
		if err != nil {
			return nil, err
		}
		defer f.abort()
		if err := i.classify(ctx, source, name, sum, f); err != nil {
			return i.report, err
		}
		if err := i.complete(ctx, source, f, func(_ string, id blobID) bool { return f.known[id] }); err != nil {
			return nil, err
		}
		return i.report, i.apply(ctx, f)
	}
	x, err := newExtractor(o.Extract)
	if err != nil {
		return nil, err
	}
	defer x.close()
	if err := i.classify(ctx, source, name, sum, x); err != nil {
		return i.report, err
	}
	has := func(p string, _ blobID) bool { _, ok := x.known[p]; return ok }
	if err := i.complete(ctx, source, x, has); err != nil {
		return nil, err
	}
	i.report.ExtractResult = &ExtractResult{Destination: "<extract-to>", Modules: names(i.enterprise)}
	return i.report, x.publish(i.enterprise)
}

// prepare reads what the bundle is compared with.
func (i *run) prepare(ctx context.Context, client *git.Client) (err error) {
	o := i.o
	if o.Lock != "" {
		pin, err := ReadPin(o.Lock, o.Dest)
		if err != nil {
			return &inputError{err}
		}
		i.pin = &pin
	}
	if o.Pin != nil {
		i.pin = o.Pin
	}
	switch {
	case o.Clone != nil:
		i.mirror, err = o.Clone.open(ctx)
	case o.Mirror != "":
		i.mirror, err = openMirror(ctx, client, o.Mirror)
	}
	if err != nil {
		return err
	}
	if o.Apply {
		if err := i.mirror.checkClean(ctx); err != nil {
			return err
		}
	}
	if o.Extract != "" {
		if err := checkExtract(o.Extract); err != nil {
			return err
		}
	}
	if o.Checkout != nil {
		i.community, err = o.Checkout.open(ctx)
	} else {
		i.community, err = openCommunity(ctx, client, o.Community)
	}
	if err != nil {
		return &inputError{err}
	}
	return nil
}

// headError is ErrHead unless the checkout is at the locked commit, or need not
// be.
func (i *run) headError() error {
	if i.pin == nil || i.o.AllowHead || i.pin.holds(i.community) {
		return nil
	}
	hint := "check out " + i.pin.Commit
	if i.pin.Merges > 1 {
		hint = "materialise the lock anew; several merges are compared by their tree, which lock-repos --record-trees records"
	}
	at := i.community.Head
	if at == "" {
		at = "no commit: there is no git history"
	}
	return fmt.Errorf("%w: %s is locked at %s, the checkout is at %s\n  %s, or accept it by --allow-community-head-mismatch", ErrHead, i.pin.Dest, i.pin.Commit, at, hint)
}

// classify reads the bundle and writes the report. The error is one of those that
// stop an import, if there is reason to.
func (i *run) classify(ctx context.Context, source archive.Source, name string, sum func(*Bundle), to sink) (err error) {
	i.reader = newBundleReader(to)
	if i.bundle, err = i.reader.bundle(ctx, source, name, i.community.Modules); err != nil {
		return i.bundleError(err)
	}
	sum(i.bundle)
	if ours, theirs := i.community.Series, i.bundle.Series; ours != "" && theirs != "" && ours != theirs {
		return &inputError{&SeriesError{theirs, ours}}
	}
	i.enterprise = maps.Clone(i.bundle.Modules)
	maps.DeleteFunc(i.enterprise, func(name string, _ *Module) bool { return i.community.Modules[name] != nil })
	if err := i.checkEnterprise(ctx); err != nil {
		return err
	}
	if err := i.write(ctx); err != nil {
		return err
	}
	return i.stop()
}

// SeriesError is of a bundle of another series than Community's. It satisfies
// errors.Is(err, ErrInput).
type SeriesError struct{ Bundle, Community string }

func (e *SeriesError) Error() string {
	return fmt.Sprintf("the bundle is of Odoo %s, and the Community checkout of %s\n  download the bundle of that series, or name the checkout that belongs to it", e.Bundle, e.Community)
}

// bundleError tells what is the bundle's fault from other errors.
func (i *run) bundleError(err error) error {
	var twice *DuplicateError
	var nothing *NoBundleError
	if errors.Is(err, archive.ErrRefused) || errors.As(err, &twice) || errors.As(err, &nothing) {
		return &inputError{fmt.Errorf("bundle: %w", err)}
	}
	return err
}

// checkEnterprise refuses modules that a mirror could not hold as they are.
func (i *run) checkEnterprise(ctx context.Context) error {
	for _, name := range names(i.enterprise) {
		m := i.enterprise[name]
		for _, f := range m.files {
			target, isLink := i.reader.links[m.Dir+"/"+f.path]
			if !isLink {
				continue
			}
			if to := path.Join(path.Dir(f.path), target); to == ".." || strings.HasPrefix(to, "../") {
				return &inputError{fmt.Errorf("bundle: %w", &archive.Error{Entry: m.Dir + "/" + f.path, Msg: "is a link that leads out of its module"})}
			}
		}
	}
	if !i.o.Apply {
		return nil
	}
	if i.bundle.Date.IsZero() {
		return &inputError{errors.New("the bundle's date is not known: neither its name nor its files say one\n  name the file as Odoo does, such as odoo_17.0+e.20260514.tar.gz")}
	}
	of := map[string][]byte{}
	for p, data := range i.reader.attributes {
		if dir, _, ok := split(p, addonRoots(i.bundle.Top)); ok && i.enterprise[path.Base(dir)] != nil {
			of[p] = data
		}
	}
	return i.mirror.checkAttributes(ctx, of)
}

// stop is why nothing may be changed.
func (i *run) stop() error {
	n := i.report.Counts
	switch err := i.headError(); {
	case err != nil:
		return err
	case n.Missing > 0:
		return fmt.Errorf("%w: %s\n  refresh Community and download the bundle of the same days", ErrMissing, few(i.report.MissingCommunityModules))
	case n.Drifted > 0 && !i.o.AllowDrift:
		return fmt.Errorf("%w: %s\n  look at enterprise_drift_details in the report, then accept them by --allow-drift", ErrDrift, few(i.report.DriftedCommunityModules))
	}
	return nil
}

// complete reads the bundle once more if the sink was not given all of
// Enterprise, which only unusual layouts need.
func (i *run) complete(ctx context.Context, source archive.Source, to sink, has func(p string, id blobID) bool) error {
	lacks := map[string]bool{}
	for _, m := range i.enterprise {
		for _, f := range m.files {
			if p := m.Dir + "/" + f.path; !has(p, f.id) {
				lacks[p] = true
			}
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	r := newBundleReader(to)
	r.wants = func(p string) bool { return lacks[p] }
	return source.Walk(ctx, r.visit)
}

// write makes the report.
func (i *run) write(ctx context.Context) error {
	r := &Report{
		Mode: ModeDryRun, SourceBundleName: safeName(i.bundle.Name), SourceBundleSeries: i.bundle.Series, CommunityDest: i.o.Dest,
		EnterpriseModules: names(i.enterprise), MissingCommunityModules: []string{}, DriftedCommunityModules: []string{}, EnterpriseDriftDetails: []*Drift{},
	}
	switch {
	case i.o.Apply:
		r.Mode = ModeApply
	case i.o.Extract != "":
		r.Mode = ModeExtract
	}
	if i.bundle.SHA256 != "" {
		r.SourceBundleSHA256, r.SourceBundleSize = &i.bundle.SHA256, &i.bundle.Size
	}
	if date := day(i.bundle.Date); date != "" {
		r.SourceBundleDate = &date
	}
	if i.pin != nil {
		r.CommunityLockRevision = &i.pin.Commit
	}
	if i.community.Head != "" {
		r.CommunityWorktreeHead = &i.community.Head
	}
	for _, name := range names(i.community.Modules) {
		copied := i.bundle.Modules[name]
		if copied == nil {
			r.MissingCommunityModules = append(r.MissingCommunityModules, name)
			continue
		}
		d, err := i.community.drift(ctx, copied, i.community.Modules[name])
		if err != nil {
			return err
		}
		if d != nil {
			r.DriftedCommunityModules = append(r.DriftedCommunityModules, name)
			r.EnterpriseDriftDetails = append(r.EnterpriseDriftDetails, d)
		}
	}
	r.Counts = Counts{len(i.bundle.Modules), len(i.community.Modules), len(i.enterprise), len(r.MissingCommunityModules), len(r.DriftedCommunityModules)}
	var current map[string]*Module
	if i.mirror != nil {
		changed := func(m *Module) bool { s := i.enterprise[m.Name]; return s == nil || !s.equal(m) }
		if err := i.mirror.readVersions(ctx, changed); err != nil {
			return err
		}
		current = i.mirror.modules
	}
	r.ImportPlan = makePlan(i.enterprise, current)
	r.summarize(i.bundle, i.community, i.o)
	i.report = r
	return nil
}
