package host

const (
	flagRelative = 1 << iota
	flagCompare
)

type namespace int32

// opened and openedStrong keep the handles of each binding: opening again would take
// others.
var opened, openedStrong = map[string]namespace{}, map[string]namespace{}

// OpenKV returns the namespace that is bound to a name. Reads of a strong one ask the
// cluster.
func OpenKV(binding string, strong bool) (Namespace, error) {
	ns, err := keep(opened, binding, func() int32 { return kvOpen(binding) })
	if err != nil {
		return nil, err
	}
	if !strong {
		return ns, nil
	}
	ns, err = keep(openedStrong, binding, func() int32 { return kvStrong(int32(ns)) })
	if err != nil {
		return nil, err
	}
	return ns, nil
}

// keep returns the handle that is kept for a binding, or opens it.
func keep(kept map[string]namespace, binding string, open func() int32) (namespace, error) {
	if ns, ok := kept[binding]; ok {
		return ns, nil
	}
	h := open()
	if h < 0 {
		return 0, failure(int64(h))
	}
	kept[binding] = namespace(h)
	return namespace(h), nil
}

func (ns namespace) Get(key string) (e Entry, err error) {
	err = finish(kvGet(int32(ns), key), func(op int32) (err error) {
		e = Entry{Key: key, Revision: kvRevision(op), Expires: kvExpires(op)}
		if e.Metadata, err = opValue(op, kvMetadata); err != nil {
			return err
		}
		e.Value, err = opValue(op, kvValue)
		return err
	})
	return e, err
}

func (ns namespace) Put(key string, value []byte, w Write) (revision int64, err error) {
	op := kvPut(int32(ns), key, view(value), view(w.Metadata), w.Expires, w.Revision, flags(w))
	err = finish(op, func(op int32) error {
		revision = kvRevision(op)
		return failure(revision)
	})
	return revision, err
}

func (ns namespace) Delete(key string, w Write) error {
	return finish(kvDelete(int32(ns), key, w.Revision, flags(w)), func(int32) error { return nil })
}

func (ns namespace) List(prefix, cursor string, limit int) (entries []Entry, next string, err error) {
	op := kvList(int32(ns), prefix, cursor, uint32(limit))
	err = finish(op, func(op int32) error {
		page, err := opValue(op, kvPage)
		if err != nil {
			return err
		}
		next = text(func(buf *byte, size uint32) int32 { return kvCursor(op, buf, size) })
		entries, err = ParsePage(page)
		return err
	})
	return entries, next, err
}

// finish waits for op, a handle or a negative code, and reads its result.
func finish(op int32, result func(op int32) error) error {
	if op < 0 {
		return failure(int64(op))
	}
	defer closeHandle(op)
	awaitUnlessAlone(op)
	if err := failure(int64(kvStatus(op))); err != nil {
		return err
	}
	return result(op)
}

func flags(w Write) (f uint32) {
	if w.Relative {
		f |= flagRelative
	}
	if w.Compare {
		f |= flagCompare
	}
	return f
}
