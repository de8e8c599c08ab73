package host

import "io"

func RequestMethod() string  { return text(requestMethod) }
func RequestURL() string     { return text(requestURL) }
func RequestClient() string  { return text(requestClient) }
func RequestFields() []Field { b, _ := value(requestHeaders); return ParseFields(b) }

// RequestField returns the first value of the named field.
func RequestField(name string) (string, bool) {
	b, err := value(func(buf *byte, size uint32) int32 { return requestHeader(name, buf, size) })
	return view(b), err == nil
}

// RequestBody returns the request's body, nil if it has none.
func RequestBody() (io.ReadCloser, error) {
	h := requestBody()
	if h == -int32(NotFound) {
		return nil, nil
	}
	if h < 0 {
		return nil, failure(int64(h))
	}
	return &reader{handle: h, await: awaitUnlessAlone}, nil
}

// Scheduled is the scheduled event: its expression, and when it was due, in
// milliseconds since 1970.
func Scheduled() (cron string, millis int64) { return text(scheduledCron), scheduledTime() }

// FailEvent says why the event failed.
func FailEvent(reason string) { eventFail(reason) }

// Respond sets the whole answer.
func Respond(status int, fields []Field, body []byte) error {
	block, err := AppendFields(nil, fields)
	if err != nil {
		return err
	}
	return failure(int64(respond(uint32(status), view(block), view(body))))
}

// RespondStream sends the head of the answer and returns its body.
func RespondStream(status int, fields []Field) (io.WriteCloser, error) {
	block, err := AppendFields(nil, fields)
	if err != nil {
		return nil, err
	}
	h := respondStream(uint32(status), view(block))
	if h < 0 {
		return nil, failure(int64(h))
	}
	return &writer{handle: h}, nil
}

// Detach sends the answer while the invocation goes on.
func Detach() error { return failure(int64(waitUntil())) }
