package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
)

// pipe is a connection to a browser: JSON messages, each with a zero byte at
// its end.
type pipe struct {
	out   *os.File
	in    *os.File
	ended chan struct{} // closed when the browser has gone

	mu        sync.Mutex
	last      int
	waiting   map[int]chan message
	listeners map[string]func(method string, params json.RawMessage)
}

// message is a call, an answer or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

func newPipe(out, in *os.File) *pipe {
	p := &pipe{
		out: out, in: in, ended: make(chan struct{}),
		waiting: map[int]chan message{}, listeners: map[string]func(string, json.RawMessage){},
	}
	go p.read()
	return p
}

// close ends the connection, which a browser takes as its end too.
func (p *pipe) close() {
	_ = p.out.Close()
	_ = p.in.Close()
	<-p.ended
}

func (p *pipe) read() {
	defer close(p.ended)
	r := bufio.NewReaderSize(p.in, 1<<20)
	for {
		data, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(data[:len(data)-1], &m) != nil {
			continue
		}
		p.mu.Lock()
		answer, listener := p.waiting[m.ID], p.listeners[m.Session]
		delete(p.waiting, m.ID)
		p.mu.Unlock()
		switch {
		case m.ID != 0 && answer != nil:
			answer <- m
		case m.Method != "" && listener != nil:
			listener(m.Method, m.Params)
		}
	}
}

// listen has events of a session given to f; nil ends that.
func (p *pipe) listen(session string, f func(method string, params json.RawMessage)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f == nil {
		delete(p.listeners, session)
		return
	}
	p.listeners[session] = f
}

// call calls a method and decodes what it returns into result, unless nil.
func (p *pipe) call(ctx context.Context, session, method string, params, result any) error {
	answer := make(chan message, 1)
	if err := p.write(session, method, params, answer); err != nil {
		return err
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-p.ended:
		return errors.New("the browser ended")
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// send calls a method whose answer nobody waits for.
func (p *pipe) send(session, method string, params any) error {
	return p.write(session, method, params, make(chan message, 1))
}

func (p *pipe) write(session, method string, params any, answer chan message) error {
	m := message{Session: session, Method: method}
	if params != nil {
		data, err := json.Marshal(params)
		if err != nil {
			return err
		}
		m.Params = data
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	m.ID = p.last
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	p.waiting[m.ID] = answer
	_, err = p.out.Write(append(data, 0))
	return err
}
