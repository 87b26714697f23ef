package gitserver

import "net/http"

// StallAfter gives git's own answer up to its first n bytes, and then nothing
// more.
func StallAfter(n int64) Fault {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		serveGit(s, &staller{ResponseWriter: w, s: s, r: r, left: n}, r)
	}
}

// staller hangs after some bytes.
type staller struct {
	http.ResponseWriter
	s    *Server
	r    *http.Request
	left int64
}

func (w *staller) Write(p []byte) (int, error) {
	if int64(len(p)) <= w.left {
		w.left -= int64(len(p))
		return w.ResponseWriter.Write(p)
	}
	n, err := w.ResponseWriter.Write(p[:w.left])
	w.left = 0
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	Hang(w.s, w, w.r)
	return n, err
}

// Posts gives the answers to posts to a fault, and leaves the others to git.
func Posts(fault Fault) Fault {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fault(s, w, r)
			return
		}
		serveGit(s, w, r)
	}
}

// Drop cuts all connections that there are, to clients that hang, too.
func (s *Server) Drop() { s.http.CloseClientConnections() }
