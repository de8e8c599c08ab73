package mayfly

import (
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// Env returns the variable or secret of that name and whether there is one. A
// JSON variable is its JSON text.
func Env(name string) (string, bool) { return host.Env(name) }

// EnvNames returns the names of all variables and secrets, sorted.
func EnvNames() []string { return host.EnvNames() }

// TimeLeft is how long the invocation may go on before the node ends it.
func TimeLeft() time.Duration { return host.TimeLeft() }

// WaitUntil runs f on a goroutine of its own after the response went out: for
// work that the client needn't wait for. The invocation goes on until every
// such f has returned, for 30 seconds at most. Called from such work, it starts
// f at once.
//
// A module that calls WaitUntil or [Stream] anywhere runs on a thread of its
// own, which costs some microseconds per request.
func WaitUntil(f func()) { host.WaitUntil(f) }
