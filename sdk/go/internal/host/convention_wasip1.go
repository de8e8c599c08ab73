package host

import (
	"runtime"
	"time"
	"unsafe"
)

//go:wasmexport fetch
func fetch() { run() }

// What only events need is linked into programs that handle them.
//
//go:wasmexport scheduled
func scheduledEvent() {
	runEvent(scheduled, "scheduled events: call mayfly.HandleScheduled")
}

//go:wasmexport queue
func queueEvent() { runEvent(queued, "batches of queues: call mayfly.HandleQueue") }

//go:wasmexport kv
func kvEvent() { runEvent(changed, "changes of KV: call mayfly.HandleKV") }

// declare says that the program has a handler.
func declare(handler uint32) { declareHandlers(handler) }

// Invoke is there so that tests can be vetted for WebAssembly too.
func Invoke(Node) { panic("mayflytest is for go test without GOOS=wasip1") }

// InvokeScheduled, InvokeQueue and InvokeKV are there for the same reason.
func InvokeScheduled(Node) { Invoke(nil) }
func InvokeQueue(Node)     { Invoke(nil) }
func InvokeKV(Node)        { Invoke(nil) }

// value calls get, a function that fills a buffer, until the buffer is large enough.
func value(get func(buf *byte, size uint32) int32) ([]byte, error) {
	buf := make([]byte, 512)
	for {
		n := get(&buf[0], uint32(len(buf)))
		if n < 0 {
			return nil, failure(int64(n))
		}
		if int(n) <= len(buf) {
			return buf[:n], nil
		}
		buf = make([]byte, n)
	}
}

func text(get func(buf *byte, size uint32) int32) string {
	b, _ := value(get)
	return view(b)
}

// opValue is value for the functions that read the result of an operation.
func opValue(op int32, get func(op int32, buf *byte, size uint32) int32) ([]byte, error) {
	return value(func(buf *byte, size uint32) int32 { return get(op, buf, size) })
}

// view is b as a string that shares its memory: for b that doesn't change any more.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// failure is the error of a negative result, nil for others.
func failure(result int64) error {
	if result >= 0 {
		return nil
	}
	err := &Error{Code: Internal}
	if result >= -255 {
		err.Code = Code(-result)
	}
	if err.Code != NotFound && err.Code != Conflict { // these two say it all, and are common
		err.Message = text(lastError)
	}
	return err
}

// told is failure for what may not be found in more ways than one.
func told(result int64) error {
	err := failure(result)
	if e, ok := err.(*Error); ok && e.Code == NotFound {
		e.Message = text(lastError)
	}
	return err
}

var pending = poller{wait: func(handles []int32, timeout time.Duration) int32 {
	return wait(&handles[0], uint32(len(handles)), int64(timeout))
}}

// awaitUnlessAlone leaves the waiting to the call that reads the result if no
// other goroutine is kept from running by that. It saves most of the time of a
// KV operation. Timers that run a function are late then, so it isn't for what
// a context may cut short.
func awaitUnlessAlone(handle int32) {
	if runtime.NumGoroutine() > 1 {
		pending.await(handle)
	}
}

// release closes a handle that goroutines may be waiting for.
func release(handle int32) {
	pending.forget(handle)
	closeHandle(handle)
}

// Abort ends the invocation with a trap. A response under way is cut off.
func Abort(reason string) { panic(reason) }
