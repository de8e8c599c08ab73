package telemetry

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// TailProtocol is the WebSocket subprotocol in which tails are read.
const TailProtocol = "trace-v1"

// How a reader of a tail is looked after.
const (
	pingEvery   = 15 * time.Second
	silentFor   = 60 * time.Second // a reader from which nothing comes is gone
	writeWithin = 10 * time.Second
	maxFrame    = 64 << 10 // bytes of what a reader sends, all of which is ignored
)

// ErrNoTail is the error of ServeTail for a ticket that begins nothing.
var ErrNoTail = errors.New("there is no such tail, it has ended, or somebody reads it already")

// ErrNotTail is the error of ServeTail for a request that does not ask for a tail.
var ErrNotTail = fmt.Errorf("this is a WebSocket of the subprotocol %s", TailProtocol)

// ServeTail answers the WebSocket request of a tail's reader and shows the tail
// until it ends. Its error tells why nothing was answered yet.
func (o *Observer) ServeTail(w http.ResponseWriter, r *http.Request, ticket string) error {
	if !asksForTail(r) {
		return ErrNotTail
	}
	t, ok := o.connect(ticket)
	if !ok {
		return ErrNoTail
	}
	defer o.tails.served.Done()
	if t.alive != nil && !t.alive() {
		o.endTail(t, ErrTailDenied)
		return ErrNoTail
	}
	upgrade := ws.HTTPUpgrader{Timeout: writeWithin, Protocol: func(p string) bool { return p == TailProtocol }}
	conn, rw, _, err := upgrade.Upgrade(r, w)
	if err != nil {
		o.endTail(t, ErrTailClosed)
		if conn != nil {
			conn.Close()
		}
		return nil //nolint:nilerr // the client was told
	}
	o.serveTail(t, conn, rw.Reader)
	return nil
}

func asksForTail(r *http.Request) bool {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return false
	}
	for _, field := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(field, ",") {
			if strings.TrimSpace(p) == TailProtocol {
				return true
			}
		}
	}
	return false
}

// serveTail shows a tail to its reader, and says at the end why it ended.
func (o *Observer) serveTail(t *Tail, conn net.Conn, from *bufio.Reader) {
	pings, gone := make(chan []byte, 1), make(chan struct{})
	go func() {
		defer close(gone)
		readPings(conn, from, pings)
	}()
	show := tailWriter{conn: conn}
	go func() { // nobody waits long for a reader that does not read
		<-t.done
		conn.SetWriteDeadline(time.Now().Add(time.Second))
	}()
	o.showTail(t, &show, pings, gone)
	o.endTail(t, ErrTailClosed)
	if show.err == nil {
		show.frame(ws.NewCloseFrame(ws.NewCloseFrameBody(closeCode(t.reason), t.reason.Error())))
	}
	conn.Close()
	<-gone
}

func closeCode(reason error) ws.StatusCode {
	switch reason {
	case ErrTailSlow, ErrTailDenied:
		return ws.StatusPolicyViolation
	case ErrTailDrained:
		return ws.StatusGoingAway
	}
	return ws.StatusNormalClosure
}

// showTail returns when the tail or its reader has ended.
func (o *Observer) showTail(t *Tail, show *tailWriter, pings <-chan []byte, gone <-chan struct{}) {
	expired := time.NewTimer(time.Until(t.Expires))
	defer expired.Stop()
	alive := time.NewTicker(pingEvery)
	defer alive.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for show.err == nil {
		select {
		case e := <-t.queue:
			t.waiting.Add(-int64(e.size))
			show.event(e)
			show.missing(t)
		case <-second.C:
			show.missing(t)
		case payload := <-pings:
			show.frame(ws.NewPongFrame(payload))
		case <-alive.C:
			if t.alive != nil && !t.alive() {
				t.stop(ErrTailDenied)
			}
			show.frame(ws.NewPingFrame(nil))
		case <-expired.C:
			t.stop(ErrTailExpired)
		case <-t.done:
			return
		case <-gone:
			return
		}
	}
}

// tailWriter writes to the reader until that fails.
type tailWriter struct {
	conn net.Conn
	err  error
}

func (w *tailWriter) frame(f ws.Frame) {
	w.conn.SetWriteDeadline(time.Now().Add(writeWithin))
	w.err = ws.WriteFrame(w.conn, f)
}

func (w *tailWriter) event(e *Event) {
	w.frame(ws.NewTextFrame(e.json()))
}

// missing tells the reader of Events that are not shown.
func (w *tailWriter) missing(t *Tail) {
	if n := t.skipped.Swap(0); n > 0 {
		w.overload("%d invocations were left out: more than %d a second; narrow the tail with filters or a sampling rate", n, tailPerSecond)
	}
	if n := t.lost.Swap(0); n > 0 {
		w.overload("%d invocations of other nodes were lost on their way to this one; narrow the tail with filters or a sampling rate", n)
	}
}

// overload is how Cloudflare says that something is missing.
func (w *tailWriter) overload(format string, args ...any) {
	if w.err == nil {
		w.event(&Event{Exceptions: []Exception{}, Logs: []LogEntry{}, EventTimestamp: time.Now().UnixMilli(),
			Event: map[string]string{"type": "overload", "message": fmt.Sprintf(format, args...)}})
	}
}

// readPings reads what the reader sends, until it is gone or silent, and passes its
// pings on. wrangler does not mask its first message, which a server has to allow
// for then (RFC 6455, section 5.1, has it end the connection).
func readPings(conn net.Conn, from *bufio.Reader, pings chan<- []byte) {
	for {
		conn.SetReadDeadline(time.Now().Add(silentFor))
		h, err := ws.ReadHeader(from)
		if err != nil || h.Length > maxFrame || h.OpCode == ws.OpClose {
			return
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(from, payload); err != nil {
			return
		}
		if h.OpCode != ws.OpPing {
			continue
		}
		if h.Masked {
			ws.Cipher(payload, h.Mask, 0)
		}
		select {
		case pings <- payload:
		default: // one is to be answered already
		}
	}
}
