package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
)

// stream writes commits for git fast-import. The same calls give the same
// ids, on any machine. Errors are kept by the writer and come from end.
type stream struct {
	w      *bufio.Writer
	marks  int
	files  int
	bytes  int64 // in files, unpacked
	buffer []byte
}

// fastImport feeds git fast-import in a bare repository with what write says.
func fastImport(ctx context.Context, dir string, write func(*stream)) error {
	cmd := exec.CommandContext(ctx, "git", "-c", "core.compression=1", "-c", "fastimport.unpackLimit=0",
		"fast-import", "--quiet", "--force", "--done")
	cmd.Dir, cmd.Env = dir, environment(dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s := &stream{w: bufio.NewWriterSize(in, 1<<20)}
	write(s)
	_, _ = s.w.WriteString("done\n")
	flushed := s.w.Flush()
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("git fast-import: %w\n%s", err, stderr.String())
	}
	return flushed
}

// commit begins a commit on top of a branch and returns its mark. from is
// where a new branch begins, a mark such as ":3"; empty for the branch's tip.
func (s *stream) commit(branch, from, message string) string {
	s.marks++
	when := 1_600_000_000 + 60*int64(s.marks)
	fmt.Fprintf(s.w, "commit refs/heads/%s\nmark :%d\n", branch, s.marks)
	fmt.Fprintf(s.w, "committer Ann <ann@example.com> %d +0000\ndata %d\n%s\n", when, len(message), message)
	if from != "" {
		fmt.Fprintf(s.w, "from %s\n", from)
	}
	return fmt.Sprintf(":%d", s.marks)
}

// file is a file of the commit begun last.
func (s *stream) file(mode, path string, content []byte) {
	s.files++
	s.bytes += int64(len(content))
	fmt.Fprintf(s.w, "M %s inline %s\ndata %d\n", mode, path, len(content))
	_, _ = s.w.Write(content)
	_ = s.w.WriteByte('\n')
}

// prose is a source of text that compresses as program text does: few words
// often, many seldom.
type prose struct {
	*rand.Rand
	words []string
}

func newProse(seed uint64) *prose {
	p := &prose{Rand: rand.New(rand.NewPCG(seed, 42))}
	syllables := strings.Fields("ac am ba ce co da de el en er fa fi ga ho il in ka la li ma mo na no or pa po qu ra re ri sa se so ta te ti to un va ve vi")
	for range 3000 {
		var word strings.Builder
		for range 1 + p.IntN(4) {
			word.WriteString(syllables[p.IntN(len(syllables))])
		}
		p.words = append(p.words, word.String())
	}
	return p
}

// index picks a word; the smaller it is, the more often.
func (p *prose) index() int {
	x := p.Float64()
	return int(x * x * x * float64(len(p.words)))
}

// sentence appends n words.
func (p *prose) sentence(b []byte, n int) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, p.words[p.index()]...)
	}
	return b
}

// noise appends n bytes that do not compress, as of a picture.
func (p *prose) noise(b []byte, n int) []byte {
	b = slices.Grow(b, n)
	for range n / 8 {
		x := p.Uint64()
		b = append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24), byte(x>>32), byte(x>>40), byte(x>>48), byte(x>>56))
	}
	return b
}
