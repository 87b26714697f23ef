package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Receiver checks the signature of a delivery over its raw body and says what
// it tells. The error of one that is not signed is forge.ErrSignature.
type Receiver interface {
	Receive(header http.Header, body []byte) (forge.Event, error)
}

// Accepter keeps what a delivery asks for. When it returns without an error,
// that is committed; fresh says that the delivery was not known before and
// causes something.
type Accepter interface {
	Accept(ctx context.Context, forgeName string, event forge.Event) (fresh bool, err error)
}

// Hook is the way in of one configured forge.
type Hook struct {
	Forge    string // forges[].name; distinct
	Kind     string // "gitea"
	Receiver Receiver
}

// Results of a delivery, for the metrics.
const (
	resultAccepted = "accepted" // committed, causes a job
	resultKnown    = "known"    // seen before, or nothing the bot acts on
	resultUnsigned = "unsigned" // 401
	resultRefused  = "refused"  // another 4xx
	resultFailed   = "failed"   // 503; the forge should send it again
)

// retryAfter is what a forge that asks is told to wait, in seconds.
const retryAfter = "10"

// ingest takes the deliveries of webhooks.
type ingest struct {
	accepter Accepter
	bodies   *bodies
	commit   time.Duration // that Accept may take
	metrics  *Metrics
	log      *slog.Logger
	refusals *throttle
}

// routes has POST /webhooks/KIND/NAME for each hook, and POST /webhooks/KIND
// for the forge that is called as its kind, or is the only one of it: a second
// one in the configuration takes nothing from the first.
func (in *ingest) routes(hooks []Hook) (http.Handler, error) {
	mux := http.NewServeMux()
	kinds := map[string]int{}
	for i, h := range hooks {
		if slices.ContainsFunc(hooks[:i], func(o Hook) bool { return o.Forge == h.Forge }) {
			return nil, fmt.Errorf("two forges are called %q", h.Forge)
		}
		kinds[h.Kind]++
	}
	for _, h := range hooks {
		handler := in.hook(h)
		mux.Handle("/webhooks/"+h.Kind+"/"+h.Forge, handler)
		if kinds[h.Kind] == 1 || h.Forge == h.Kind {
			mux.Handle("/webhooks/"+h.Kind, handler)
		}
	}
	return plainHeaders(closing(mux)), nil
}

// closing ends the connection after an answer, but for those that keep their
// header from saying so: strangers must not hold connections that deliveries
// wait for.
func closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		next.ServeHTTP(w, r)
	})
}

// answer is what the sender of a delivery is told. The words are constant:
// nothing of the request comes back.
type answer struct {
	status int
	word   string
	result string
}

func (in *ingest) hook(h Hook) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, a := in.deliver(h, r)
		in.metrics.delivery(h.Forge, event, a.result)
		header := w.Header()
		switch a.status {
		case http.StatusMethodNotAllowed:
			header.Set("Allow", http.MethodPost)
		case http.StatusServiceUnavailable:
			header.Set("Retry-After", retryAfter)
		}
		if a.result == resultAccepted || a.result == resultKnown {
			header.Del("Connection") // it is the forge, which may send the next one
		}
		header.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.word+"\n")
	})
}

// deliver treats one request. The kind of the event is "" until the signature
// is known to be right.
func (in *ingest) deliver(h Hook, r *http.Request) (forge.Event, answer) {
	if a, ok := in.precheck(r); !ok {
		return forge.Event{}, a
	}
	body, done, err := in.bodies.read(r.Body, r.ContentLength)
	defer done()
	if err != nil {
		return forge.Event{}, in.unread(h, err)
	}
	event, err := h.Receiver.Receive(r.Header, body)
	switch {
	case errors.Is(err, forge.ErrSignature):
		in.refusals.warn(in.log, h.Forge, "deliveries refused: not signed with the secret of this forge")
		return forge.Event{}, answer{http.StatusUnauthorized, "not signed", resultUnsigned}
	case err != nil:
		in.log.Warn("delivery not understood", "forge", h.Forge, "err", err)
		return forge.Event{}, answer{http.StatusBadRequest, "not understood", resultRefused}
	}
	return event, in.accept(r.Context(), h, event)
}

// precheck refuses what need not be read.
func (in *ingest) precheck(r *http.Request) (answer, bool) {
	refuse := func(status int, word string) (answer, bool) {
		return answer{status, word, resultRefused}, false
	}
	encoding := strings.Join(r.Header.Values("Content-Encoding"), ",")
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost:
		return refuse(http.StatusMethodNotAllowed, "this is for the POST of a webhook")
	case r.ContentLength > in.bodies.limit:
		return refuse(http.StatusRequestEntityTooLarge, "larger than "+strconv.FormatInt(in.bodies.limit, 10)+" bytes")
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		// How large it is would only be known after unpacking it.
		return refuse(http.StatusRequestEntityTooLarge, "compressed; send it as it is")
	case err != nil || media != "application/json":
		return refuse(http.StatusUnsupportedMediaType, "set the webhook's content type to application/json")
	}
	return answer{}, true
}

// unread is the answer when the body could not be read.
func (in *ingest) unread(h Hook, err error) answer {
	switch {
	case errors.Is(err, errTooLarge):
		return answer{http.StatusRequestEntityTooLarge, "larger than " + strconv.FormatInt(in.bodies.limit, 10) + " bytes", resultRefused}
	case errors.Is(err, errBusy):
		in.refusals.warn(in.log, h.Forge, "deliveries put off: too many large ones at once")
		return answer{http.StatusServiceUnavailable, "too many at once; send it again", resultFailed}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answer{http.StatusRequestTimeout, "too slow", resultRefused}
	}
	return answer{http.StatusBadRequest, "broken off", resultRefused}
}

// accept has the event kept. The answer is a success only after Accept said
// so. A sender who leaves does not stop it: not every forge sends again.
func (in *ingest) accept(ctx context.Context, h Hook, event forge.Event) answer {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.commit)
	defer cancel()
	log := in.log.With("forge", h.Forge, "delivery", clip(event.Delivery, 100), "event", clip(event.Type, 100))
	fresh, err := in.accepter.Accept(ctx, h.Forge, event)
	switch {
	case err != nil:
		log.Error("delivery not kept", "err", err)
		return answer{http.StatusServiceUnavailable, "not kept; send it again", resultFailed}
	case fresh:
		log.Info("delivery kept")
		return answer{http.StatusAccepted, "accepted", resultAccepted}
	}
	log.Debug("nothing to do for the delivery")
	return answer{http.StatusOK, "nothing to do", resultKnown}
}
