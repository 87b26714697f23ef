package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Partials keeps between runs what was learnt of remotes: for each URL commits
// and trees, and of files only those that were asked for. What one URL gave is
// never taken for another's.
//
//	partials/URL/objects/  a repository's objects directory
//	partials/URL/shallow   the commits among them whose parents are not
//	partials/URL/tips      commits that were asked for, the newest last
//	tmp/                   what is being fetched, one directory a process
//
// Several processes may use one directory, and one may use it concurrently.
type Partials struct {
	c         *Client
	dir       string
	scratch   string // this process's directory in tmp
	lock      *os.File
	temporary bool
	depths    []int // that histories are fetched to, one after the other
	packs     int   // more of one URL, and it is fetched anew

	mu   sync.Mutex
	open map[string]*partial
}

// maxPartialPacks is how many packs are kept of one URL. Each fetch brings one,
// and to begin again is cheap.
const maxPartialPacks = 64

// OpenPartials opens such a directory, which it makes if need be. Without a name
// it is a temporary one, which Close removes.
func (c *Client) OpenPartials(dir string) (*Partials, error) {
	p := &Partials{c: c, depths: depths(), packs: maxPartialPacks, open: map[string]*partial{}, temporary: dir == ""}
	var err error
	if p.temporary {
		sweepTemporary(os.TempDir())
		dir, err = os.MkdirTemp("", temporaryName+"*")
	} else {
		dir, err = filepath.Abs(dir)
	}
	if err == nil && strings.ContainsAny(dir, "\n\x00") {
		err = fmt.Errorf("%q: no name of a directory may have a line end", dir)
	}
	if err == nil {
		p.dir = dir
		err = p.prepare()
	}
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return p, nil
}

// temporaryName begins the names of temporary directories.
const temporaryName = "odyssey-partials-"

// sweepTemporary removes what processes of this user that were killed have left of
// temporary directories in a directory. A process that lives has a lock in its own.
func sweepTemporary(in string) {
	left, err := filepath.Glob(filepath.Join(in, temporaryName+"*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 != 0 || time.Since(info.ModTime()) < young {
			continue
		}
		tmp := filepath.Join(dir, "tmp")
		if sys, ok := info.Sys().(*syscall.Stat_t); !ok || int(sys.Uid) != os.Geteuid() || sweep(tmp) != nil {
			continue
		}
		if runs, err := os.ReadDir(tmp); err == nil && len(runs) == 0 {
			_ = os.RemoveAll(dir) // what stays now goes next time
		}
	}
}

func (p *Partials) prepare() error {
	tmp := filepath.Join(p.dir, "tmp")
	if err := errors.Join(os.MkdirAll(filepath.Join(p.dir, "partials"), 0o755), os.MkdirAll(tmp, 0o755)); err != nil {
		return err
	}
	if err := checkOwner(p.dir); err != nil {
		return err
	}
	if err := sweep(tmp); err != nil {
		return err
	}
	var err error
	p.scratch, p.lock, err = makeScratch(tmp)
	return err
}

// Close removes what the process kept beside what lasts.
func (p *Partials) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []error
	for _, r := range p.open {
		all = append(all, r.held.Close())
	}
	p.open = nil
	if p.c.direct != nil {
		p.c.direct.idle()
	}
	all = append(all, os.RemoveAll(p.scratch), p.lock.Close())
	if p.temporary {
		all = append(all, os.RemoveAll(p.dir))
	}
	return errors.Join(all...)
}

// partial is what is kept of one URL.
type partial struct {
	*Partials
	url  string
	home string   // where it lasts
	view *bare    // reads it; has no configuration, so that git asks no remote by itself
	held *os.File // home, locked as long as the process uses it

	fetching sync.Mutex
	using    sync.Mutex
	users    int
	gone     map[string]bool // commits that the server said it does not have
}

// of opens what is kept of a URL, for as long as done is not called.
func (p *Partials) of(url string) (r *partial, done func(), err error) {
	if _, err := p.c.check(url); err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		return nil, nil, errors.New("the partial repositories are closed")
	}
	r = p.open[url]
	if r == nil {
		if r, err = p.enter(url); err != nil {
			return nil, nil, fmt.Errorf("cache: %w", err)
		}
		p.open[url] = r
	}
	r.use(1)
	return r, func() { r.use(-1) }, nil
}

func (r *partial) use(n int) {
	r.using.Lock()
	defer r.using.Unlock()
	r.users += n
}

// enter makes a partial, which sees what earlier processes have left.
func (p *Partials) enter(url string) (*partial, error) {
	sum := sha256.Sum256([]byte(url))
	name := hex.EncodeToString(sum[:16])
	r := &partial{Partials: p, url: url, home: filepath.Join(p.dir, "partials", name), gone: map[string]bool{}}
	if err := os.MkdirAll(filepath.Join(r.home, "objects", "pack"), 0o755); err != nil {
		return nil, err
	}
	var err error
	if r.held, err = os.Open(r.home); err != nil {
		return nil, err
	}
	err = r.locked(syscall.LOCK_SH)
	if err == nil {
		r.view, err = r.seeing("view-", nil)
	}
	if err != nil {
		return nil, errors.Join(err, r.held.Close())
	}
	return r, nil
}

func (r *partial) locked(how int) error { return syscall.Flock(int(r.held.Fd()), how) }

// seeing makes a repository in the process's directory that reads from homes of
// partials, beside its own: from this one's, and those of others.
func (r *partial) seeing(name string, others []*partial) (*bare, error) {
	dir, err := os.MkdirTemp(r.scratch, name)
	if err != nil {
		return nil, err
	}
	b, err := r.c.bare(dir)
	if err != nil {
		return nil, err
	}
	b.env = []string{allocLimit}
	var objects strings.Builder
	for _, other := range append([]*partial{r}, others...) {
		objects.WriteString(filepath.Join(other.home, "objects") + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "objects", "info", "alternates"), []byte(objects.String()), 0o644); err != nil {
		return nil, err
	}
	var cut []string
	for _, other := range append([]*partial{r}, others...) {
		kept, err := keptIDs(filepath.Join(other.home, "shallow"))
		if err != nil {
			return nil, err
		}
		cut = append(cut, kept...)
	}
	return b, writeIDs(filepath.Join(dir, "shallow"), cut)
}

// anew throws away what is kept when it has become many pieces, unless somebody
// else reads it.
func (r *partial) anew() error {
	packs, err := filepath.Glob(filepath.Join(r.home, "objects", "pack", "pack-*.pack"))
	if err != nil || len(packs) <= r.packs {
		return err
	}
	r.using.Lock()
	defer r.using.Unlock()
	if r.users > 1 || r.locked(syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil
	}
	err = os.RemoveAll(filepath.Join(r.home, "tips")) // first: they say what is there
	err = errors.Join(err, os.RemoveAll(filepath.Join(r.home, "objects")), os.RemoveAll(filepath.Join(r.home, "shallow")))
	err = errors.Join(err, os.MkdirAll(filepath.Join(r.home, "objects", "pack"), 0o755), os.RemoveAll(filepath.Join(r.view.dir, "shallow")))
	return errors.Join(err, r.locked(syscall.LOCK_SH))
}

// Joined is a repository that sees what is kept of several URLs, and keeps what is
// written into it by itself. Remove it after use.
type Joined struct {
	*bare
	all  []*partial
	done []func()
}

// Join makes one of URLs, none of which is asked.
func (p *Partials) Join(ctx context.Context, urls []string) (*Joined, error) {
	j := &Joined{}
	var err error
	for _, url := range urls {
		r, done, failed := p.of(url)
		if failed != nil {
			err = failed
			break
		}
		j.all, j.done = append(j.all, r), append(j.done, done)
	}
	if err == nil && len(j.all) == 0 {
		err = errors.New("no URL to join")
	}
	if err == nil {
		j.bare, err = j.all[0].seeing("joined-", j.all[1:])
	}
	if err == nil {
		err = j.uncut(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, j.Remove())
	}
	return j, nil
}

// Remove removes the repository.
func (j *Joined) Remove() error {
	for _, done := range j.done {
		done()
	}
	if j.bare == nil {
		return nil
	}
	return os.RemoveAll(j.dir)
}
