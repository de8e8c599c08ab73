package host

import "io"

// Handle names something that the host keeps for a guest. Zero names nothing.
type Handle uint32

// maxHandles bounds what one Invocation may hold open.
const maxHandles = 4096

// Handles is the table of what one Invocation holds open.
type Handles struct {
	slots []any // nil where free; Handle h is slots[h-1]
	free  []Handle
}

// Room says whether another handle can be added. Ask before doing what can't be
// undone, such as opening what the handle is for.
func (t *Handles) Room() *Error {
	if t.Open() >= maxHandles {
		return Errorf(CodeLimit, "more than %d open handles; close those that are done", maxHandles)
	}
	return nil
}

// Add gives v a handle. A BodyWriter or io.Closer is closed with its handle,
// and if there is no room for it.
func (t *Handles) Add(v any) (Handle, *Error) {
	if err := t.Room(); err != nil {
		closeValue(v, err)
		return 0, err
	}
	if n := len(t.free); n > 0 {
		h := t.free[n-1]
		t.free = t.free[:n-1]
		t.slots[h-1] = v
		return h, nil
	}
	t.slots = append(t.slots, v)
	return Handle(len(t.slots)), nil
}

// Get returns what h names, if it is a T.
func Get[T any](t *Handles, h Handle) (T, *Error) {
	if h > 0 && uint64(h) <= uint64(len(t.slots)) {
		if v, ok := t.slots[h-1].(T); ok {
			return v, nil
		}
	}
	var none T
	return none, Errorf(CodeHandle, "%d is not an open handle of the kind wanted here", h)
}

// Close frees h and closes what it named.
func (t *Handles) Close(h Handle) error {
	v, err := Get[any](t, h)
	if err != nil {
		return err
	}
	t.slots[h-1] = nil
	t.free = append(t.free, h)
	return closeValue(v, nil)
}

// Open is the number of handles in use.
func (t *Handles) Open() int { return len(t.slots) - len(t.free) }

// closeAll empties the table and keeps its memory. With an error, bodies that
// are being written are cut short.
func (t *Handles) closeAll(err error) {
	for _, v := range t.slots {
		closeValue(v, err)
	}
	clear(t.slots)
	t.slots, t.free = t.slots[:0], t.free[:0]
}

func closeValue(v any, err error) error {
	switch v := v.(type) {
	case BodyWriter:
		return v.CloseWithError(err)
	case io.Closer:
		return v.Close()
	}
	return nil
}
