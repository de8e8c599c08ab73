package trigger

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Bounds on what a client of HTTP/2 may keep the node busy with.
const (
	// maxStreams is how many requests a connection may have under way. It also
	// bounds those that were reset but whose guests have not ended yet, so that
	// resetting requests gains nothing (CVE-2023-44487).
	maxStreams = 100
	// What is kept of bodies that guests have not read yet, in bytes.
	connectionWindow = 1 << 20
	streamWindow     = 256 << 10
	// silence is after how much of it a client is asked whether it is still there.
	silence = 30 * time.Second
)

// h2Server serves the connections that speak HTTP/2, for which fasthttp has nothing:
// golang.org/x/net/http2 speaks to the client, and the front end answers.
type h2Server struct {
	front *HTTP
	base  *http.Server // settings, and the way to end connections
	proto *http2.Server
	pool  sync.Pool // of *exchange

	mu    sync.Mutex // guards what follows
	conns map[*h2Conn]struct{}
	busy  int           // connections and handlers
	idle  chan struct{} // closed when busy falls to 0; nil if nobody waits
	shut  bool          // no connections any more
	over  bool          // no handlers any more
}

func newH2Server(h *HTTP) *h2Server {
	s := &h2Server{front: h, proto: &http2.Server{}, conns: map[*h2Conn]struct{}{}}
	s.pool.New = func() any { return newExchange(h.cfg.MaxHeader) }
	s.base = &http.Server{
		MaxHeaderBytes: h.cfg.MaxHeader,
		IdleTimeout:    h.cfg.IdleTimeout,
		ErrorLog:       slog.NewLogLogger(h.cfg.Logger.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: connectionWindow,
			MaxReceiveBufferPerStream:     streamWindow,
			SendPingTimeout:               silence,
			PingTimeout:                   h.cfg.HeaderTimeout,
			WriteByteTimeout:              h.cfg.ResponseTimeout,
		},
	}
	if err := http2.ConfigureServer(s.base, s.proto); err != nil {
		panic(err) // it only looks at what is set above
	}
	return s
}

// take serves a connection until it ends.
func (s *h2Server) take(c *h2Conn) {
	if !s.open(c) {
		c.Close()
		return
	}
	defer s.end()
	defer s.forget(c)
	s.proto.ServeConn(c, &http2.ServeConnOpts{BaseConfig: s.base, Handler: &h2Handler{s, c}})
	c.Close()
}

func (s *h2Server) open(c *h2Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return false
	}
	s.conns[c] = struct{}{}
	s.busy++
	return true
}

func (s *h2Server) forget(c *h2Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// begin counts a handler. A handler may begin a little after its connection
// ended; it reports false if nobody waits for it any more.
func (s *h2Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.busy++
	}
	return !s.over
}

func (s *h2Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy--; s.busy == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// goAway has clients finish what they began and come back elsewhere.
func (s *h2Server) goAway() {
	s.mu.Lock()
	s.shut = true
	s.mu.Unlock()
	s.base.Shutdown(context.Background()) //nolint:errcheck // it has no listeners; this sends GOAWAY
}

// wait returns when all connections and handlers have ended; it cuts connections
// when ctx ends.
func (s *h2Server) wait(ctx context.Context) error {
	idle := s.whenIdle()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.front.cancel()
	<-idle
	return ctx.Err()
}

func (s *h2Server) whenIdle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle := make(chan struct{})
	if s.busy == 0 {
		s.over = true
		close(idle)
		return idle
	}
	s.idle = idle
	return idle
}
