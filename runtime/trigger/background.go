package trigger

import (
	"context"
	"sync"
)

// background is what a trigger has begun and that goes on: guests, and what brings
// events to them.
type background struct {
	live   sync.WaitGroup
	base   context.Context // of what goes on; ends when that is cut off
	cancel context.CancelFunc
}

func newBackground() *background {
	b := new(background)
	b.base, b.cancel = context.WithCancel(context.Background())
	return b
}

// drain waits for what goes on until ctx ends, and cuts off what is left then. Nothing
// begins any more.
func (b *background) drain(ctx context.Context) {
	stop := context.AfterFunc(ctx, b.cancel)
	defer stop()
	b.live.Wait()
	b.cancel()
}

// loop is a goroutine that looks for what is to begin.
type loop struct {
	over sync.WaitGroup
	stop context.CancelFunc
}

// start runs the loop until end is called or ctx ends.
func (l *loop) start(ctx context.Context, run func(context.Context)) {
	ctx, l.stop = context.WithCancel(ctx)
	l.over.Go(func() { run(ctx) })
}

// end returns once nothing begins any more.
func (l *loop) end() {
	l.stop()
	l.over.Wait()
}
