package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/nuobit/odyssey/internal/gitname"
)

// errNoV2 is a server, or a way to it, without protocol version 2.
var errNoV2 = errors.New("no protocol version 2")

// advertised is one ref of a server.
type advertised struct {
	name   string
	commit string // for an annotated tag, what it points at
}

// listRefs asks a server, in one run of one program, for the refs whose names
// begin with one of prefixes.
//
// git ls-remote does not send prefixes, so it receives every ref of the
// server; this speaks ls-refs of gitprotocol-v2(5) over git's own transport.
// A server without version 2 is asked by git ls-remote.
func (c *Client) listRefs(ctx context.Context, raw string, prefixes []string) ([]advertised, error) {
	t, err := c.target(ctx, raw)
	if err != nil {
		return nil, err
	}
	if refs, err := c.lsRefsDirect(ctx, t, prefixes); !errors.Is(err, errIndirect) {
		return refs, err
	}
	refs, err := c.lsRefs(ctx, t, prefixes)
	if errors.Is(err, errNoV2) {
		return c.lsRemote(ctx, t, prefixes)
	}
	return refs, err
}

func (c *Client) lsRefs(ctx context.Context, t target, prefixes []string) ([]advertised, error) {
	v, err := c.dial(ctx, t, maxOutput)
	if err != nil {
		return nil, err
	}
	refs, err := v.lsRefs(t.Scheme, prefixes)
	return refs, v.end(err)
}

func (v *conversation) lsRefs(scheme string, prefixes []string) ([]advertised, error) {
	if strings.HasPrefix(scheme, "http") {
		if err := v.connect(); err != nil {
			return nil, err
		}
	}
	lines := pktline.NewScanner(v.out)
	format, err := capabilities(lines)
	if err != nil {
		return nil, err
	}
	request, err := lsRefsRequest(format, prefixes)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(v.in, request); err != nil {
		return nil, err
	}
	refs, err := readRefs(lines, prefixes)
	if err == nil {
		// A stateful server waits for a further command, or this flush.
		_, _ = io.WriteString(v.in, pktline.FlushString)
	}
	return refs, err
}

// lsRefsDirect is lsRefs of a server that is asked directly.
func (c *Client) lsRefsDirect(ctx context.Context, t target, prefixes []string) ([]advertised, error) {
	server, ok := c.direct.at(t)
	if !ok {
		return nil, errIndirect
	}
	request, err := lsRefsRequest("sha1", prefixes)
	if err != nil {
		return nil, err
	}
	ctx, slow := context.WithCancelCause(context.WithValue(ctx, targetKey{}, t))
	defer slow(nil)
	answer, err := c.direct.ask(ctx, slow, server, request, c.received)
	if errors.Is(err, ErrTransient) {
		return nil, err // a server in trouble is not asked twice at once
	}
	if err != nil {
		return nil, errIndirect
	}
	defer answer.Close()
	all := &limited{answer, maxOutput}
	refs, err := readRefs(pktline.NewScanner(all), prefixes)
	switch {
	case errors.Is(err, errTooMuch):
		return nil, err
	case err != nil:
		return nil, errIndirect
	}
	_, _ = io.CopyN(io.Discard, all, 1<<10) // to the end, so that the connection can be used again
	return refs, nil
}

// readRefs reads the answer to a request for those whose names begin with one of
// prefixes.
func readRefs(lines *pktline.Scanner, prefixes []string) (refs []advertised, err error) {
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			return refs, nil
		}
		ref, err := parseRef(string(lines.Bytes()))
		if err != nil {
			return nil, err
		}
		if hasPrefix(ref.name, prefixes) { // prefixes are a wish that a server need not heed
			refs = append(refs, ref)
		}
	}
	return nil, cutShort(lines.Err())
}

// capabilities reads the server's greeting and returns its object format.
func capabilities(lines *pktline.Scanner) (format string, err error) {
	format = "sha1"
	for first := true; lines.Scan(); first = false {
		line := strings.TrimSuffix(string(lines.Bytes()), "\n")
		if first && line != "version 2" {
			return "", errNoV2
		}
		if line == "" {
			return format, nil
		}
		if value, ok := strings.CutPrefix(line, "object-format="); ok {
			format = value
		}
	}
	return "", cutShort(lines.Err())
}

// cutShort is the error for an answer that ends too early. A pktline.Scanner
// has no error at the end of its input.
func cutShort(err error) error {
	said := (*pktline.ErrorLine)(nil)
	switch {
	case errors.As(err, &said):
		text := clean(said.Text)
		return &Error{Args: []string{"ls-refs"}, ExitCode: -1, Stderr: text, class: classify(text)}
	case errors.Is(err, errTooMuch):
		return err
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return transientf("the server's answer breaks off: %w", err)
}

// lsRefsRequest is the ls-refs command of gitprotocol-v2(5).
func lsRefsRequest(format string, prefixes []string) (string, error) {
	var b strings.Builder
	lines := pktline.NewEncoder(&b)
	if err := lines.EncodeString("command=ls-refs\n", "agent=odyssey\n", "object-format="+format+"\n"); err != nil {
		return "", err
	}
	b.WriteString("0001") // the delimiter between capabilities and arguments
	if err := lines.EncodeString("peel\n"); err != nil {
		return "", err
	}
	for _, prefix := range prefixes {
		if err := lines.EncodeString("ref-prefix " + prefix + "\n"); err != nil {
			return "", err
		}
	}
	if err := lines.Flush(); err != nil {
		return "", err
	}
	return b.String(), nil
}

// parseRef reads "OID NAME[ peeled:OID]…".
func parseRef(line string) (advertised, error) {
	words := strings.Fields(line)
	if len(words) < 2 || !gitname.IsObjectID(words[0]) {
		return advertised{}, fmt.Errorf("the server lists %.100q, which is no ref", line)
	}
	ref := advertised{name: words[1], commit: words[0]}
	for _, word := range words[2:] {
		if peeled, ok := strings.CutPrefix(word, "peeled:"); ok && gitname.IsObjectID(peeled) {
			ref.commit = peeled
		}
	}
	return ref, nil
}

// lsRemote is listRefs for servers without version 2: they send every ref.
func (c *Client) lsRemote(ctx context.Context, t target, prefixes []string) ([]advertised, error) {
	out, err := c.git(ctx, t, "ls-remote", "--", t.String()).output()
	c.received(int64(len(out)))
	if err != nil {
		return nil, err
	}
	var refs []advertised
	for line := range strings.Lines(string(out)) {
		ref, err := parseRef(line)
		if err != nil {
			return nil, err
		}
		if name, peeled := strings.CutSuffix(ref.name, "^{}"); peeled && len(refs) > 0 && refs[len(refs)-1].name == name {
			refs[len(refs)-1].commit = ref.commit
		} else if hasPrefix(ref.name, prefixes) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
