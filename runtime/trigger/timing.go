package trigger

import (
	"strconv"
	"time"
)

// timing adds Server-Timing (https://www.w3.org/TR/server-timing/) to an answer, in
// milliseconds: queue, until the node began with the request and waiting for a
// turn among long-running guests; acquire, getting an Instance; guest, its own
// work; host, waiting for what it asked the host for. An answer that is streamed
// has only what is known before it begins.
func (inv *invocation) timing(complete bool) {
	c := &inv.call
	if !c.Timed {
		return
	}
	b := appendMetric(inv.timed[:0], "queue", inv.queued+c.TurnWait)
	b = appendMetric(b, "acquire", c.Acquired.Sub(inv.begun))
	if complete {
		b = appendMetric(b, "guest", c.Usage.CPU)
		b = appendMetric(b, "host", max(0, c.Usage.Wall-c.Acquired.Sub(inv.begun)-c.Usage.CPU-c.TurnWait))
	}
	inv.timed = b
	inv.ctx.Response.Header.SetBytesV("Server-Timing", b)
}

func appendMetric(b []byte, name string, d time.Duration) []byte {
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(append(b, name...), ";dur="...)
	return strconv.AppendFloat(b, float64(d)/float64(time.Millisecond), 'f', 3, 64)
}
