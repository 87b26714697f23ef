package git_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// blobID is the id of a file's content.
func blobID(content string) string {
	return fmt.Sprintf("%x", sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(content), content))))
}

func TestStore_Blobs(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	all, ids := map[string]string{"empty": ""}, []string{blobID("")}
	for i := range 5000 {
		content := fmt.Sprintf("%d\n%s", i, strings.Repeat("blob 3\n", i%7))
		all[fmt.Sprintf("d%d/f%d", i%50, i)] = content
		ids = append(ids, blobID(content), blobID(content))
	}
	commit := repo.Commit(t, "main", all)
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, commit)
	next := 0
	buffer := make([]byte, 3)
	err := s.Blobs(t.Context(), ids, func(i int, size int64, content io.Reader) error {
		if i != next {
			t.Fatalf("number %d comes after %d", i, next-1)
		}
		next++
		if i%3 == 1 { // a part is read, the rest is skipped
			_, err := content.Read(buffer)
			return err
		}
		data, err := io.ReadAll(content)
		if blobID(string(data)) != ids[i] || int64(len(data)) != size {
			t.Errorf("number %d is %q", i, data)
		}
		return err
	})
	if err != nil || next != len(ids) {
		t.Errorf("%d of %d, %v", next, len(ids), err)
	}
	if err := s.Blobs(t.Context(), nil, func(int, int64, io.Reader) error { return errors.New("called") }); err != nil {
		t.Errorf("none: %v", err)
	}
}

func TestStore_Blobs_faults(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, commit, _ := large(t, srv)
	file, setting := credentials(t)
	o := options()
	o.CredentialsFile = file
	s := openStore(t, o, t.TempDir())
	fetch(t, s, repo.URL, nil, commit)
	tree, err := s.TreeOf(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	a, gone := blobID(noise(1, 300_000)), strings.Repeat("ab", 20)
	read := func(_ int, _ int64, content io.Reader) error {
		_, err := io.Copy(io.Discard, content)
		return err
	}
	for want, id := range map[string]string{gone + " missing": gone, tree + " tree": tree, commit + " commit": commit} {
		err := s.Blobs(t.Context(), []string{a, id, a}, read)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "is damaged; remove it") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	many := strings.Split(strings.TrimSpace(strings.Repeat(a+" ", 2000)), " ")
	mine := errors.New("mine")
	for name, test := range map[string]struct {
		yield func(ctx context.Context, cancel func()) error
		want  error
	}{
		"an error of the caller": {func(context.Context, func()) error { return mine }, mine},
		"one about an end":       {func(context.Context, func()) error { return fmt.Errorf("mine: %w", io.ErrUnexpectedEOF) }, io.ErrUnexpectedEOF},
		"cancelled": {func(ctx context.Context, cancel func()) error {
			cancel()
			<-ctx.Done()
			return nil
		}, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		start, calls := time.Now(), 0
		err := s.Blobs(ctx, many, func(int, int64, io.Reader) error {
			calls++
			return test.yield(ctx, cancel)
		})
		cancel()
		if !errors.Is(err, test.want) || calls > 20 || strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		left := processes(t, setting)
		if len(left) > 0 {
			t.Errorf("%s: left: %q", name, left)
		}
	}
}

// A git that ends in the middle is an error that says why.
func TestStore_Blobs_dies(t *testing.T) { //nolint:paralleltest // the PATH is the process's
	s := openStore(t, options(), t.TempDir())
	id := blobID("x")
	for script, want := range map[string]string{
		`echo "fatal: no memory" >&2; exit 128`: "no memory", `printf '%s blob 100\nabc' ` + id + `; exit 3`: "exit code 3", `printf '%s blob 100\nabc' ` + id: "too early", `echo ` + id + ` blob x`: "blob x", `exit 0`: "too early",
		`echo ` + id + ` blob -5`: "blob -5",
	} {
		program(t, script, "git")
		err := s.Blobs(t.Context(), []string{id}, func(_ int, _ int64, content io.Reader) error {
			_, err := io.ReadAll(content)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
}

// A large file passes through, and does not stay.
func TestStore_Blobs_large(t *testing.T) { //nolint:paralleltest // it looks at the memory of the process
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	const size = 64 << 20
	commit := repo.Commit(t, "main", map[string]string{"f": string(bytes.Repeat([]byte("0123456789abcdef"), size/16))})
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, commit)
	entries, err := s.List(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var read int64
	err = s.Blobs(t.Context(), []string{entries[0].ID}, func(_ int, _ int64, content io.Reader) (err error) {
		read, err = io.Copy(io.Discard, content)
		return err
	})
	runtime.ReadMemStats(&after)
	if err != nil || read != size {
		t.Errorf("%d bytes, %v", read, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}

func TestStore_Attributes(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Add(t, gitserver.Commit{
		Branch: "main",
		Files:  map[string]string{".gitattributes": "a", "d/.gitattributes": "b", "e/.gitattributes": "../x", "x.gitattributes": "c", ".gitattributes.d/f": "d"},
		Modes:  map[string]string{"e/.gitattributes": gitserver.Symlink, "d/.gitattributes": gitserver.Executable},
	})[0]
	big := repo.Commit(t, "big", map[string]string{".gitattributes": strings.Repeat("x", 9<<20), "d/.gitattributes": strings.Repeat("y", 9<<20)})
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, id, big)
	read := func(id string) (map[string][]byte, error) {
		entries, err := s.List(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return s.Attributes(t.Context(), entries)
	}
	if got, err := read(id); err != nil || fmt.Sprintf("%s", got) != "map[.gitattributes:a d/.gitattributes:b]" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := read(big); err == nil || !strings.Contains(err.Error(), ".gitattributes files have more than 16 MiB") {
		t.Errorf("got %v", err)
	}
	for text, want := range map[string]bool{
		"*.bat eol=crlf\n": true, "a ident": true, "a\tworking-tree-encoding=UTF-16\n": true, "[attr]x ident\n* x\n": true, "a text crlf\r\n": true,
		"* text=auto\n": false, "a binary\n": false, "*.ident merge=union\n": false, "a -ident\n": false, "# eol": false, "": false, "a filter=lfs diff=lfs merge=lfs -text\n": false,
	} {
		if got := git.Converts(map[string][]byte{"x": []byte("* text\n"), "y": []byte(text)}); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
