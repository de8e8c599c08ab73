package node

import (
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/worker"
)

// Isolation is where guests run.
type Isolation string

const (
	// IsolationShared runs all guests in the node's process.
	IsolationShared Isolation = "shared"
	// IsolationProcess runs those of each Version in a process of their own.
	IsolationProcess Isolation = "process"
	// IsolationFilterOnly is IsolationProcess without namespaces.
	IsolationFilterOnly Isolation = "process-filter-only"
)

// isolations are all, and the default.
var isolations = []Isolation{"", IsolationShared, IsolationProcess, IsolationFilterOnly}

// openIsolation makes what runs guests elsewhere; nil if they run here.
func (n *Node) openIsolation(code *compile.Cache) (runtime.Isolation, error) {
	if n.cfg.Isolation == "" || n.cfg.Isolation == IsolationShared {
		return nil, nil
	}
	if n.cfg.Simple || code == nil || n.cfg.Worker == nil {
		return nil, fmt.Errorf("isolation %q needs the compiler and a program that can be a worker: %w", n.cfg.Isolation, errors.ErrUnsupported)
	}
	w, err := worker.Open(worker.Config{Code: code, Command: n.cfg.Worker, FilterOnly: n.cfg.Isolation == IsolationFilterOnly,
		Memory: workerMemory + n.cfg.AccountMemory, Logger: n.cfg.Logger})
	if err != nil && n.cfg.Isolation == IsolationProcess {
		return nil, fmt.Errorf(`isolation "process" is not possible here: %w; "process-filter-only" does without namespaces`, err)
	}
	if err != nil {
		return nil, fmt.Errorf("isolation %q is not possible here: %w", n.cfg.Isolation, err)
	}
	n.closers = append(n.closers, w.Close)
	return w, nil
}

// workerMemory is what a worker may take beside the memory of its account's guests, in
// bytes: for code, for instances that wait, and for Go.
const workerMemory = 1 << 30
