// Package archive reads tar.gz and zip files that a stranger made. It writes
// nothing to disk: what is in an archive goes by as a stream, once, and an
// archive with anything in it that could do harm is refused as a whole.
//
// Refused are names that are absolute, have a "..", a backslash, a control
// character or a .git in them, that come twice, or that only letter case or
// Unicode's composition tells apart; hard links, devices, sockets, pipes and
// sparse files; files with setuid, setgid or sticky bits; symbolic links that
// lead out of the archive, and anything below one; what goes beyond Limits; and
// archives that end too early, or not where they should.
package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// Kinds of archives.
const (
	TarGz = "tar.gz"
	Zip   = "zip"
)

// ErrNoArchive is of a file that is neither tar.gz nor zip.
var ErrNoArchive = errors.New("is neither a tar.gz nor a zip archive")

// Error is an archive that is refused. It satisfies errors.Is(err, ErrRefused).
type Error struct {
	Entry string // the name in the archive; empty when it is about the whole
	Msg   string
}

// ErrRefused is of an archive with something in it that could do harm.
var ErrRefused = errors.New("archive refused")

func (e *Error) Error() string {
	if e.Entry == "" {
		return e.Msg
	}
	return fmt.Sprintf("entry %s %s", quote(e.Entry), e.Msg)
}

// Is implements errors.Is.
func (e *Error) Is(target error) bool { return target == ErrRefused }

// quote shows a name that may be long and hold anything.
func quote(name string) string {
	const most = 120
	if len(name) > most {
		return strconv.QuoteToASCII(name[:most]) + "…"
	}
	return strconv.QuoteToASCII(name)
}

// Limits are caps on what an archive may hold.
type Limits struct {
	Entries int   // files, links and directories
	Names   int64 // bytes of all names
	File    int64 // bytes of one file, unpacked
	Total   int64 // bytes of all files and what is between them, unpacked
}

// DefaultLimits are far above what a whole Odoo Enterprise needs: 100,000
// entries with 10 MB of names and 2.5 GB.
func DefaultLimits() Limits {
	return Limits{Entries: 300_000, Names: 48 << 20, File: 2 << 30, Total: 8 << 30}
}

// Mode is what an entry is.
type Mode int

// What an entry can be.
const (
	File Mode = iota
	Executable
	Link
	Dir
)

// Entry is something in an archive.
type Entry struct {
	Path    string // clean, relative, slashes between names; any other bytes above 0x1f
	Mode    Mode
	Size    int64     // bytes; of a link that of its target
	Target  string    // of a link
	ModTime time.Time // zero if the archive does not say
}

// Visit is given each entry with its content: a link's target, nothing for a
// directory. It need not read all. An error ends the walk.
type Visit func(e Entry, content io.Reader) error

// Source is something that can be walked through.
type Source interface {
	Walk(ctx context.Context, visit Visit) error
}

// Archive is a file that has not been read yet.
type Archive struct {
	f      *os.File
	info   os.FileInfo
	kind   string
	sum    string
	limits Limits
}

// Open opens an archive, whose kind its first bytes tell. Close it after use.
func Open(path string, limits Limits) (*Archive, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	a := &Archive{f: f, limits: limits}
	if a.info, err = f.Stat(); err == nil {
		a.kind, err = kindOf(f)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s %w", path, err), f.Close())
	}
	return a, nil
}

func kindOf(r io.ReaderAt) (string, error) {
	var magic [4]byte
	n, err := r.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return Sniff(magic[:n])
}

// Sniff tells the kind of an archive by its first four bytes. The error is
// ErrNoArchive.
func Sniff(head []byte) (string, error) {
	switch {
	case len(head) >= 3 && string(head[:3]) == "\x1f\x8b\x08":
		return TarGz, nil
	case len(head) >= 4 && (string(head[:4]) == "PK\x03\x04" || string(head[:4]) == "PK\x05\x06"):
		return Zip, nil
	}
	return "", ErrNoArchive
}

// Close closes the file.
func (a *Archive) Close() error { return a.f.Close() }

// Kind is TarGz or Zip.
func (a *Archive) Kind() string { return a.kind }

// Size is the file's, in bytes.
func (a *Archive) Size() int64 { return a.info.Size() }

// SHA256 is the hexadecimal SHA-256 of the file, once Walk has come to its end.
func (a *Archive) SHA256() string { return a.sum }

// Walk reads the archive from its beginning and calls visit for each entry, in
// the archive's order. Errors about the archive are *Error.
func (a *Archive) Walk(ctx context.Context, visit Visit) error {
	w := &walker{ctx: ctx, limits: a.limits, names: newNames(), visit: visit}
	hash := sha256.New()
	read := a.walkTarGz
	if a.kind == Zip {
		read = a.walkZip
	}
	if err := read(w, hash); err != nil {
		return err
	}
	now, err := a.f.Stat()
	if err != nil {
		return err
	}
	if now.Size() != a.info.Size() || !now.ModTime().Equal(a.info.ModTime()) {
		return &Error{Msg: "the archive was changed while it was read"}
	}
	a.sum = hex.EncodeToString(hash.Sum(nil))
	return nil
}

// Check reads an archive through, and refuses what Walk does.
func Check(ctx context.Context, path string, limits Limits) error {
	a, err := Open(path, limits)
	if errors.Is(err, ErrNoArchive) {
		return ErrNoArchive
	}
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Walk(ctx, func(Entry, io.Reader) error { return nil })
}

// walker holds entries to the rules.
type walker struct {
	ctx    context.Context //nolint:containedctx // one walk's
	limits Limits
	names  *names
	visit  Visit

	entries, nameBytes, total int64
}

// count adds unpacked bytes.
func (w *walker) count(n int64) error {
	if w.total += n; w.total > w.limits.Total {
		return &Error{Msg: fmt.Sprintf("the archive unpacks to more than %d MiB", w.limits.Total>>20)}
	}
	return w.ctx.Err()
}

// countEntry adds an entry, whatever it is.
func (w *walker) countEntry(name string) error {
	w.entries++
	w.nameBytes += int64(len(name))
	switch {
	case w.entries > int64(w.limits.Entries):
		return &Error{Msg: fmt.Sprintf("the archive has more than %d entries", w.limits.Entries)}
	case w.nameBytes > w.limits.Names:
		return &Error{Msg: fmt.Sprintf("the names in the archive have more than %d MiB", w.limits.Names>>20)}
	}
	return w.ctx.Err()
}

// entry checks an entry and hands it on.
func (w *walker) entry(name string, e Entry, content io.Reader) (err error) {
	if e.Path, err = cleanPath(name, e.Mode == Dir); err != nil {
		return err
	}
	if e.Path == "." {
		return nil
	}
	if e.Mode == Link {
		if err := checkTarget(e.Path, e.Target); err != nil {
			return err
		}
		w.nameBytes += int64(len(e.Target))
	}
	if e.Size > w.limits.File {
		return &Error{name, fmt.Sprintf("is larger than %d MiB", w.limits.File>>20)}
	}
	if err := w.names.add(e.Path, e.Mode); err != nil {
		return err
	}
	return w.visit(e, content)
}
