package forgehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

func TestErrorClasses(t *testing.T) {
	t.Parallel()
	said := errors.New("what the server said")
	network := &url.Error{Op: "Get", URL: "http://x", Err: io.ErrUnexpectedEOF}
	plain := errors.New("body is empty")
	for name, c := range map[string]struct {
		status int // 0 for no answer
		err    error
		want   error
	}{
		"200":                   {200, nil, nil},
		"201":                   {201, nil, nil},
		"200, not understood":   {200, said, forge.ErrTransient},
		"401":                   {401, said, forge.ErrUnauthorized},
		"403":                   {403, said, forge.ErrUnauthorized},
		"404":                   {404, said, forge.ErrNotFound},
		"410":                   {410, nil, forge.ErrNotFound},
		"409":                   {409, said, forge.ErrConflict},
		"412":                   {412, said, forge.ErrConflict},
		"422":                   {422, said, forge.ErrConflict},
		"423":                   {423, said, forge.ErrConflict},
		"500":                   {500, said, forge.ErrTransient},
		"503":                   {503, nil, forge.ErrTransient},
		"429":                   {429, said, forge.ErrTransient},
		"no answer":             {0, network, forge.ErrTransient},
		"timed out":             {0, &url.Error{Op: "Get", Err: context.DeadlineExceeded}, forge.ErrTransient},
		"cancelled":             {0, &url.Error{Op: "Get", Err: context.Canceled}, context.Canceled},
		"cancelled in the body": {200, context.Canceled, context.Canceled},
		"not the network's":     {0, plain, plain},
		"refused a credential":  {0, &url.Error{Op: "Get", Err: fmt.Errorf("x: %w", forge.ErrUnauthorized)}, forge.ErrUnauthorized},
		"nowhere to be found":   {0, &url.Error{Op: "Get", Err: forge.ErrNotFound}, forge.ErrNotFound},
	} {
		var resp *http.Response
		if c.status != 0 {
			resp = &http.Response{StatusCode: c.status}
		}
		got := forgehttp.Error(resp, c.err)
		if !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: error %v, want %v", name, got, c.want)
		}
		for _, class := range []error{forge.ErrNotFound, forge.ErrUnauthorized, forge.ErrConflict, forge.ErrTransient} {
			if errors.Is(got, class) != errors.Is(c.want, class) {
				t.Errorf("%s: error %v is also %v", name, got, class)
			}
		}
		if c.status >= 300 && c.status != 429 && c.err != nil && !strings.Contains(got.Error(), said.Error()) {
			t.Errorf("%s: %q does not say what the server said", name, got)
		}
	}
	if err := forgehttp.Error(&http.Response{StatusCode: http.StatusBadRequest}, said); err == nil || !strings.Contains(err.Error(), "status 400: what") {
		t.Errorf("400: error %v", err)
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC) // years from the machine's clock
	date := func(in time.Duration) string { return now.Add(in).Format(http.TimeFormat) }
	reset := fmt.Sprint(now.Add(90 * time.Second).Unix())
	for name, c := range map[string]struct {
		status int
		header []string
		want   time.Duration // 0 for no rate limit
	}{
		"429, seconds":              {429, []string{"Retry-After", "120"}, 2 * time.Minute},
		"429, date":                 {429, []string{"Retry-After", date(time.Hour), "Date", date(0)}, time.Hour},
		"429, date without now":     {429, []string{"Retry-After", date(time.Hour)}, time.Minute},
		"429, rubbish":              {429, []string{"Retry-After", "-5"}, time.Minute},
		"429, nothing said":         {429, nil, time.Minute},
		"403, seconds":              {403, []string{"Retry-After", "30"}, 30 * time.Second},
		"403, used up":              {403, []string{"X-RateLimit-Remaining", "0"}, time.Minute},
		"403, used up until":        {403, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", reset, "Date", date(0)}, 90 * time.Second},
		"403, not used up":          {403, []string{"X-RateLimit-Remaining", "1", "X-RateLimit-Reset", reset, "Date", date(0)}, 0},
		"403":                       {403, nil, 0},
		"503, seconds":              {503, []string{"Retry-After", "45"}, 45 * time.Second},
		"503":                       {503, nil, 0},
		"404 with a useless header": {404, []string{"Retry-After", "45"}, 0},
	} {
		resp := &http.Response{StatusCode: c.status, Header: http.Header{}}
		for i := 0; i < len(c.header); i += 2 {
			resp.Header.Set(c.header[i], c.header[i+1])
		}
		var limit *forge.RateLimitError
		var got time.Duration
		if errors.As(forgehttp.Error(resp, nil), &limit) {
			got = limit.RetryAfter
		}
		if got != c.want {
			t.Errorf("%s: wait %s, want %s", name, got, c.want)
		}
	}
}

// F3: a wait longer than the limit is not slept through, a shorter one is.
func TestFault_F3_LongWaitsAreHandedOut(t *testing.T) {
	t.Parallel()
	srv := serve(t, answer(429, "Retry-After", "1"), answer(429, "Retry-After", "3600"), answer(200))
	o := quick()
	o.MaxRetryAfter = 2 * time.Second
	start := time.Now()
	_, err := call(t, o, "GET", srv.URL)
	var limit *forge.RateLimitError
	if !errors.As(err, &limit) || limit.RetryAfter != time.Hour {
		t.Errorf("error %v, want a wait of an hour", err)
	}
	if took := time.Since(start); took < time.Second || len(srv.requests()) != 2 {
		t.Errorf("%d requests in %s, want 2 a second apart", len(srv.requests()), took)
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                              "",
		" a\r\n\tb\x00\x1b[31mc\u202ed": "a b [31mc d",
		"ünï 漢字":                        "ünï 漢字",
		strings.Repeat("é", 301):        strings.Repeat("é", 300) + "…",
		"\xff\xfe":                      "��",
	} {
		if got := forgehttp.Excerpt(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
