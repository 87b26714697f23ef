package portal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// partial is what has come of an archive. Where the server tells the version of
// the file and sends parts of it, the partial is named by that version: the next
// download of the very same file goes on with it.
type partial struct {
	*os.File
	sum     hash.Hash // SHA-256 of what is in it
	size    int64     // bytes in it
	lasting bool      // another download can go on with it
}

// version is the server's word for the content of the file; "" when it cannot be
// gone on with.
func (t *transfer) version() string {
	tag := t.header.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") || t.header.Get("Accept-Ranges") != "bytes" {
		return ""
	}
	return tag
}

// partialName is the name of the partial, with a * where it is not to be gone on
// with.
func (t *transfer) partialName() string {
	id := "*"
	if version := t.version(); version != "" && t.size > 0 {
		sum := sha256.Sum256([]byte(strings.Join([]string{t.url.Host, t.url.Path, version, fmt.Sprint(t.size)}, "\n")))
		id = hex.EncodeToString(sum[:8])
	}
	return ".odoo-enterprise-" + onlyPlain(t.c.o.Platform) + "-" + id + ".partial"
}

// partial opens the partial in a directory, and reads what an earlier download has
// left in it. Those of other versions are removed: nobody goes on with them.
func (t *transfer) partial(dir string) (*partial, error) {
	name := t.partialName()
	t.sweep(dir, name)
	if strings.Contains(name, "*") {
		f, err := os.CreateTemp(dir, name)
		if err != nil {
			return nil, err
		}
		return &partial{File: f, sum: sha256.New()}, lock(f)
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	p := &partial{File: f, sum: sha256.New(), lasting: true}
	if err := errors.Join(lock(f), p.read(t.size)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}

// read takes up what is there, unless that is more than the file has.
func (p *partial) read(most int64) error {
	info, err := p.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular() || !own(info):
		return fmt.Errorf("%s is no plain file of your own\n  remove it", p.Name())
	case info.Size() > most:
		return p.empty()
	}
	p.size, err = io.Copy(p.sum, p)
	return err
}

// own reports whether a file is this user's: what others have left could be
// anything.
func own(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// empty begins anew.
func (p *partial) empty() error {
	p.sum.Reset()
	p.size = 0
	_, err := p.Seek(0, io.SeekStart)
	return errors.Join(err, p.Truncate(0))
}

// Write adds what has come.
func (p *partial) Write(b []byte) (int, error) {
	n, err := p.File.Write(b)
	p.sum.Write(b[:n])
	p.size += int64(n)
	return n, err
}

// drop removes the partial.
func (p *partial) drop() { _ = os.Remove(p.Name()) }

// lock takes a partial for this process. The lock ends with the process.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another download of the same archive into %s is running: wait for it", filepath.Dir(f.Name()))
	}
	return nil
}

// sweep removes partials of the platform version that nobody is at work on, but
// for one to keep.
func (t *transfer) sweep(dir, keep string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	prefix := ".odoo-enterprise-" + onlyPlain(t.c.o.Platform) + "-"
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || !strings.HasSuffix(e.Name(), ".partial") || e.Name() == keep || !e.Type().IsRegular() {
			continue
		}
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if lock(f) == nil {
			_ = os.Remove(f.Name())
		}
		_ = f.Close()
	}
}
