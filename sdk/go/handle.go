package mayfly

import "github.com/mayfly-run/mayfly/sdk/go/internal/host"

// A Handler answers one request. If it returns an error, or no response, the
// client gets a plain status 500 and the error goes to the log.
type Handler func(*Request) (*Response, error)

// Handle registers the handler of HTTP requests. Call it from func init: a
// reactor's main function doesn't run. The last call counts.
func Handle(h Handler) {
	host.Handle(func() { answer(h) })
}

func answer(h Handler) {
	resp, err := h(new(Request))
	switch {
	case err != nil:
		refuse(err.Error())
	case resp == nil:
		refuse("handler returned no response")
	default:
		if err := resp.send(); err != nil {
			refuse(err.Error())
		}
	}
}

// refuse answers in place of a handler that didn't.
func refuse(reason string) {
	Log(LevelError, reason)
	Text(500, "Internal Server Error\n").send() // if this fails too, there was an answer already
}
