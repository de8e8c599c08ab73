package trigger

import (
	"encoding/binary"
	"time"
)

// How many frames that only cost work a client may send in how much time. Those who
// measure round trips by PING, or cancel many requests, stay far below.
const (
	floodFrames = 5000
	floodTime   = 10 * time.Second
)

// frameGuard reads along what a client sends over HTTP/2, and counts the frames
// that carry nothing but have to be answered or looked at: floods of them keep a
// processor busy for next to no traffic (CVE-2019-9512 to 9518, CVE-2023-44487,
// CVE-2023-45288). The bytes need not be well-formed. The zero guard is at the
// beginning of a connection.
type frameGuard struct {
	begun bool
	skip  int // bytes up to the next frame
	head  [frameHead]byte
	have  int // bytes of head

	since time.Time // when count was 0
	count int
}

// RFC 9113, sections 3.4 and 4.1.
const (
	preface   = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameHead = 9
)

// see looks at what came, and reports whether the connection may go on.
func (g *frameGuard) see(b []byte, now time.Time) bool {
	if !g.begun {
		g.begun, g.skip = true, len(preface)
	}
	for len(b) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(b))
			g.skip -= n
			b = b[n:]
			continue
		}
		n := copy(g.head[g.have:], b)
		g.have += n
		b = b[n:]
		if g.have == frameHead && !g.frame(now) {
			return false
		}
	}
	return true
}

// frame takes the frame whose header is complete.
func (g *frameGuard) frame(now time.Time) bool {
	length := int(binary.BigEndian.Uint32(g.head[:4]) >> 8)
	g.have, g.skip = 0, length
	if !isIdle(g.head[3], g.head[4], length) {
		return true
	}
	if now.Sub(g.since) > floodTime {
		g.since, g.count = now, 0
	}
	g.count++
	return g.count <= floodFrames
}

// Types and a flag of frames (RFC 9113, section 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameWindowUpdate = 0x8
	flagEndStream     = 0x1
)

// isIdle reports whether a frame carries nothing. Fast downloads need many window
// updates, and those are cheap.
func isIdle(kind, flags byte, length int) bool {
	switch kind {
	case frameData:
		return length == 0 && flags&flagEndStream == 0
	case frameHeaders:
		return length == 0
	case frameWindowUpdate:
		return false
	}
	return true
}
