//go:build linux

package worker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/fxamacker/cbor/v2"
	"github.com/mayfly-run/mayfly/host"
)

// kind is what a frame holds.
type kind uint8

const (
	kindSetup      kind = 1 + iota // setup, the node's first on the control socket
	kindReady                      // ready, the answer
	kindInvoke                     // invoke, which begins an Invocation
	kindInitialize                 // initialize, which begins an initialisation
	kindReply                      // reply to a question
	kindCancel                     // the Invocation is over, cancel
	kindAsk                        // question
	kindDrop                       // drop: nobody waits for the reply any more
	kindEnd                        // end of the Invocation
	kindImage                      // image: a part of the memory, after an initialisation
)

const (
	headerSize = 5        // the length, in four bytes, big endian, and the kind
	smallFrame = 64 << 10 // bytes
	chunk      = 32 << 10 // of a body in one frame, in bytes
)

// channel carries frames over a socket: a header, and CBOR (RFC 8949). One goroutine
// reads.
type channel struct {
	file *os.File
	in   *bufio.Reader
	most int // bytes of a frame that comes in

	told common // the worker, of the Invocation before

	mu  sync.Mutex // guards out, and writing
	out bytes.Buffer
}

// common is what Invocations have in common.
type common struct {
	bindings *host.Bindings
	limits   host.Limits
}

func newChannel(file *os.File, most int) *channel {
	return &channel{file: file, in: bufio.NewReader(file), most: most}
}

// send writes one frame. It may be called by several goroutines.
func (c *channel) send(k kind, v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.Cap() > smallFrame {
		c.out = bytes.Buffer{}
	}
	c.out.Reset()
	c.out.Write([]byte{0, 0, 0, 0, byte(k)})
	if err := cbor.MarshalToBuffer(v, &c.out); err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	b := c.out.Bytes()
	binary.BigEndian.PutUint32(b, uint32(len(b)-headerSize))
	_, err := c.file.Write(b)
	return err
}

// header waits for a frame and returns the length of what payload is to read. After
// an error, such as a deadline that has passed, it may be asked again.
func (c *channel) header() (k kind, n int, err error) {
	b, err := c.in.Peek(headerSize)
	if err != nil {
		return 0, 0, err
	}
	n = int(binary.BigEndian.Uint32(b))
	if n > c.most {
		return 0, 0, fmt.Errorf("a frame of %d bytes: at most %d are expected", n, c.most)
	}
	return kind(b[4]), n, nil
}

// payload reads what header announced.
func (c *channel) payload(n int) ([]byte, error) {
	if _, err := c.in.Discard(headerSize); err != nil {
		return nil, err
	}
	data := make([]byte, n)
	_, err := io.ReadFull(c.in, data)
	return data, err
}

// receive waits for a frame of some kind.
func (c *channel) receive(want kind, v any) error {
	k, n, err := c.header()
	if err != nil {
		return err
	}
	if k != want {
		return fmt.Errorf("a frame of kind %d instead of %d", k, want)
	}
	data, err := c.payload(n)
	if err != nil {
		return err
	}
	return cbor.Unmarshal(data, v)
}
