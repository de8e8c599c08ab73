package js

import (
	"encoding/json"
	"io"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/js/rewrite"
)

var rewriteOps = []operation{
	{"opSelector", checkSelector},
	{"opRewriter", openRewriter},
	{"opRewriterWrite", rewriterWrite},
	{"opRewriterEnd", rewriterEnd},
	{"opRewriterNext", rewriterNext},
	{"opRewriterRaw", rewriterRaw},
}

const (
	// rewriterSize is what a rewriter is taken to hold, in bytes.
	rewriterSize = 512 << 10
	maxHandlers  = 256

	// What rewriting costs, in units of work: a byte, and a look at an element.
	htmlWeight  = 20
	matchWeight = 60
)

type rewriting struct {
	*rewrite.Rewriter
	call *host.Call
	paid int64 // of Tested
}

// pay has the guest pay for what was tested since.
func (w *rewriting) pay() {
	n := w.Tested - w.paid
	w.paid = w.Tested
	w.call.Work(matchWeight * n)
}

func (w *rewriting) Close() error {
	w.Rewriter.Close()
	w.call.Release(rewriterSize)
	return nil
}

// checkSelector throws if text is no selector.
func checkSelector(q *query) (kind, error) {
	if _, err := rewrite.ParseSelector(string(q.text)); err != nil {
		return 0, host.Errorf(host.CodeInvalid, "%v", err)
	}
	return noValue, nil
}

// openRewriter gives the handle of a rewriter for the handlers in text, as JSON.
func openRewriter(q *query) (kind, error) {
	size := len(q.text)
	if err := q.Hold(size); err != nil {
		return 0, err
	}
	defer q.Release(size)
	var given []struct {
		Selector *string `json:"selector"`
		rewrite.Handler
	}
	if err := json.Unmarshal(q.text, &given); err != nil {
		return 0, host.Errorf(host.CodeInvalid, "the handlers are not valid: %v", err)
	}
	if len(given) > maxHandlers {
		return 0, host.Errorf(host.CodeInvalid, "a rewriter has at most %d handlers", maxHandlers)
	}
	var handlers []rewrite.Handler
	for _, g := range given {
		if g.Selector != nil {
			s, err := rewrite.ParseSelector(*g.Selector)
			if err != nil {
				return 0, host.Errorf(host.CodeInvalid, "%v", err)
			}
			g.Handler.Selector = s
		}
		handlers = append(handlers, g.Handler)
	}
	if err := q.Handles.Room(); err != nil {
		return 0, err
	}
	if err := q.Hold(rewriterSize); err != nil {
		return 0, err
	}
	w := &rewriting{rewrite.New(handlers), q.Call, 0}
	w.Pay = w.pay
	return q.open(w)
}

// rewriterWrite gives data, at most chunkSize bytes, to the rewriter of the handle n.
func rewriterWrite(q *query) (kind, error) {
	w, err := handle[*rewriting](q)
	if err != nil {
		return 0, err
	}
	if len(q.data) > chunkSize {
		return 0, host.Errorf(host.CodeInvalid, "a rewriter takes at most %d bytes at a time", chunkSize)
	}
	q.Work(htmlWeight * int64(len(q.data)))
	w.Write(q.data)
	return noValue, nil
}

// rewriterEnd says that there is no more input.
func rewriterEnd(q *query) (kind, error) {
	w, err := handle[*rewriting](q)
	if err != nil {
		return 0, err
	}
	w.End()
	return noValue, nil
}

// rewriterNext gives bytes to pass on, an event as JSON, false if more input is
// needed, and null at the end.
func rewriterNext(q *query) (kind, error) {
	w, err := handle[*rewriting](q)
	if err != nil {
		return 0, err
	}
	raw, event, nextErr := w.Next()
	switch {
	case nextErr == io.EOF:
		return null, nil
	case nextErr != nil:
		return 0, host.Errorf(host.CodeInvalid, "The HTML can't be rewritten: %v", nextErr)
	case event != nil:
		return q.giveJSON(event)
	case len(raw) > 0:
		return q.giveBytes(raw)
	}
	return boolean(false), nil
}

// rewriterRaw gives the source of the newest event.
func rewriterRaw(q *query) (kind, error) {
	w, err := handle[*rewriting](q)
	if err != nil {
		return 0, err
	}
	return q.giveBytes(w.Raw())
}
