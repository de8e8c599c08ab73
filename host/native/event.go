package native

import (
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// See ABI.md, "Events".
var eventFuncs = []abi.Func{
	{Name: "handles", Params: i32, Results: i32, Do: handles},
	{Name: "event_fail", Params: buffer, Results: i32, Do: eventFail},
}

// events are the exports that handle events which are no requests.
var events = []string{"scheduled", "queue", "kv"}

// exported is the name if the module exports it, and empty otherwise.
func exported(s *abi.Shape, name string) string {
	if _, ok := s.Export(name); !ok {
		return ""
	}
	return name
}

// allHandlers are the bits that mean something to handles.
const allHandlers = uint32(host.HandlesFetch | host.HandlesScheduled | host.HandlesQueue | host.HandlesKV)

func handles(g abi.Guest, a abi.Args) int64 {
	if err := checkFlags(a.U32(0), allHandlers); err != nil {
		return failed(g, err)
	}
	g.Handlers |= host.Handlers(a.U32(0))
	return 0
}

// maxReason is how much of a reason is kept, in bytes.
const maxReason = 1000

// eventFailure is why a guest says that its event failed.
type eventFailure string

func eventFail(g abi.Guest, a abi.Args) int64 {
	if !g.IsEvent() {
		return failed(g, errNoEvent)
	}
	text := g.Bytes(a.U32(0), a.U32(1))
	g.Guest = eventFailure(strings.ToValidUTF8(string(text[:min(len(text), maxReason)]), ""))
	return 0
}

// judgeEvent says whether the guest called event_fail.
func judgeEvent(c *host.Call) error {
	if reason, ok := c.Guest.(eventFailure); ok {
		return host.Errorf(host.CodeState, "%s", string(reason))
	}
	return nil
}
