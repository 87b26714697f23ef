package git_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nuobit/odyssey/test/gitserver"
)

// A server without an end before the pack, and one that ends in the middle of it
// between two packets.
func TestFault_Y1_EndlessFetch(t *testing.T) { //nolint:paralleltest // it looks at the memory of the process
	id := strings.Repeat("ab", 20)
	for name, line := range map[string]string{"commits without parents": pkt("shallow " + id), "anything": pkt("wanted-refs\n"), "no packets": "0000", "delimiters": "0001", "remarks": pkt("packfile\n") + strings.Repeat(pkt("\x02remark\r"), 100)} {
		srv := gitserver.New(t)
		var served atomic.Int64
		srv.Fail(-1, func(s *gitserver.Server, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				gitserver.Answer(greeting, advertisement)(s, w, r)
				return
			}
			w.Header().Set("Content-Type", result)
			for served.Load() < 100<<20 {
				n, err := io.WriteString(w, strings.Repeat(line, 1000))
				if err != nil {
					return
				}
				served.Add(int64(n))
			}
		})
		s := openStore(t, options(), t.TempDir())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := s.Fetch(t.Context(), srv.URL+"/r.git", wantsOf(id), nil, nil)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: it has come", name)
		}
		if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 32<<20 {
			t.Errorf("%s: %d MiB are in use", name, used>>20)
		}
		if name != "remarks" && served.Load() > 50<<20 {
			t.Errorf("%s: %d MiB were read", name, served.Load()>>20)
		}
	}
}
