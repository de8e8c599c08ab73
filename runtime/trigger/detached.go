package trigger

import (
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime"
)

// serveDetached runs a guest that may go on after its answer began on a
// goroutine of its own, and returns when the answer can be sent.
func (h *HTTP) serveDetached(inv *invocation, snapshot *runtime.Snapshot) {
	handedBack := make(chan struct{})
	inv.handedBack = handedBack
	h.live.Go(func() { h.runDetached(inv, snapshot) })
	<-handedBack
}

func (h *HTTP) runDetached(inv *invocation, snapshot *runtime.Snapshot) {
	defer inv.active.Leave()
	defer inv.body.arrived()
	defer h.surviveDetached(inv)
	outcome, spent, err := snapshot.Invoke(&inv.call)
	if inv.ctx != nil {
		if outcome != host.OutcomeOK {
			inv.fail(outcome)
		}
		inv.timing(true)
		inv.handBack()
	}
	if spent != nil {
		spent.Recycle()
	}
	h.end(inv, outcome, err)
}

// surviveDetached keeps a fault of ours from ending the server.
func (h *HTTP) surviveDetached(inv *invocation) {
	if v := recover(); v != nil {
		h.logPanic(inv.call.ID, v)
		if inv.ctx != nil {
			inv.fail(host.OutcomeInternalError)
			inv.handBack()
		}
	}
}
