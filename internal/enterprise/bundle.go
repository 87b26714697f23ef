package enterprise

import (
	"bytes"
	"context"
	"io"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/odoo"
)

// Bundle is what was found in a bundle, or in a directory that one was unpacked
// to.
type Bundle struct {
	Name    string    // of the file or directory, without where it is
	Date    time.Time // UTC midnight; zero if nothing tells
	Size    int64     // bytes of the file; 0 of a directory
	SHA256  string    // hexadecimal, of the file; empty of a directory
	Series  string    // such as 17.0; empty if there is no odoo/release.py
	Top     string    // the directory around everything, with a slash, or ""
	Modules map[string]*Module
}

// inMemory is how large a file may be to be read at once, in bytes.
const inMemory = 1 << 20

// sink is given what a bundle has outside of Community's modules, while it is
// being read. Whether it is in a module at all is known at the end only.
type sink interface {
	// put is given a file or link. id is nil of one larger than inMemory.
	put(e archive.Entry, id *blobID, content io.Reader) error
	// stored is told the id of what put was given.
	stored(e archive.Entry, id blobID)
}

// bundleReader goes through a bundle.
type bundleReader struct {
	index   *index
	wants   func(path string) bool // what the sink is given
	sink    sink
	tops    map[string]bool // the first names of all paths, up to the second
	newest  time.Time
	release map[string][]byte // odoo/release.py, by its path
	buf     bytes.Buffer

	links      map[string]string // their targets
	attributes map[string][]byte // files .gitattributes, by their paths

	attributesSize int // bytes
}

func newBundleReader(to sink) *bundleReader {
	return &bundleReader{
		index: newIndex(), sink: to, wants: func(string) bool { return false },
		tops: map[string]bool{}, release: map[string][]byte{}, links: map[string]string{}, attributes: map[string][]byte{},
	}
}

// bundle reads a bundle, and gives the sink, if there is one, what may be
// Enterprise.
func (r *bundleReader) bundle(ctx context.Context, source archive.Source, name string, community map[string]*Module) (*Bundle, error) {
	if r.sink != nil {
		r.wants = func(p string) bool { return mayBeEnterprise(p, community) }
	}
	if err := source.Walk(ctx, r.visit); err != nil {
		return nil, err
	}
	b := &Bundle{Name: name}
	if len(r.tops) == 1 {
		for top := range r.tops {
			b.Top = top + "/"
		}
	}
	var err error
	if b.Modules, err = r.index.modules(addonRoots(b.Top)); err != nil {
		return nil, err
	}
	if len(b.Modules) == 0 && b.Top != "" { // the one directory is an addons root, or a module
		b.Top = ""
		if b.Modules, err = r.index.modules(addonRoots("")); err != nil {
			return nil, err
		}
	}
	if len(b.Modules) == 0 {
		return nil, &NoBundleError{Name: name, Several: len(r.tops) > 1}
	}
	if data, ok := r.release[b.Top+"odoo/release.py"]; ok {
		b.Series, _ = odoo.ParseSeries("odoo/release.py", data) // to say nothing is no fault of a bundle
	}
	b.Date = bundleDate(r.newest, name, b.Top)
	return b, nil
}

// NoBundleError is of an archive or directory without a module.
type NoBundleError struct {
	Name    string
	Several bool // there is more than one directory at the top
}

func (e *NoBundleError) Error() string {
	text := e.Name + " holds no module below odoo/addons, addons or its top"
	if e.Several {
		text += ", where there are several directories"
	}
	return text + "\n  a bundle of Odoo's sources has them there, with one directory around everything or none"
}

// mayBeEnterprise guesses by a path, when it is not known yet whether there is one
// directory around everything. What it guesses wrongly is read again.
func mayBeEnterprise(p string, community map[string]*Module) bool {
	top, below, _ := strings.Cut(p, "/")
	for _, at := range []string{p, below} {
		if dir, _, ok := split(at, []string{"odoo/addons/", "addons/"}); ok {
			return community[path.Base(dir)] == nil
		}
	}
	second, _, _ := strings.Cut(below, "/")
	return top != "odoo" && second != "odoo" && community[top] == nil && community[second] == nil
}

// visit looks at one entry.
func (r *bundleReader) visit(e archive.Entry, content io.Reader) error {
	top, below, nested := strings.Cut(e.Path, "/")
	if len(r.tops) < 2 && (nested || e.Mode == archive.Dir) {
		r.tops[top] = true
	}
	if e.Mode == archive.Dir {
		return nil
	}
	if e.ModTime.After(r.newest) {
		r.newest = e.ModTime
	}
	if !nested {
		return nil
	}
	if e.Mode == archive.Link && isManifest(path.Base(e.Path)) {
		return &archive.Error{Entry: e.Path, Msg: "is a manifest, and a link"}
	}
	id, err := r.take(e, content, e.Path == "odoo/release.py" || below == "odoo/release.py" && len(r.tops) == 1)
	if err != nil {
		return err
	}
	r.index.add(file{e.Path, gitMode(e.Mode), id})
	return nil
}

// take hashes a file, and gives it to the sink if that wants it.
func (r *bundleReader) take(e archive.Entry, content io.Reader, isRelease bool) (id blobID, err error) {
	hash := newBlobHash(e.Size)
	if e.Size > inMemory {
		counted := &countingReader{r: io.TeeReader(content, hash)}
		wanted := r.wants(e.Path)
		if wanted {
			if err := r.sink.put(e, nil, counted); err != nil {
				return id, err
			}
		}
		if _, err := io.Copy(io.Discard, counted); err != nil {
			return id, err
		}
		hash.Sum(id[:0])
		if wanted {
			r.sink.stored(e, id)
		}
		return id, checkSize(e, counted.n)
	}
	r.buf.Reset()
	if _, err := r.buf.ReadFrom(content); err != nil {
		return id, err
	}
	if err := checkSize(e, int64(r.buf.Len())); err != nil {
		return id, err
	}
	_, _ = hash.Write(r.buf.Bytes())
	hash.Sum(id[:0])
	switch {
	case e.Mode == archive.Link:
		r.links[e.Path] = e.Target
	case path.Base(e.Path) == ".gitattributes":
		if r.attributesSize += r.buf.Len(); r.attributesSize > inMemory {
			return id, &archive.Error{Msg: "the .gitattributes files in the archive have more than 1 MiB"}
		}
		r.attributes[e.Path] = bytes.Clone(r.buf.Bytes())
	case isRelease:
		r.release[e.Path] = bytes.Clone(r.buf.Bytes())
	case isManifest(path.Base(e.Path)):
		r.index.read(e.Path, r.buf.Bytes())
	}
	if r.wants(e.Path) {
		if err := r.sink.put(e, &id, bytes.NewReader(r.buf.Bytes())); err != nil {
			return id, err
		}
		r.sink.stored(e, id)
	}
	return id, nil
}

func checkSize(e archive.Entry, n int64) error {
	if n != e.Size {
		return &archive.Error{Entry: e.Path, Msg: "has another size than was announced"}
	}
	return nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func gitMode(m archive.Mode) string {
	switch m {
	case archive.Executable:
		return git.ModeExecutable
	case archive.Link:
		return git.ModeSymlink
	default:
		return git.ModeFile
	}
}

// dated matches a day in a name, as in odoo_17.0+e.20260514.tar.gz.
var dated = regexp.MustCompile(`(?:^|[^0-9])(20[0-9]{2})-?([01][0-9])-?([0-3][0-9])(?:[^0-9]|$)`)

// bundleDate is the day that the names say, the first that says one, or that of
// the newest file.
func bundleDate(newest time.Time, names ...string) time.Time {
	for _, name := range names {
		for _, m := range dated.FindAllStringSubmatch(name, -1) {
			if day, err := time.Parse("20060102", m[1]+m[2]+m[3]); err == nil {
				return day
			}
		}
	}
	if newest.Unix() <= 0 {
		return time.Time{}
	}
	return newest.UTC().Truncate(24 * time.Hour)
}

// openSource opens what an import reads. sum fills in what is known of a file
// after it was read; done closes it.
func openSource(bundle, dir string, limits archive.Limits) (source archive.Source, name string, sum func(*Bundle), done func() error, err error) {
	if dir != "" {
		abs, err := filepath.Abs(dir)
		return archive.Directory{Path: dir, Limits: limits}, filepath.Base(abs), func(*Bundle) {}, func() error { return nil }, err
	}
	a, err := archive.Open(bundle, limits)
	if err != nil {
		return nil, "", nil, nil, err
	}
	return a, filepath.Base(bundle), func(b *Bundle) { b.Size, b.SHA256 = a.Size(), a.SHA256() }, a.Close, nil
}
