package portal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
)

// Target says where an archive is stored.
type Target struct {
	Dir       string
	Name      string // of the file; empty: as the server names it
	Overwrite bool
	// Progress is told how much has come, of how much: 0 if that is not known.
	// Nil: nobody is.
	Progress func(n, of int64)
	// Check reads an archive that was stored under a temporary name.
	Check func(ctx context.Context, path string) error
}

// File is an archive that was downloaded.
type File struct {
	Name   string `json:"name"`
	Type   string `json:"type"`   // tar.gz or zip
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hexadecimal
}

// maxResumes is how often a download that broke off is gone on with.
const maxResumes = 5

// ErrExists is of a file that is there already.
var ErrExists = errors.New("is there already")

// Download stores the archive, which appears under its name when it is complete
// and checked.
func (c *Client) Download(ctx context.Context, to Target) (*File, error) {
	if to.Name != "" {
		if !isFileName(to.Name) {
			return nil, fmt.Errorf("%q is no name for an archive\n  letters, digits and . _ + ~ - are fine, and .tar.gz, .tgz or .zip at the end", to.Name)
		}
		if err := to.free(to.Name); err != nil {
			return nil, err
		}
	}
	if err := c.session(ctx); err != nil {
		return nil, err
	}
	u := c.base.JoinPath("/thanks/download")
	u.RawQuery = url.Values{"code": {c.o.Code.Reveal()}, "platform_version": {c.o.Platform}}.Encode()
	t, err := c.begin(ctx, u)
	if err != nil {
		return nil, err
	}
	defer func() { t.body.Close() }()
	name := to.Name
	if name == "" {
		if name = t.name(); name == "" {
			name = "odoo-enterprise-" + onlyPlain(c.o.Platform) + "." + t.kind
		}
		if err := to.free(name); err != nil {
			return nil, err
		}
	}
	return t.store(ctx, to, name)
}

// free refuses to write over a file.
func (to Target) free(name string) error {
	if _, err := os.Lstat(filepath.Join(to.Dir, name)); err == nil && !to.Overwrite {
		return fmt.Errorf("%s %w\n  --overwrite replaces it", filepath.Join(to.Dir, name), ErrExists)
	}
	return nil
}

// transfer is an archive that is coming.
type transfer struct {
	c      *Client
	url    *url.URL
	body   io.ReadCloser
	reader io.Reader
	header http.Header
	kind   string
	size   int64 // announced; -1 if not
}

// begin asks for the archive, by way of the page that links to it if there is
// one.
func (c *Client) begin(ctx context.Context, u *url.URL) (*transfer, error) {
	for range 2 {
		answer, err := c.get(ctx, u, 0, "")
		if err != nil {
			return nil, err
		}
		body := c.patient(ctx, answer.Body)
		head := make([]byte, 4)
		n, err := io.ReadFull(body, head)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			_ = answer.Body.Close()
			return nil, fmt.Errorf("GET %s: %w", where(u), c.safe(err))
		}
		body = io.MultiReader(bytes.NewReader(head[:n]), body)
		if kind, err := archive.Sniff(head[:n]); err == nil {
			return &transfer{c, answer.Request.URL, answer.Body, body, answer.Header, kind, answer.ContentLength}, nil
		}
		page, err := io.ReadAll(io.LimitReader(body, maxAnswer))
		_ = answer.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("GET %s: %w", where(u), c.safe(err))
		}
		if u, err = c.link(page); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the portal answers with a page in the place of the archive\n  the link may have expired: try again; then look at the portal in a browser")
}

func (c *Client) get(ctx context.Context, u *url.URL, from int64, validator string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, c.safe(err)
	}
	if from > 0 {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		r.Header.Set("If-Range", validator)
	}
	return c.do(r)
}

var urls = regexp.MustCompile(`https?://[^\s"'<>\\]+`)

// link finds the one link to an archive that a page may have.
func (c *Client) link(page []byte) (*url.URL, error) {
	other := false
	for _, text := range urls.FindAllString(html.UnescapeString(string(page)), -1) {
		u, err := url.Parse(text)
		if err != nil || !strings.HasPrefix(u.Path, "/download/") || u.Query().Get("payload") == "" {
			continue
		}
		if c.allowed(u) {
			return u, nil
		}
		other = true
	}
	if other {
		return nil, errOtherHost
	}
	return nil, errors.New("the portal answers with a page that links to no archive\n  the subscription may not include this platform version, or the portal has changed; look at it in a browser")
}

// name is what the server calls the archive, if that is a name.
func (t *transfer) name() string {
	if _, params, err := mime.ParseMediaType(t.header.Get("Content-Disposition")); err == nil && isFileName(params["filename"]) {
		return params["filename"]
	}
	if base := path.Base(t.url.Path); isFileName(base) {
		return base
	}
	return ""
}

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,150}\.(tar\.gz|tgz|zip)$`)

func isFileName(name string) bool { return fileName.MatchString(name) }

// onlyPlain keeps letters, digits and _ of a text.
func onlyPlain(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, text)
}

// store writes the archive under a temporary name, checks it and renames it. What
// has come of one that breaks off is kept if the next download can go on with it.
func (t *transfer) store(ctx context.Context, to Target, name string) (*File, error) {
	p, err := t.partial(to.Dir)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	switch err := t.copy(ctx, p, to.Progress); {
	case err == nil:
	case p.lasting && !errors.Is(err, errUseless):
		return nil, fmt.Errorf("%w\n  %d bytes are kept, and the next download goes on from there", err, p.size)
	default:
		p.drop()
		return nil, err
	}
	if err := p.Sync(); err != nil {
		p.drop()
		return nil, err
	}
	if err := to.Check(ctx, p.Name()); err != nil {
		if ctx.Err() == nil {
			p.drop()
		}
		return nil, fmt.Errorf("what the portal sent is no good archive, and was not kept: %w", err)
	}
	if err := to.free(name); err != nil {
		p.drop()
		return nil, err
	}
	if err := os.Rename(p.Name(), filepath.Join(to.Dir, name)); err != nil {
		return nil, err
	}
	return &File{Name: name, Type: t.kind, Size: p.size, SHA256: hex.EncodeToString(p.sum.Sum(nil))}, nil
}

// errUseless is of what has come, when there is no use in going on with it.
var errUseless = errors.New("was not kept")

// copy takes all that the partial lacks. Where the server allows it, a download
// that breaks off is gone on with.
func (t *transfer) copy(ctx context.Context, p *partial, progress func(n, of int64)) error {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	buf := make([]byte, 256<<10)
	resumes := 0
	if p.size > 0 {
		if err := t.takeUp(ctx, p); err != nil {
			return err
		}
		progress(p.size, t.size)
	}
	for {
		n, err := t.reader.Read(buf)
		if n > 0 {
			if p.size+int64(n) > t.c.o.MaxSize {
				return fmt.Errorf("the archive is larger than %d MiB, and %w", t.c.o.MaxSize>>20, errUseless)
			}
			if _, err := p.Write(buf[:n]); err != nil {
				return fmt.Errorf("%w, and what has come %w", err, errUseless)
			}
			progress(p.size, max(t.size, 0))
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF) && (t.size < 0 || p.size == t.size):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if resumes++; resumes > maxResumes {
			return fmt.Errorf("the download has broken off again and again, after %d bytes: %w", p.size, t.c.safe(err))
		}
		if resumed := t.resume(ctx, p.size); resumed != nil {
			return fmt.Errorf("the download broke off after %d bytes (%w), and the server does not go on with it: %w\n  try again", p.size, t.c.safe(err), resumed)
		}
	}
}

// takeUp goes on with what an earlier download has left, or begins anew when the
// server does not.
func (t *transfer) takeUp(ctx context.Context, p *partial) error {
	if p.size == t.size {
		t.reader = http.NoBody
		return nil
	}
	if t.resume(ctx, p.size) == nil {
		return nil
	}
	if err := p.empty(); err != nil {
		return fmt.Errorf("%w, and what has come %w", err, errUseless)
	}
	_ = t.body.Close()
	answer, err := t.c.get(ctx, t.url, 0, "")
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return errors.New("the portal sends a part of the archive without being asked for one\n  try again")
	}
	name := t.partialName()
	t.body, t.reader, t.size, t.header = answer.Body, t.c.patient(ctx, answer.Body), answer.ContentLength, answer.Header
	p.lasting = p.lasting && t.partialName() == name
	return nil
}

// resume asks for what is missing, of the very same file.
func (t *transfer) resume(ctx context.Context, from int64) error {
	version := t.version()
	if version == "" {
		return errors.New("it offers no ranges")
	}
	_ = t.body.Close()
	answer, err := t.c.get(ctx, t.url, from, version)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusPartialContent || !strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from)) {
		_ = answer.Body.Close()
		return fmt.Errorf("the file has changed, and what had come %w", errUseless)
	}
	t.body, t.reader = answer.Body, t.c.patient(ctx, answer.Body)
	return nil
}

// patient is a body that is given up when nothing comes for the time-out.
func (c *Client) patient(ctx context.Context, body io.ReadCloser) io.Reader {
	return &patientReader{ctx, body, c.o.Timeout}
}

type patientReader struct {
	ctx     context.Context //nolint:containedctx // one answer's
	body    io.ReadCloser
	timeout time.Duration
}

func (p *patientReader) Read(b []byte) (int, error) {
	stop := time.AfterFunc(p.timeout, func() { _ = p.body.Close() })
	n, err := p.body.Read(b)
	if !stop.Stop() && err != nil && p.ctx.Err() == nil {
		err = fmt.Errorf("nothing came for %s", p.timeout)
	}
	return n, err
}
