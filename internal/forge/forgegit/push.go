package forgegit

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// Push makes the change's commit and pushes it. The same change makes the
// same commit. The branch's lease is checked by the server as it moves the
// branch, so nobody's commit is lost in a race.
//
// forge.ErrLeaseLost: Base is not at BaseHead, or Branch is not at Lease.
// *forge.FileError: a path cannot be a plain file in Base's tree.
// forge.ErrTransient after the push was sent leaves open whether it happened.
func (r *Remote) Push(ctx context.Context, c forge.Change) (string, error) {
	if err := Validate(c); err != nil {
		return "", err
	}
	adv, err := r.refs(ctx, transport.UploadPackServiceName)
	if err != nil {
		return "", err
	}
	if err := checkLeases(adv, c); err != nil {
		return "", err
	}
	store, err := r.fetch(ctx, adv, plumbing.NewHash(c.BaseHead))
	if err != nil {
		return "", err
	}
	commit, pack, err := pack(store, c)
	if err != nil {
		return "", err
	}
	if commit.String() == c.Lease {
		return c.Lease, nil
	}
	if adv, err = r.refs(ctx, transport.ReceivePackServiceName); err != nil {
		return "", err
	}
	if err := checkLeases(adv, c); err != nil {
		return "", err
	}
	return commit.String(), r.update(ctx, adv, &packp.Command{
		Name: plumbing.NewBranchReferenceName(c.Branch),
		Old:  plumbing.NewHash(c.Lease),
		New:  commit,
	}, pack)
}

func checkLeases(adv *packp.AdvRefs, c forge.Change) error {
	if err := checkLease(adv, c.Base, c.BaseHead); err != nil {
		return err
	}
	return checkLease(adv, c.Branch, c.Lease)
}

// checkLease compares a branch with the head it must have, "" for none.
func checkLease(adv *packp.AdvRefs, branch, want string) error {
	got := head(adv, branch)
	switch {
	case got == plumbing.NewHash(want):
		return nil
	case got.IsZero():
		return fmt.Errorf("branch %s is gone, not at %.10s: %w", branch, want, forge.ErrLeaseLost)
	case want == "":
		return fmt.Errorf("branch %s exists at %.10s: %w", branch, got, forge.ErrLeaseLost)
	}
	return fmt.Errorf("branch %s is at %.10s, not at %.10s: %w", branch, got, want, forge.ErrLeaseLost)
}

// update sends one command; the server runs it only while the branch is at
// command.Old.
func (r *Remote) update(ctx context.Context, adv *packp.AdvRefs, command *packp.Command, pack []byte) error {
	req := packp.NewReferenceUpdateRequest()
	req.Commands = []*packp.Command{command}
	wanted := []capability.Capability{capability.ReportStatus}
	for _, c := range []capability.Capability{capability.Sideband64k, capability.DeleteRefs} {
		if adv.Capabilities.Supports(c) {
			wanted = append(wanted, c)
		}
	}
	for _, c := range wanted {
		if err := req.Capabilities.Set(c); err != nil {
			return err
		}
	}
	if err := req.Capabilities.Set(capability.Agent, agent); err != nil {
		return err
	}
	var body bytes.Buffer
	if err := req.Encode(&body); err != nil {
		return err
	}
	body.Write(pack)
	status, said, err := r.send(ctx, req, body.Bytes())
	if err != nil || status == "" {
		return err
	}
	return r.refused(ctx, command, status, said)
}

// send returns why the server did not run the command, "" when it did, and
// what its hooks printed.
func (r *Remote) send(ctx context.Context, req *packp.ReferenceUpdateRequest, body []byte) (status, said string, err error) {
	answer, err := r.post(ctx, transport.ReceivePackServiceName, body)
	if err != nil {
		return "", "", err
	}
	defer answer.Close()
	report := packp.NewReportStatus()
	var printed strings.Builder
	if req.Capabilities.Supports(capability.Sideband64k) {
		demuxer := sideband.NewDemuxer(sideband.Sideband64k, answer)
		demuxer.Progress = &printed
		err = report.Decode(demuxer)
	} else {
		err = report.Decode(answer)
	}
	switch {
	case err != nil:
		return "", "", garbled("read what became of the push", err)
	case report.UnpackStatus != "ok":
		return "", "", fmt.Errorf("%w: unpack: %s", forge.ErrTransient, forgehttp.Excerpt(report.UnpackStatus))
	}
	for _, command := range report.CommandStatuses {
		if command.Status != "ok" {
			return command.Status, printed.String(), nil
		}
	}
	return "", "", nil
}

// refused finds out why the server did not run a command: somebody moved the
// branch, or a rule forbids it.
func (r *Remote) refused(ctx context.Context, command *packp.Command, status, said string) error {
	adv, err := r.refs(ctx, transport.ReceivePackServiceName)
	if err != nil {
		return err
	}
	lease := ""
	if !command.Old.IsZero() {
		lease = command.Old.String()
	}
	if err := checkLease(adv, command.Name.Short(), lease); err != nil {
		return err
	}
	class := forge.ErrTransient
	if strings.Contains(status, "hook declined") || strings.Contains(status, "denied") || strings.Contains(status, "prohibited") {
		class = forge.ErrUnauthorized
	}
	return fmt.Errorf("%w: push to %s: %s", class, command.Name.Short(), forgehttp.Excerpt(status+hookWords(said)))
}

// hookWords is what a server's hooks printed, as the end of a sentence: without
// empty lines and the word error before each.
func hookWords(said string) string {
	var words strings.Builder
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		for rest, found := line, true; found; {
			line = strings.TrimSpace(rest)
			rest, found = strings.CutPrefix(line, "error:")
		}
		if line != "" {
			words.WriteString(": " + line)
		}
	}
	return words.String()
}
