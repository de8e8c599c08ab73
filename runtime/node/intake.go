package node

import (
	"sync"

	"github.com/mayfly-run/mayfly/runtime/trigger"
)

// intake is what begins work on the node that no client waits for.
type intake struct {
	mu     sync.Mutex // guards what follows
	paused bool
	all    []*trigger.Places
}

// places makes those of one kind of trigger.
func (i *intake) places() *trigger.Places {
	i.mu.Lock()
	defer i.mu.Unlock()
	p := trigger.NewPlaces(0)
	p.Pause(i.paused)
	i.all = append(i.all, p)
	return p
}

// pause stops it while the node is drained.
func (i *intake) pause(pause bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.paused = pause
	for _, p := range i.all {
		p.Pause(pause)
	}
}
