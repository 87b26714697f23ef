package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Blobs reads blobs one after another, in the order of ids, and calls yield
// with the number of the id and the content, which it must have read up when it
// returns; what it leaves is skipped. size is in bytes.
func (s *Store) Blobs(ctx context.Context, ids []string, yield func(i int, size int64, content io.Reader) error) error {
	if err := checkIDs(ids...); err != nil {
		return err
	}
	if pack, names := s.kept.with(ids); pack != nil {
		return fromPack(ctx, pack, names, yield)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A large file is handed on in pieces where it lies in a pack as a whole.
	t := target{settings: []setting{{"core.bigFileThreshold", "4m"}}}
	cmd := s.command(ctx, t, "cat-file", "--batch", "--buffer")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return cmd.failure(err)
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		w := bufio.NewWriterSize(in, 64<<10)
		for _, id := range ids {
			_, _ = w.WriteString(id + "\n")
		}
		_ = w.Flush() // fails when git has ended, which reading tells
		_ = in.Close()
	}()
	err = readBlobs(bufio.NewReaderSize(out, 256<<10), ids, yield)
	ended := errors.Is(err, errEnded)
	if err != nil && !ended {
		cancel()
	}
	<-asked
	if failed := cmd.Wait(); failed != nil && (err == nil || ended) {
		return cmd.failure(failed)
	}
	if missing := (*notBlobError)(nil); errors.As(err, &missing) {
		return fmt.Errorf("%w; %s", err, damaged(s.dir))
	}
	return err
}

// errEnded: git has ended before it has said all.
var errEnded = errors.New("git has ended too early")

// notBlobError is what git says of an object that is no file.
type notBlobError struct{ id, said string }

func (e *notBlobError) Error() string { return fmt.Sprintf("read object %s: %.200q", e.id, e.said) }

func readBlobs(r *bufio.Reader, ids []string, yield func(i int, size int64, content io.Reader) error) error {
	for i, id := range ids {
		head, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read object %s: %w", id, errEnded)
		}
		words := strings.Fields(string(head))
		if len(words) != 3 || words[1] != "blob" {
			return &notBlobError{id, strings.TrimSpace(string(head))}
		}
		size, err := strconv.ParseUint(words[2], 10, 63)
		if err != nil {
			return &notBlobError{id, strings.TrimSpace(string(head))}
		}
		content := &io.LimitedReader{R: r, N: int64(size)}
		err = yield(i, content.N, content)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		// The rest, and the line end.
		if _, short := io.CopyN(io.Discard, r, content.N+1); short != nil {
			return fmt.Errorf("read object %s: %w", id, errEnded)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
