package gitserver

import (
	"io"
	"net"
	"net/http"
	"strconv"
)

// Fault answers a request in git's place.
type Fault func(s *Server, w http.ResponseWriter, r *http.Request)

// Status answers with an HTTP status.
func Status(code int) Fault {
	return func(_ *Server, w http.ResponseWriter, _ *http.Request) {
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		}
		http.Error(w, strconv.Itoa(code), code)
	}
}

// Reset drops the connection without an answer.
func Reset(_ *Server, w http.ResponseWriter, _ *http.Request) {
	drop(w)
}

// Hang never answers.
func Hang(s *Server, _ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.quit:
	}
}

// Stall sends the beginning of an answer and then nothing more.
func Stall(beginning, contentType string) Fault {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, beginning)
		_ = http.NewResponseController(w).Flush()
		Hang(s, w, r)
	}
}

// CutShort gives git's own answer up to its first n bytes and then drops the
// connection.
func CutShort(n int64) Fault {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		serveGit(s, &cutter{ResponseWriter: w, left: n}, r)
	}
}

// Redirect sends the client to the same path of another server.
func Redirect(base string) Fault {
	return func(_ *Server, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, base+r.URL.RequestURI(), http.StatusFound)
	}
}

// Answer is what a server says that is no git server, or a bad one.
func Answer(body, contentType string) Fault {
	return func(_ *Server, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

// drop resets the connection.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// counter counts the bytes of an answer.
type counter struct {
	http.ResponseWriter
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

type readCounter struct {
	io.ReadCloser
	n int64
}

func (c *readCounter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

// cutter drops the connection after some bytes.
type cutter struct {
	http.ResponseWriter
	left int64
}

func (c *cutter) Write(p []byte) (int, error) {
	if int64(len(p)) <= c.left {
		c.left -= int64(len(p))
		return c.ResponseWriter.Write(p)
	}
	n, _ := c.ResponseWriter.Write(p[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	c.left = 0
	drop(c.ResponseWriter)
	return n, io.ErrShortWrite
}
