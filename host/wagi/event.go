package wagi

import (
	"bytes"
	"strconv"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// What a program has of an event, and of it alone: no header of a request can be taken
// for it.
const (
	cronVariable = "MAYFLY_CRON"           // the expression
	timeVariable = "MAYFLY_SCHEDULED_TIME" // milliseconds since 1970

	queueVariable = "MAYFLY_QUEUE" // name; the batch is the input

	keyVariable         = "MAYFLY_KV_KEY" // the value is the input
	namespaceVariable   = "MAYFLY_KV_NAMESPACE"
	operationVariable   = "MAYFLY_KV_OPERATION" // put or delete
	revisionVariable    = "MAYFLY_KV_REVISION"
	oldRevisionVariable = "MAYFLY_KV_OLD_REVISION" // 0: there was no entry
	omittedVariable     = "MAYFLY_KV_OMITTED"      // 1: the value is too large for an event
)

// eventVariables are all of them.
var eventVariables = []string{cronVariable, timeVariable, queueVariable, keyVariable, namespaceVariable, operationVariable,
	revisionVariable, oldRevisionVariable, omittedVariable}

// event sets the variables of an event.
func (e *environment) event(c *host.Call) {
	switch {
	case c.Scheduled != nil:
		e.set(cronVariable, c.Scheduled.Cron)
		e.set(timeVariable, strconv.FormatInt(c.Scheduled.Time.UnixMilli(), 10))
	case c.Queue != nil:
		e.set(queueVariable, c.Queue.Queue)
	case c.Change != nil:
		e.change(c.Change)
	}
}

func (e *environment) change(k *host.KVChange) {
	operation := "put"
	if k.Deleted {
		operation = "delete"
	}
	e.set(operationVariable, operation)
	e.set(namespaceVariable, k.Namespace)
	e.set(revisionVariable, strconv.FormatUint(k.Revision, 10))
	e.set(oldRevisionVariable, strconv.FormatUint(k.OldRevision, 10))
	if fits(keyVariable, k.Key) {
		e.set(keyVariable, k.Key)
	}
	if k.Omitted {
		e.set(omittedVariable, "1")
	}
}

// input is what the program reads of an event, and its type; nil if there is nothing.
func (p *program) input() (content []byte, kind string) {
	switch {
	case p.call.Queue != nil:
		return p.batch(), "application/json"
	case p.call.Change != nil && !p.call.Change.Deleted && !p.call.Change.Omitted:
		return p.call.Change.Value, "application/octet-stream"
	}
	return nil, ""
}

// give makes the input of an event the program's.
func (p *program) give() {
	content, kind := p.input()
	if kind == "" {
		return
	}
	p.call.Stdin = bytes.NewReader(content)
	p.call.Env = append(p.call.Env, "CONTENT_TYPE="+kind, "CONTENT_LENGTH="+strconv.Itoa(len(content)))
}

// judgeEvent says whether a program took an event. It need not write anything; but one
// that knows requests only says by its answer that it has no such path.
func (p *program) judgeEvent(exit abi.Exit) error {
	answer, parseErr := Parse(p.output, origin(p.call.Request.URL))
	if p.call.Queue != nil && parseErr == nil && p.refused == nil {
		if err := p.decide(answer); err != nil {
			return err
		}
	}
	switch {
	case exit.Code != 0:
		return host.Errorf(host.CodeState, "the program exited with code %d", exit.Code)
	case p.refused != nil || len(p.output) == 0:
		return p.refused
	case parseErr != nil:
		return nil // it is no answer: output of a program that knows what it is run for
	case answer.Status >= 400:
		return host.Errorf(host.CodeState, "the program answered the event, POST %s, with status %d", pathOf(p.call.Request.URL), answer.Status)
	}
	return nil
}

// pathOf is the path of an event's URL.
func pathOf(url []byte) string { return splitURL(string(url)).path }
