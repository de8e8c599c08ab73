package telemetry

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js"
)

// Event is an Invocation as tails show it. Its form in JSON is that of Cloudflare's
// trace events, which wrangler reads
// (https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/).
type Event struct {
	Outcome        string        `json:"outcome"`
	ScriptName     string        `json:"scriptName"`
	ScriptVersion  scriptVersion `json:"scriptVersion"`
	RequestID      string        `json:"requestId"`
	Exceptions     []Exception   `json:"exceptions"`
	Logs           []LogEntry    `json:"logs"`
	EventTimestamp int64         `json:"eventTimestamp"` // milliseconds since 1970
	Event          any           `json:"event"`
	CPUTime        float64       `json:"cpuTime"`  // milliseconds
	WallTime       float64       `json:"wallTime"` // milliseconds
	// Node is where it happened, if there are several: one more than Cloudflare has.
	Node string `json:"node,omitempty"`

	size int // bytes, about
}

type scriptVersion struct {
	ID string `json:"id"`
}

// httpEvent is what an HTTP request adds to an Event.
type httpEvent struct {
	Request  httpRequest   `json:"request"`
	Response *httpResponse `json:"response,omitempty"`
}

type httpRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	CF      struct{}          `json:"cf"`
}

type httpResponse struct {
	Status int `json:"status"`
}

// scheduledEvent is what a scheduled event adds to an Event.
type scheduledEvent struct {
	Cron          string `json:"cron"`
	ScheduledTime int64  `json:"scheduledTime"` // milliseconds since 1970
}

// kvEvent is what a change of a key adds to an Event. Values are not shown.
type kvEvent struct {
	Namespace   string `json:"namespaceId"`
	Key         string `json:"key"`
	Deleted     bool   `json:"deleted,omitempty"`
	Revision    uint64 `json:"revision"`
	OldRevision uint64 `json:"oldRevision"`
}

// queueEvent is what a batch of a queue adds to an Event, as Cloudflare's tail has it.
type queueEvent struct {
	Queue     string `json:"queue"`
	BatchSize int    `json:"batchSize"`
}

// LogEntry is what a guest logged.
type LogEntry struct {
	Level     string   `json:"level"`
	Message   []string `json:"message"`
	Timestamp int64    `json:"timestamp"` // milliseconds since 1970
}

// Exception is what ended an Invocation that failed.
type Exception struct {
	Name      string `json:"name"`
	Message   string `json:"message"`
	Stack     string `json:"stack,omitempty"` // innermost first, a line each
	Timestamp int64  `json:"timestamp"`       // milliseconds since 1970
}

var levelNames = [...]string{host.LogDebug: "debug", host.LogInfo: "info", host.LogWarn: "warn", host.LogError: "error"}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// newEvent describes a Call that has ended. It copies what it keeps.
func newEvent(c *host.Call, e Ended, logs []LogEntry) *Event {
	ended := c.Started().Add(c.Usage.Wall)
	event := &Event{
		Outcome: e.Outcome.String(), ScriptName: c.Bindings.Function, ScriptVersion: scriptVersion{c.Bindings.Version},
		RequestID: c.ID, Exceptions: []Exception{}, Logs: logs, EventTimestamp: c.Started().UnixMilli(),
		CPUTime: millis(c.Usage.CPU), WallTime: millis(c.Usage.Wall),
	}
	if event.Logs == nil {
		event.Logs = []LogEntry{}
	}
	if x, ok := exceptionOf(e); ok {
		x.Timestamp = ended.UnixMilli()
		event.Exceptions = append(event.Exceptions, x)
	}
	request := httpEvent{Request: httpRequest{
		Method: string(c.Request.Method), URL: redactURL(string(c.Request.URL)), Headers: redactedHeaders(c.Request.Headers)}}
	if e.Status != 0 {
		request.Response = &httpResponse{e.Status}
	}
	event.Event = request
	event.size = eventOverhead + len(c.Request.URL) + len(c.Request.Headers) + int(c.Usage.LogBytes)
	if s := c.Scheduled; s != nil {
		event.Event = scheduledEvent{s.Cron, s.Time.UnixMilli()}
	}
	if q := c.Queue; q != nil {
		event.Event = queueEvent{q.Queue, len(q.Messages)}
	}
	if k := c.Change; k != nil {
		event.Event = kvEvent{k.Namespace, k.Key, k.Deleted, k.Revision, k.OldRevision}
		event.size += len(k.Key)
	}
	return event
}

func (e *Event) json() []byte {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // Events are made of our own types
	}
	return text
}

// eventOverhead is about what an Event takes beside texts, in bytes.
const eventOverhead = 1 << 10

// isFailure tells what is kept as a failure: neither a client that went away nor a
// node without room is the Function's.
func isFailure(o host.Outcome) bool {
	return o != host.OutcomeOK && o != host.OutcomeCanceled && o != host.OutcomeLoadShed
}

// Bounds of an Exception's texts, in bytes.
const (
	maxName    = 256
	maxMessage = 2 << 10
	maxStack   = 8 << 10
)

// exceptionOf is what ended an Invocation, if it failed. Faults of the node keep
// their details to themselves.
func exceptionOf(e Ended) (Exception, bool) {
	switch {
	case e.Outcome == host.OutcomeOK || e.Outcome == host.OutcomeCanceled:
		return Exception{}, false
	case e.Outcome == host.OutcomeInternalError || e.Err == nil:
		return Exception{Name: "Error", Message: verdict(e.Outcome)}, true
	}
	if f, ok := errors.AsType[*js.Failure](e.Err); ok {
		name, message, stack := f.Parts()
		return Exception{Name: clip(name, maxName), Message: clip(message, maxMessage), Stack: clip(stack, maxStack)}, true
	}
	text, stack, _ := strings.Cut(e.Err.Error(), "\n")
	x := Exception{Name: "Error", Message: clip(strings.TrimSuffix(text, " (recovered by wazero)"), maxMessage), Stack: guestStack(stack)}
	if trap, ok := strings.CutPrefix(x.Message, "wasm error: "); ok { // as JavaScript names them
		x.Name, x.Message = "RuntimeError", trap
	}
	return x, true
}

func verdict(o host.Outcome) string {
	if o == host.OutcomeInternalError {
		return "the node failed; its log has the details of this request"
	}
	return o.String()
}

// guestStack is the part of a stack trace that the engine wrote about the guest,
// and nothing about the node.
func guestStack(trace string) string {
	_, trace, found := strings.Cut(host.OfGuest(trace), "wasm stack trace:\n")
	if !found {
		return ""
	}
	var b strings.Builder
	for line := range strings.Lines(trace) {
		if b.Len()+len(line) > maxStack {
			break
		}
		b.WriteString("    at " + strings.TrimSpace(line) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// clip copies the beginning of s, so that what is kept is not all that it is part of.
func clip(s string, most int) string {
	if len(s) <= most {
		return strings.Clone(s)
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Reason is why an Invocation failed, in a line for its Function's owner; empty if
// it did not.
func (e Ended) Reason() string {
	x, ok := exceptionOf(e)
	switch {
	case !ok && e.Outcome == host.OutcomeOK && e.Err != nil:
		return clip(e.Err.Error(), maxMessage)
	case !ok:
		return ""
	case x.Name == "Error":
		return x.Message
	}
	return x.Name + ": " + x.Message
}
