package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/world"
)

// C5, C6, C8 and what lies between: the process is killed right after each kind
// of write to the forge, and started again. In the end there is one branch, one
// pull request, one reply, and each reaction once.
func TestFault_C5_C6_C8_KilledAfterAWrite(t *testing.T) {
	for _, point := range []string{"React", "Push", "CreatePullRequest", "AddComment", "EditComment"} {
		t.Run(point, func(t *testing.T) {
			s := newStage(t)
			server := s.serve(world.ServeOptions{Env: []string{"ODYSSEY_FAILPOINT=" + point}})
			k := s.talk()
			s.grow("odoo", hotfix, "[FIX] stock: one")
			said := k.say(s.Owner, "/refresh ./odoo\n/help\n")
			select {
			case <-server.Ended():
			case <-time.After(10 * time.Second):
				if point == "EditComment" {
					server.Kill() // it may need none
					break
				}
				t.Fatal("it is not killed")
			}
			s.Serve(t, world.ServeOptions{Listen: strings.TrimPrefix(server.Webhooks, "http://")})
			k.ends(said, "rocket")
			s.one()
			if branches := s.branches(); len(branches) != 1 {
				t.Errorf("branches: %v", branches)
			}
			if replies := k.replies(); len(replies) != 1 {
				t.Errorf("%d replies: %+v", len(replies), replies)
			}
			reactions := k.reactions(said)
			if unique := slices.Compact(slices.Clone(reactions)); len(unique) != len(reactions) {
				t.Errorf("reactions: %v", reactions)
			}
		})
	}
}

// C1, C2, D3: what the bot did not answer the forge sends again, by hand on
// Gitea. A delivery that was kept, and whose answer was lost, has no second
// effect.
func TestFault_C2_KilledWhileDelivering(t *testing.T) {
	s := newStage(t)
	server := s.serve(world.ServeOptions{})
	k := s.talk()
	s.grow("odoo", hotfix, "[FIX] stock: one")
	var said []comment
	for i := range 10 {
		said = append(said, k.say(s.Owner, fmt.Sprintf("Number %d.\n\n/refresh ./odoo\n", i)))
		if i == 5 {
			server.Kill()
		}
	}
	s.Serve(t, world.ServeOptions{Listen: strings.TrimPrefix(server.Webhooks, "http://")})
	for _, c := range said {
		k.ends(c, "rocket")
	}
	s.one()
	if replies := k.replies(); len(replies) > len(said) {
		t.Errorf("%d replies to %d comments", len(replies), len(said))
	}
}
