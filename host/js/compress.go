package js

import (
	gobytes "bytes"
	"errors"
	"io"
	"iter"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"github.com/mayfly-run/mayfly/host"
)

var compressOps = []operation{
	{"opCoder", openCoder},
	{"opCoderWrite", coderWrite},
	{"opCoderEnd", coderEnd},
	{"opCoderRead", coderRead},
}

const (
	// coderSize is what a coder is taken to hold, in bytes: the windows of the
	// library and a chunk of input.
	coderSize = 1<<20 + chunkSize

	// What coding a byte costs, in units of work, where there are more of them: before
	// compressing and after decompressing.
	compressWeight   = 60
	decompressWeight = 15
)

// coder compresses or decompresses. What it is given it takes at once or keeps; it
// is given more only when read says so.
type coder interface {
	write(data []byte) error
	end() error
	// read gives the next bytes of the output, no more than chunkSize. There are none
	// if it needs input, or at the end with io.EOF.
	read() ([]byte, error)
	close()
}

// coding is a coder with a handle.
type coding struct {
	coder
	weight int64 // of a byte that is written
	call   *host.Call
}

func (c *coding) Close() error {
	c.close()
	c.call.Release(coderSize)
	return nil
}

// openCoder gives the handle of a coder for the format text, one that decompresses if
// n is not zero, or null if there is no such format.
func openCoder(q *query) (kind, error) {
	if err := q.Handles.Room(); err != nil {
		return 0, err
	}
	format := string(q.text)
	if format != "gzip" && format != "deflate" && format != "deflate-raw" {
		return null, nil
	}
	if err := q.Hold(coderSize); err != nil {
		return 0, err
	}
	if q.n != 0 {
		return q.open(&coding{newInflater(format), 0, q.Call})
	}
	q.Work(coderSize / 8)
	return q.open(&coding{newDeflater(format), compressWeight, q.Call})
}

// coderWrite gives data, at most chunkSize bytes, to the coder of the handle n.
func coderWrite(q *query) (kind, error) {
	c, err := handle[*coding](q)
	if err != nil {
		return 0, err
	}
	if len(q.data) > chunkSize {
		return 0, host.Errorf(host.CodeInvalid, "a coder takes at most %d bytes at a time", chunkSize)
	}
	q.Work(c.weight * int64(len(q.data)))
	return noValue, c.write(q.data)
}

// coderEnd says that there is no more input.
func coderEnd(q *query) (kind, error) {
	c, err := handle[*coding](q)
	if err != nil {
		return 0, err
	}
	return noValue, c.end()
}

// coderRead gives the next bytes of the output, false if more input is needed, and
// null at the end.
func coderRead(q *query) (kind, error) {
	c, err := handle[*coding](q)
	if err != nil {
		return 0, err
	}
	out, readErr := c.read()
	q.Work(decompressWeight * int64(len(out)))
	switch {
	case readErr == io.EOF:
		return null, nil
	case readErr != nil:
		return 0, readErr
	case len(out) == 0:
		return boolean(false), nil
	}
	return q.giveBytes(out)
}

// deflater compresses.
type deflater struct {
	w     io.WriteCloser
	out   gobytes.Buffer
	ended bool
}

func newDeflater(format string) *deflater {
	d := new(deflater)
	switch format {
	case "gzip":
		d.w = gzip.NewWriter(&d.out)
	case "deflate":
		d.w = zlib.NewWriter(&d.out)
	default:
		d.w, _ = flate.NewWriter(&d.out, flate.DefaultCompression) // which is a level
	}
	return d
}

func (d *deflater) write(data []byte) error {
	if d.ended {
		return host.Errorf(host.CodeState, "the stream was closed")
	}
	_, err := d.w.Write(data)
	return err
}

func (d *deflater) end() error {
	if d.ended {
		return nil
	}
	d.ended = true
	return d.w.Close()
}

func (d *deflater) read() ([]byte, error) {
	if d.out.Len() == 0 && d.ended {
		return nil, io.EOF
	}
	return gobytes.Clone(d.out.Next(chunkSize)), nil
}

func (d *deflater) close() { d.out = gobytes.Buffer{} }

// inflater decompresses. The library's readers ask for input, while ours comes when
// it comes: so the reader is a coroutine, which is left where it asks.
type inflater struct {
	in    []byte
	ended bool // there is no more input
	done  bool // the compressed data is at its end
	out   []byte
	err   error
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
}

var errStopped = errors.New("stopped")

func newInflater(format string) *inflater {
	d := new(inflater)
	d.next, d.stop = iter.Pull(func(yield func(struct{}) bool) {
		d.yield = yield
		d.err = d.run(format)
	})
	return d
}

// run reads all of the data. It leaves whenever it has output or needs input.
func (d *inflater) run(format string) error {
	r, err := d.open(format)
	if err != nil {
		return err
	}
	buffer := make([]byte, chunkSize)
	for {
		n, err := r.Read(buffer)
		if d.out = buffer[:n]; n > 0 && !d.yield(struct{}{}) {
			return errStopped
		}
		if err != nil {
			return err
		}
	}
}

func (d *inflater) open(format string) (io.Reader, error) {
	switch format {
	case "gzip":
		r, err := gzip.NewReader(d)
		if err != nil {
			return nil, err
		}
		r.Multistream(false)
		return r, nil
	case "deflate":
		return zlib.NewReader(d)
	}
	return flate.NewReader(d), nil
}

// Read and ReadByte are what the reader reads from: with the latter it does not read
// more than it needs.
func (d *inflater) Read(p []byte) (int, error) {
	if err := d.await(); err != nil {
		return 0, err
	}
	n := copy(p, d.in)
	d.in = d.in[n:]
	return n, nil
}

func (d *inflater) ReadByte() (byte, error) {
	if err := d.await(); err != nil {
		return 0, err
	}
	b := d.in[0]
	d.in = d.in[1:]
	return b, nil
}

// await waits for input.
func (d *inflater) await() error {
	for len(d.in) == 0 {
		if d.ended {
			return io.ErrUnexpectedEOF
		}
		if d.out = nil; !d.yield(struct{}{}) {
			return errStopped
		}
	}
	return nil
}

func (d *inflater) write(data []byte) error {
	if d.ended {
		return host.Errorf(host.CodeState, "the stream was closed")
	}
	d.in = append(gobytes.Clone(d.in), data...)
	return nil
}

func (d *inflater) end() error {
	d.ended = true
	return nil
}

func (d *inflater) read() ([]byte, error) {
	if d.out = nil; !d.done {
		if _, more := d.next(); !more {
			d.done = true
		}
	}
	switch {
	case !d.done:
		return gobytes.Clone(d.out), nil
	case d.err != io.EOF:
		return nil, host.Errorf(host.CodeInvalid, "Decompression failed: %v.", cause(d.err))
	case len(d.in) > 0:
		return nil, host.Errorf(host.CodeInvalid, "Trailing bytes after end of compressed data.")
	case d.ended:
		return nil, io.EOF
	}
	return nil, nil
}

// cause is why data can't be decompressed, in words of ours.
func cause(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "the data ends too early"
	}
	return "the data is malformed"
}

func (d *inflater) close() { d.stop() }
