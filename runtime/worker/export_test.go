//go:build linux

package worker

import (
	"os/exec"
	"syscall"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/mayfly-run/mayfly/host"
)

// What a test binary does after it has confined itself, see escape_test.go.
var (
	Confine   = confine
	EmptyRoot = emptyRoot
)

// Environment is a worker's.
func Environment() []string { return environment(1 << 30) }

// Separate gives a command the namespaces of a worker.
func Separate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	separate(cmd.SysProcAttr)
}

// What a worker that does not keep to the rules says.
type (
	Question = question
	End      = end
	Answer   = answer
	Usage    = usage
	Reply    = reply
	Text     = text
)

const (
	KindReply, KindAsk, KindDrop, KindEnd = kindReply, kindAsk, kindDrop, kindEnd

	OpLog, OpTake, OpStream, OpDetach, OpClose, OpFinish = opLog, opTake, opStream, opDetach, opClose, opFinish
	OpRead, OpWrite, OpGet, OpPut, OpDelete, OpList      = opRead, opWrite, opGet, opPut, opDelete, opList
	OpFetch                                              = opFetch
	OpCacheMatch, OpCachePut, OpCacheDelete              = opCacheMatch, opCachePut, opCacheDelete

	BodyRequest, BodyResponse, FirstAsk = bodyRequest, bodyResponse, firstAsk
)

// Rogue is the other end of a session: what it writes, the node takes for a worker's.
type Rogue struct {
	*channel
	Killed []string // why; the session's goroutine writes
}

// Session runs a session of c with a rogue, which do plays; its connection ends when
// do returns. It returns what came of the Invocation.
func Session(c *host.Call, do func(r *Rogue)) (outcome host.Outcome, err error, r *Rogue) {
	return PatientSession(c, grace, do)
}

// PatientSession is Session that ends a worker so long after the deadline.
func PatientSession(c *host.Call, patience time.Duration, do func(r *Rogue)) (outcome host.Outcome, err error, r *Rogue) {
	ours, theirs, err := socketPair()
	if err != nil {
		return 0, err, nil
	}
	r = &Rogue{channel: newChannel(theirs, 1<<30)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := r.Next(); err != nil { // the Invocation
			panic(err)
		}
		do(r)
		theirs.Close()
	}()
	s := newSession(r, newChannel(ours, frameLimit(c)), c)
	s.grace = patience
	outcome, err = s.invoke()
	ours.Close()
	<-done
	return outcome, err, r
}

func (r *Rogue) kill(why string)          { r.Killed = append(r.Killed, why) }
func (r *Rogue) death() string            { return "was a rogue" }
func (r *Rogue) dies(time.Duration) bool  { return true }
func (r *Rogue) Send(k kind, v any) error { return r.send(k, v) }
func (r *Rogue) Raw(b []byte)             { r.file.Write(b) } //nolint:errcheck // the session may have ended
func (r *Rogue) Ask(q Question) (Reply, error) {
	if err := r.send(kindAsk, &q); err != nil {
		return Reply{}, err
	}
	data, err := r.Next()
	if err != nil {
		return Reply{}, err
	}
	var reply Reply
	return reply, cbor.Unmarshal(data, &reply)
}

// Next reads a frame.
func (r *Rogue) Next() ([]byte, error) {
	if err := r.file.SetReadDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return nil, err
	}
	_, n, err := r.header()
	if err != nil {
		return nil, err
	}
	return r.payload(n)
}
