package forgegit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

// objects is a bounded store in memory: a small pack can unpack to anything.
type objects struct {
	*memory.Storage
	left, limit int64
}

// SetEncodedObject stores an object while there is room.
func (o *objects) SetEncodedObject(obj plumbing.EncodedObject) (plumbing.Hash, error) {
	if o.left -= obj.Size(); o.left < 0 {
		return plumbing.ZeroHash, fmt.Errorf("%w: more than %d bytes of objects", forgehttp.ErrTooLarge, o.limit)
	}
	return o.Storage.SetEncodedObject(obj)
}

// fetch gets one commit with its tree and nothing of its history. Where the
// server can, it leaves out files that are too large to be read anyway.
func (r *Remote) fetch(ctx context.Context, adv *packp.AdvRefs, commit plumbing.Hash) (*objects, error) {
	req := packp.NewUploadPackRequest()
	req.Wants = []plumbing.Hash{commit}
	req.Depth = packp.DepthCommits(1)
	wanted := []capability.Capability{capability.OFSDelta, capability.Shallow}
	if adv.Capabilities.Supports(capability.Filter) {
		wanted = append(wanted, capability.Filter)
		req.Filter = packp.FilterBlobLimit(forge.MaxFile+1, packp.BlobLimitPrefixNone)
	}
	for _, c := range wanted {
		if err := req.Capabilities.Set(c); err != nil {
			return nil, err
		}
	}
	if err := req.Capabilities.Set(capability.Agent, agent); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if err := req.UploadRequest.Encode(&body); err != nil {
		return nil, err
	}
	if err := pktline.NewEncoder(&body).EncodeString("done\n"); err != nil {
		return nil, err
	}
	answer, err := r.post(ctx, transport.UploadPackServiceName, body.Bytes())
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	pack := packp.NewUploadPackResponse(req)
	if err := pack.Decode(answer); err != nil {
		return nil, garbled("fetch", err)
	}
	limit := cmp.Or(r.MaxObjects, maxObjects)
	store := &objects{Storage: memory.NewStorage(), left: limit, limit: limit}
	if err := packfile.UpdateObjectStorage(store, pack); err != nil {
		return nil, garbled("unpack", err)
	}
	return store, nil
}
