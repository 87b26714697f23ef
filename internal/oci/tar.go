package oci

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// tarWriter writes a tar archive in POSIX's format. Every field of a header is
// set by what is known of the file alone: no owner, no clock, no platform. What
// does not fit into a plain header (long names, large files) goes into an
// extended one before it.
type tarWriter struct {
	w    io.Writer
	left int64 // bytes that the current file still lacks
	pad  int64 // zero bytes that end it
	err  error
}

// tarEntry is a file, a directory or a link in an archive. All belong to root.
type tarEntry struct {
	name string // without a slash in front; directories end in one
	mode int64  // permission bits
	size int64  // of regular files, in bytes
	time int64  // of the last change, in seconds since 1970
	link string // the target of a symbolic link
	kind byte
}

const (
	tarFile    = '0'
	tarSymlink = '2'
	tarDir     = '5'
	tarPAX     = 'x'

	tarBlock   = 512
	tarMaxSize = 1<<33 - 1 // that eleven octal digits hold
)

// header begins an entry. The content of a regular file is written next.
func (t *tarWriter) header(e tarEntry) error {
	if t.err != nil {
		return t.err
	}
	if t.left > 0 {
		return t.fail(fmt.Errorf("%s: the file before lacks %d bytes", e.name, t.left))
	}
	prefix, name, fits := splitName(e.name)
	var records strings.Builder
	if !fits {
		record(&records, "path", e.name)
		prefix, name = "", cut(e.name, 100)
	}
	link := e.link
	if len(link) > 100 {
		record(&records, "linkpath", link)
		link = cut(link, 100)
	}
	if e.size > tarMaxSize {
		record(&records, "size", strconv.FormatInt(e.size, 10))
	}
	if records.Len() > 0 {
		extended := tarEntry{name: "PaxHeaders/" + cut(strings.TrimSuffix(name, "/"), 80), mode: 0o644, size: int64(records.Len()), kind: tarPAX}
		t.block(extended, "", extended.name, "")
		t.begin(extended.size)
		if _, err := io.WriteString(t, records.String()); err != nil {
			return err
		}
	}
	t.block(e, prefix, name, link)
	if e.kind == tarFile {
		t.begin(e.size)
	}
	return t.err
}

// Write writes content of the entry that was begun last.
func (t *tarWriter) Write(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	if int64(len(p)) > t.left {
		return 0, t.fail(errTooLong)
	}
	n, err := t.w.Write(p)
	t.left -= int64(n)
	if err != nil {
		return n, t.fail(err)
	}
	if t.left == 0 {
		t.zeros(t.pad)
	}
	return n, t.err
}

// close ends the archive.
func (t *tarWriter) close() error {
	if t.err == nil && t.left > 0 {
		return t.fail(fmt.Errorf("the last file lacks %d bytes", t.left))
	}
	t.zeros(2 * tarBlock)
	return t.err
}

var errTooLong = fmt.Errorf("%w: a file has grown", ErrChanged)

func (t *tarWriter) fail(err error) error {
	t.err = err
	return err
}

func (t *tarWriter) begin(size int64) { t.left, t.pad = size, -size&(tarBlock-1) }

func (t *tarWriter) zeros(n int64) {
	var block [2 * tarBlock]byte
	if t.err == nil && n > 0 {
		_, t.err = t.w.Write(block[:n])
	}
}

// block writes a header block as POSIX.1-1988 (ustar) has it.
func (t *tarWriter) block(e tarEntry, prefix, name, link string) {
	var b [tarBlock]byte
	copy(b[0:100], name)
	octal(b[100:108], e.mode)
	octal(b[108:116], 0) // user
	octal(b[116:124], 0) // group
	octal(b[124:136], min(e.size, tarMaxSize))
	octal(b[136:148], e.time)
	copy(b[148:156], "        ")
	b[156] = e.kind
	copy(b[157:257], link)
	copy(b[257:265], "ustar\x0000")
	octal(b[329:337], 0) // device
	octal(b[337:345], 0)
	copy(b[345:500], prefix)
	sum := int64(0)
	for _, c := range b {
		sum += int64(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	if t.err == nil {
		_, t.err = t.w.Write(b[:])
	}
}

// octal fills a field with a number and the zero byte that ends it.
func octal(field []byte, n int64) {
	for i := len(field) - 2; i >= 0; i-- {
		field[i] = byte('0' + n&7)
		n >>= 3
	}
}

// splitName divides a name between the two fields of a header, at a slash.
func splitName(name string) (prefix, rest string, fits bool) {
	if len(name) <= 100 {
		return "", name, true
	}
	at := strings.LastIndexByte(name[:min(156, len(name)-1)], '/')
	if at <= 0 || len(name)-at-1 > 100 {
		return "", "", false
	}
	return name[:at], name[at+1:], true
}

// record adds a record of an extended header: its own length in decimal digits, a space,
// key, =, value and a line end.
func record(b *strings.Builder, key, value string) {
	size := len(key) + len(value) + 3
	length := size + len(strconv.Itoa(size))
	if more := size + len(strconv.Itoa(length)); more != length {
		length = more
	}
	fmt.Fprintf(b, "%d %s=%s\n", length, key, value)
}

func cut(s string, n int) string { return s[:min(n, len(s))] }
