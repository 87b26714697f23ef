package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nuobit/odyssey/test/registrytest"
)

// A token that expires while a layer is sent is renewed, and the layer is sent from its beginning: not what
// was left of it in the place of all.
func TestFault_T2_TokenExpiresMidUpload(t *testing.T) {
	t.Parallel()
	inner := &cutRegistry{}
	var tokens, patches atomic.Int32
	reg := registrytest.Start(inner)
	t.Cleanup(reg.Stop)
	reg.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			_, _ = fmt.Fprintf(w, `{"token": "t%d"}`, tokens.Add(1))
			return true
		}
		expired := false
		if r.Method == http.MethodPatch && patches.Add(1) == 1 {
			// It looks at the token when a good part is on its way.
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			expired = true
		}
		if expired || r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="r",scope="repository:acme/odoo:pull,push"`, r.Host))
			return answer(w, http.StatusUnauthorized, "UNAUTHORIZED", "expired")
		}
		return false
	})
	c, _ := newClient(t)
	const size = 6 << 20
	got, err := pushRepository(t, c, reg.Host+"/acme/odoo").upload(t.Context(), "layer", noise(size))
	if err != nil || got != digestOfNoise(t, size) {
		t.Fatalf("%+v, %v", got, err)
	}
	if len(inner.puts) != 1 || digestOf(inner.got.Bytes()) != got.digest {
		t.Errorf("finished %d times", len(inner.puts))
	}
	if tokens.Load() < 2 {
		t.Errorf("%d tokens were asked for", tokens.Load())
	}
}

// Of two builds that publish at the same moment under the same tag, the one that is overtaken says
// so, or takes the next number.
func TestFault_C7_TwoPublishAtOnce(t *testing.T) {
	t.Parallel()
	reg := registrytest.New(t)
	base := pushBase(t, reg)
	dir := t.TempDir()
	files(t, dir, addons())
	for _, tags := range []Tags{{Names: []string{"r0001"}}, {Next: "r"}} {
		repository := reg.Host + "/acme/odoo" + tags.Next
		c, _ := newClient(t)
		a := assembly(t, c, base, dir)
		other := a
		other.Annotations = map[string]string{AnnotationRevision: "def"}
		theirs, err := c.Assemble(t.Context(), other, target(t, repository), Tags{})
		if err != nil {
			t.Fatal(err)
		}
		r := pushRepository(t, c, repository)
		overtake, err := r.manifest(t.Context(), theirs.Digest)
		if err != nil {
			t.Fatal(err)
		}
		var overtaken atomic.Bool
		var asked atomic.Int32
		reg.Fail(func(_ http.ResponseWriter, req *http.Request) bool {
			// The other one's tag arrives between ours and the look at it.
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/manifests/r0001") && reg.Count(http.MethodPut, "/manifests/r0001") > 0 && overtaken.CompareAndSwap(false, true) {
				if err := r.putManifest(context.WithoutCancel(req.Context()), overtake, "r0001"); err != nil {
					asked.Add(1)
				}
			}
			return false
		})
		result, err := c.Assemble(t.Context(), a, target(t, repository), tags)
		reg.Fail(nil)
		taken := (*TagError)(nil)
		switch {
		case tags.Next == "" && (!errors.As(err, &taken) || taken.Has != theirs.Digest):
			t.Errorf("the error is %v", err)
		case tags.Next != "" && (err != nil || strings.Join(result.Tags, " ") != "r0002"):
			t.Errorf("the tags are %+v, %v", result, err)
		}
		if digest, err := c.Resolve(t.Context(), Reference{Repository: repository, Tag: "r0001"}); err != nil || digest != theirs.Digest || asked.Load() > 0 {
			t.Errorf("r0001 is %s, %v", digest, err)
		}
	}
}
