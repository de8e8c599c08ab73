package host

import "io"

// reader reads a body.
type reader struct {
	handle int32       // 0 after Close
	await  func(int32) // waits until reading would not block
	end    error       // after the last byte
	close  func()      // optional, runs once
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 || r.end != nil {
		return 0, r.end
	}
	if r.handle != 0 {
		r.await(r.handle)
	}
	if r.handle == 0 { // closed, perhaps while we waited
		return 0, &Error{Canceled, "body is closed"}
	}
	n := bodyRead(r.handle, &p[0], uint32(len(p)))
	if n > 0 {
		return int(n), nil
	}
	if r.end = failure(int64(n)); n == 0 {
		r.end = io.EOF
	}
	r.Close() // the connection is free for others without waiting for the caller's Close
	return 0, r.end
}

func (r *reader) Close() error {
	if r.handle == 0 {
		return nil
	}
	h := r.handle
	r.handle = 0
	release(h)
	if r.close != nil {
		r.close()
	}
	return nil
}

// writer writes a body. The thread blocks while the other side doesn't take
// the data: the ABI has no way to wait for that.
type writer struct{ handle int32 }

func (w *writer) Write(p []byte) (int, error) {
	if w.handle == 0 {
		return 0, &Error{State, "body is closed"}
	}
	if err := failure(int64(bodyWrite(w.handle, view(p)))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *writer) Close() error {
	if w.handle != 0 {
		closeHandle(w.handle)
		w.handle = 0
	}
	return nil
}
