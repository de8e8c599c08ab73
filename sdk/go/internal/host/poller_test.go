package host_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mayfly-run/mayfly/sdk/go/internal/host"
)

// operations is a node whose operations are done when the test says so.
type operations struct {
	mu     sync.Mutex // guards the fields below
	done   map[int32]bool
	failed bool
	most   int // handles in one wait
}

func (o *operations) finish(handle int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done[handle] = true
}

func (o *operations) wait(handles []int32, timeout time.Duration) int32 {
	if i := o.look(handles); i != -int32(host.Timeout) || timeout == 0 {
		return i
	}
	time.Sleep(timeout)
	return o.look(handles)
}

func (o *operations) look(handles []int32) int32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.most = max(o.most, len(handles))
	if i := slices.IndexFunc(handles, func(h int32) bool { return o.done[h] }); i >= 0 {
		return int32(i)
	}
	if o.failed && len(handles) > 1 {
		return -int32(host.BadHandle)
	}
	return -int32(host.Timeout)
}

func TestAwaitReadyHandleWaitsOnce(t *testing.T) {
	calls := 0
	p := host.NewPoller(func(handles []int32, timeout time.Duration) int32 {
		calls++
		if timeout != 0 || !slices.Equal(handles, []int32{7}) {
			t.Errorf("wait(%v, %v)", handles, timeout)
		}
		return 0
	})
	p.Await(7)
	if calls != 1 {
		t.Errorf("%d calls of wait, want 1", calls)
	}
}

// start waits for each handle on a goroutine and returns where they report.
func start(p *host.Poller, handles ...int32) <-chan int32 {
	woken := make(chan int32, len(handles))
	for _, h := range handles {
		go func() {
			p.Await(h)
			woken <- h
		}()
	}
	synctest.Wait() // all are parked
	return woken
}

func TestAwaitInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &operations{done: map[int32]bool{}}
		p := host.NewPoller(node.wait)
		woken := start(p, 1, 2, 3)
		for _, h := range []int32{2, 3, 1} {
			node.finish(h)
			if got := <-woken; got != h {
				t.Errorf("woke %d, want %d", got, h)
			}
		}
	})
}

func TestAwaitBlocksForOneSlice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &operations{done: map[int32]bool{}}
		p := host.NewPoller(node.wait)
		woken := start(p, 1)
		begin := time.Now()
		time.Sleep(10 * host.Slice)
		node.finish(1)
		<-woken
		if got := time.Since(begin); got > 11*host.Slice {
			t.Errorf("woke after %v", got)
		}
	})
}

func TestForgetWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := host.NewPoller((&operations{done: map[int32]bool{}}).wait)
		woken := start(p, 1)
		p.Forget(1)
		if got := <-woken; got != 1 {
			t.Errorf("woke %d", got)
		}
		time.Sleep(host.Slice) // the poller ends
	})
}

func TestAwaitWakesAllWhenWaitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &operations{done: map[int32]bool{}}
		woken := start(host.NewPoller(node.wait), 1, 2)
		node.mu.Lock()
		node.failed = true
		node.mu.Unlock()
		if got := []int32{<-woken, <-woken}; !slices.Contains(got, 1) || !slices.Contains(got, 2) {
			t.Errorf("woke %v", got)
		}
	})
}

func TestAwaitMoreThanFitIntoOneWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &operations{done: map[int32]bool{}}
		var handles []int32
		for h := range int32(3000) {
			handles = append(handles, h+1)
		}
		woken := start(host.NewPoller(node.wait), handles...)
		for _, h := range handles {
			node.finish(h)
		}
		for range handles {
			<-woken
		}
		if node.most != 1024 {
			t.Errorf("%d handles in one wait, want 1024", node.most)
		}
	})
}
