package host

import "io"

// exchange is an Exchange over a fetch operation.
type exchange struct {
	op   int32 // 0 after Close
	body *reader
}

// Fetch sends a request whose body is complete.
func Fetch(method, url string, fields []Field, body []byte) (Exchange, error) {
	block, err := AppendFields(nil, fields)
	if err != nil {
		return nil, err
	}
	return begun(fetchSend(method, url, view(block), view(body)))
}

// begun makes an Exchange of an operation or a negative code.
func begun(op int32) (Exchange, error) {
	if op < 0 {
		return nil, failure(int64(op))
	}
	return &exchange{op: op}, nil
}

// FetchStream sends a request whose body is written to what it returns.
func FetchStream(method, url string, fields []Field) (Exchange, io.WriteCloser, error) {
	block, err := AppendFields(nil, fields)
	if err != nil {
		return nil, nil, err
	}
	return begunStream(fetchStream(method, url, view(block)))
}

// begunStream is begun for a request whose body is written.
func begunStream(op int32) (Exchange, io.WriteCloser, error) {
	if op < 0 {
		return nil, nil, failure(int64(op))
	}
	body := fetchRequestBody(op)
	if body < 0 {
		defer closeHandle(op)
		return nil, nil, failure(int64(body))
	}
	return &exchange{op: op}, &writer{handle: body}, nil
}

func (x *exchange) Response() (int, []Field, io.ReadCloser, error) {
	if x.op != 0 {
		pending.await(x.op)
	}
	if x.op == 0 {
		return 0, nil, nil, &Error{Canceled, "given up"}
	}
	status := fetchStatus(x.op)
	if status < 0 {
		defer x.Close()
		return 0, nil, nil, told(int64(status))
	}
	block, err := opValue(x.op, fetchHeaders)
	if err != nil {
		defer x.Close()
		return 0, nil, nil, err
	}
	body := fetchBody(x.op)
	if body < 0 {
		defer x.Close()
		return 0, nil, nil, failure(int64(body))
	}
	x.body = &reader{handle: body, await: pending.await, close: func() { x.Close() }}
	return int(status), ParseFields(block), x.body, nil
}

func (x *exchange) Close() error {
	if x.op == 0 {
		return nil
	}
	op := x.op
	x.op = 0
	release(op)
	if x.body != nil {
		x.body.Close()
	}
	return nil
}
