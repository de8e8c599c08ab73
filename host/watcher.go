package host

// Watcher is told what one Invocation does, while somebody is interested in it. Its
// methods may be called from any goroutine of the Invocation.
type Watcher interface {
	// GuestLog is told what the guest logs. It must not keep text.
	GuestLog(level LogLevel, text []byte)
	// Operation is told that an operation of the host begins, and returns what is
	// called at its end, once: with a status of HTTP, or 0, and what went wrong.
	// It may change Operation.Fetch.
	Operation(op Operation) (end func(status int, err error))
}

// Operation is something that a guest asked the host for.
type Operation struct {
	Kind  string        // "fetch" or "kv"
	Name  string        // of a KV operation: get, put, delete, list
	Fetch *FetchRequest // of a fetch
}

func noEnd(int, error) {}

// Watch tells the Watcher, if there is one, that an operation begins.
func (c *Call) Watch(op Operation) (end func(status int, err error)) {
	if c.Watcher == nil {
		return noEnd
	}
	return c.Watcher.Operation(op)
}
