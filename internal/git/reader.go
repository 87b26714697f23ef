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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := s.command(ctx, target{}, "cat-file", "--batch", "--buffer")
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
	if err != nil {
		cancel()
	}
	<-asked
	if failed := cmd.Wait(); failed != nil && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return cmd.failure(failed)
	}
	return err
}

func readBlobs(r *bufio.Reader, ids []string, yield func(i int, size int64, content io.Reader) error) error {
	for i, id := range ids {
		head, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read object %s: %w", id, err)
		}
		words := strings.Fields(string(head))
		if len(words) != 3 || words[1] != "blob" {
			return fmt.Errorf("read object %s: %q; the cache is damaged: remove its directory and build again", id, strings.TrimSpace(string(head)))
		}
		size, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			return fmt.Errorf("read object %s: %w", id, err)
		}
		content := &io.LimitedReader{R: r, N: size}
		if err := yield(i, size, content); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, content.N+1); err != nil { // and the line end
			return fmt.Errorf("read object %s: %w", id, err)
		}
	}
	return nil
}
