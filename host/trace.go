package host

import "bytes"

// maxTraceState is the longest list that has to be passed on, in bytes
// (https://www.w3.org/TR/trace-context/#tracestate-limits).
const maxTraceState = 512

// passTrace puts an outbound request into the trace of the request being answered,
// unless the guest chose another one.
func (c *Call) passTrace(req *FetchRequest) {
	parent, _ := c.Request.Headers.Get("traceparent")
	own, given := req.Headers.Get("traceparent")
	req.OwnTrace = given && !bytes.Equal(own, parent)
	if req.OwnTrace || !isTraceParent(parent) {
		return
	}
	req.TraceParent = string(parent)
	if state, _ := c.Request.Headers.Joined("tracestate"); len(state) <= maxTraceState {
		req.TraceState = state
	}
}

// isTraceParent reports whether a field has the form of version 00:
// version "-" trace-id "-" parent-id "-" flags, in hexadecimal digits
// (https://www.w3.org/TR/trace-context/#traceparent-header). Ids are not all zero.
func isTraceParent(b []byte) bool {
	const length, traceAt, parentAt, flagsAt = 55, 3, 36, 53
	if len(b) != length || b[0] != '0' || b[1] != '0' {
		return false
	}
	for i, c := range b {
		switch dash := i == traceAt-1 || i == parentAt-1 || i == flagsAt-1; {
		case dash != (c == '-'):
			return false
		case !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return len(bytes.Trim(b[traceAt:parentAt-1], "0")) > 0 && len(bytes.Trim(b[parentAt:flagsAt-1], "0")) > 0
}
