package mayflytest

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// ErrScheduled is what RunScheduled returns, with the reason, when the handler failed.
var ErrScheduled = errors.New("the scheduled event failed")

// scheduled is a scheduled event, as host.Node shows it to the SDK.
type scheduled struct {
	*invocation
	cron string
	at   time.Time
	fail string // why it failed; empty if it did not
}

func (s *scheduled) FailScheduled(reason string) { s.fail = reason }

func (s *scheduled) Scheduled() (string, int64) { return s.cron, s.at.UnixMilli() }

// Detach has nothing to send.
func (s *scheduled) Detach() error { return nil }

// RunScheduled runs the handler that mayfly.HandleScheduled registered last, as a
// cron trigger does, and then what it gave to mayfly.WaitUntil.
func (n *Node) RunScheduled(cron string, at time.Time) (err error) {
	r := httptest.NewRequest(http.MethodPost, "/__scheduled", nil)
	inv := &invocation{node: n, w: httptest.NewRecorder(), r: r, start: time.Now(), state: sent}
	defer inv.end()
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = ErrScheduled
		default:
			panic(v)
		}
	}()
	s := &scheduled{invocation: inv, cron: cron, at: at}
	host.InvokeScheduled(s)
	if s.fail != "" {
		return fmt.Errorf("%w: %s", ErrScheduled, s.fail)
	}
	return nil
}
