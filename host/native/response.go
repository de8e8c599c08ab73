package native

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Response".
var responseFuncs = []abi.Func{
	{Name: "respond", Params: []abi.Type{abi.I32, abi.I32, abi.I32, abi.I32, abi.I32}, Results: i32, Do: respond},
	{Name: "respond_stream", Params: []abi.Type{abi.I32, abi.I32, abi.I32}, Results: i32, Do: respondStream},
	{Name: "wait_until", Results: i32, Do: waitUntil},
}

func respond(g abi.Guest, a abi.Args) int64 {
	status, headers := a.U32(0), host.Headers(g.Bytes(a.U32(1), a.U32(2)))
	body := g.Bytes(a.U32(3), a.U32(4))
	if err := checkAnswer(g, status, headers); err != nil {
		return failed(g, err)
	}
	if int64(len(body)) > g.Limits.Response {
		return failed(g, host.Errorf(host.CodeTooLarge,
			"a response of %d bytes exceeds the limit of %d; stream it with respond_stream", len(body), g.Limits.Response))
	}
	if err := g.Responder.Respond(int(status), headers, body); err != nil {
		return failed(g, err)
	}
	g.Responded = true
	g.Usage.BytesOut += int64(len(body))
	return 0
}

func respondStream(g abi.Guest, a abi.Args) int64 {
	status, headers := a.U32(0), host.Headers(g.Bytes(a.U32(1), a.U32(2)))
	if err := checkAnswer(g, status, headers); err != nil {
		return failed(g, err)
	}
	if err := g.Handles.Room(); err != nil {
		return failed(g, err)
	}
	w, err := g.Responder.Stream(int(status), headers)
	if err != nil {
		return failed(g, err)
	}
	g.Responded = true
	return opened(g, w)
}

func waitUntil(g abi.Guest, _ abi.Args) int64 {
	if g.IsEvent() {
		return 0 // nobody waits for it
	}
	if !g.Responded {
		return failed(g, host.Errorf(host.CodeState, "wait_until needs an answer first"))
	}
	if g.Detached {
		return 0 // the time is granted once
	}
	if err := g.Responder.Detach(); err != nil {
		return failed(g, err)
	}
	g.Detached = true
	g.Extend(g.Limits.AfterResponse)
	return 0
}

func checkAnswer(g abi.Guest, status uint32, headers host.Headers) error {
	switch {
	case g.IsEvent():
		return host.Errorf(host.CodeState, "nobody waits for an answer of an event")
	case g.Responded:
		return host.Errorf(host.CodeState, "this request has been answered already")
	}
	if status < 200 || status > 599 {
		return host.Errorf(host.CodeInvalid, "status %d is not between 200 and 599", int32(status))
	}
	if err := headers.Check(); err != nil {
		return err
	}
	return nil
}
