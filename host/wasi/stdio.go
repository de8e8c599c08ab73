package wasi

import (
	"bytes"
	"io"

	"github.com/mayfly-run/mayfly/host"
)

// The standard streams. At the beginning of an Invocation each is open under
// the descriptor of its number.
const (
	stdin = iota
	stdout
	stderr
)

// What host.WASIState.Descriptors holds beside 0.
const (
	closed = 1
	moved  = 2 // and the stream
)

// openStream returns the stream that a descriptor stands for.
func openStream(c *host.Call, fd uint32) (stream int, ok bool) {
	if fd > stderr {
		return 0, false
	}
	switch d := c.WASI.Descriptors[fd]; d {
	case 0:
		return int(fd), true
	case closed:
		return 0, false
	default:
		return int(d - moved), true
	}
}

// readStream reads from stdin; it returns 0 at the end.
func readStream(c *host.Call, b []byte) (int, error) {
	if c.Stdin == nil || len(b) == 0 {
		return 0, nil
	}
	c.Pause()
	defer c.Resume()
	for {
		n, err := c.Stdin.Read(b)
		if n > 0 || err == io.EOF {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		checkTime(c)
	}
}

// writeStream writes to stdout or stderr, or to the log where the Call has
// nothing for that.
func writeStream(c *host.Call, stream int, b []byte) (written int, err error) {
	w := c.Stdout
	if stream == stderr {
		w = c.Stderr
	}
	if w == nil {
		w = lines{c, stream}
	}
	for {
		n, err := w.Write(b[written:min(written+chunk, len(b))])
		written += n
		if err != nil || written == len(b) {
			return written, err
		}
		checkTime(c)
	}
}

// maxLine is the length in bytes of the longest line that is one log entry.
const maxLine = 16 << 10

// lines logs what is written to it line by line, stdout at level info, stderr
// at level error. The beginning of a line waits in the Call for its end, or for
// Flush. Longer lines are logged in pieces of maxLine bytes; blank lines are
// left out, and so is a CR before the newline.
type lines struct {
	call   *host.Call
	stream int
}

// Write implements io.Writer. It never fails.
func (l lines) Write(b []byte) (int, error) {
	size := len(b)
	for {
		line, rest, ended := bytes.Cut(b, []byte{'\n'})
		l.add(line)
		if !ended {
			return size, nil
		}
		l.flush()
		b = rest
	}
}

func (l lines) add(text []byte) {
	partial := &l.call.WASI.Partial[l.stream]
	for len(*partial)+len(text) > maxLine {
		n := maxLine - len(*partial)
		*partial = append(*partial, text[:n]...)
		text = text[n:]
		l.flush()
	}
	*partial = append(*partial, text...)
}

func (l lines) flush() {
	partial := &l.call.WASI.Partial[l.stream]
	text := bytes.TrimSuffix(*partial, []byte{'\r'})
	*partial = (*partial)[:0]
	if len(text) > 0 {
		l.call.Log(levels[l.stream], text)
	}
}

var levels = [...]host.LogLevel{stdout: host.LogInfo, stderr: host.LogError}

// Flush logs the lines that the guest has begun and not ended.
func Flush(c *host.Call) {
	lines{c, stdout}.flush()
	lines{c, stderr}.flush()
}
