package watch

import (
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
)

// Decide calls decide, of which the arguments are what is judged; the
// repository is watched unless watched is nil.
func Decide(e forge.Event, account string, watched *Watched, discover bool) (asked []string) {
	for _, r := range decide(e, situation{forge: "main", account: account, watched: watched, discover: discover}) {
		text := r.Subject + " " + r.Kind
		if r.Item != nil {
			text += " " + r.Item.ID
		}
		asked = append(asked, text)
	}
	return asked
}

// DecideRequests is Decide for a watched repository, and returns the requests.
func DecideRequests(e forge.Event, account string, watched *Watched) []queue.Request {
	return decide(e, situation{forge: "main", account: account, watched: watched})
}
