package host

import "time"

// WASIState is what package wasi remembers of one Invocation, so that an
// instance that serves the next one finds everything as new. The zero value is
// the state at the beginning. Streams are 0 (input), 1 (output) and 2 (errors).
type WASIState struct {
	// Descriptors tells by number what became of it: 0 is the stream of the
	// same number, 1 is closed, 2+n is stream n.
	Descriptors [3]uint8
	Flags       [3]uint16 // by stream: the fdflags that the guest has set
	// Partial holds, by stream, the beginning of a log line.
	Partial [3][]byte
	// ClockStart is when the guest first read its monotonic clock, and ClockBase
	// what that showed, in nanoseconds.
	ClockStart time.Time
	ClockBase  int64
}

// reset keeps only buffers.
func (w *WASIState) reset() {
	partial := w.Partial
	for i := range partial {
		partial[i] = partial[i][:0]
	}
	*w = WASIState{Partial: partial}
}
