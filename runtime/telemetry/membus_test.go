package telemetry_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// memoryBus joins the Observers of a test as a network does.
type memoryBus struct {
	mu        sync.Mutex // guards what follows
	all       []*subscription
	published map[string]int // by the first two words of the subject
	// lose says that a message of a node does not arrive. It is called with mu.
	lose func(node, subject string) bool
}

type subscription struct {
	node, subject string
	queue         chan []byte
	stop          chan struct{}
	once          sync.Once
}

func newMemoryBus() *memoryBus {
	return &memoryBus{published: map[string]int{}, lose: func(string, string) bool { return false }}
}

func (b *memoryBus) setLose(lose func(node, subject string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose = lose
}

// sent is how many messages there were of a kind.
func (b *memoryBus) sent(kind string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.published[kind]
}

// busOf is the Bus of a node.
type busOf struct {
	*memoryBus
	node string
	full bool // everything that is published is refused
}

func (b *busOf) setFull(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

func (b *busOf) Publish(subject string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	words := strings.Split(subject, ".")
	b.published[words[0]+"."+words[1]]++
	if b.full {
		return errors.New("full")
	}
	if b.lose(b.node, subject) {
		return nil
	}
	for _, s := range b.all {
		if s.subject != subject || s.node == b.node {
			continue
		}
		select {
		case s.queue <- data:
		default: // it has no time
		}
	}
	return nil
}

func (b *busOf) Subscribe(subject string, deliver func([]byte)) (func(), error) {
	s := &subscription{node: b.node, subject: subject, queue: make(chan []byte, 10_000), stop: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, s)
	go func() {
		for {
			select {
			case data := <-s.queue:
				deliver(data)
			case <-s.stop:
				return
			}
		}
	}()
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = slices.DeleteFunc(b.all, func(other *subscription) bool { return other == s })
		s.once.Do(func() { close(s.stop) })
	}, nil
}

// member is a node of a test.
type member struct {
	*telemetry.Observer
	bus *busOf
	at  telemetry.Observed // of Version v1 of Function shop
}

// mustJoin makes nodes a, b, and so on, which end with the test.
func mustJoin(t testing.TB, bus *memoryBus, n int) (all []*member) {
	t.Helper()
	for i := range n {
		m := &member{Observer: telemetry.NewObserver(telemetry.ObserverConfig{}), bus: &busOf{memoryBus: bus, node: string(rune('a' + i))}}
		if err := m.Join(m.bus, m.bus.node); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		all = append(all, m)
	}
	return all
}

// happens lets an Invocation happen at a node.
func (m *member) happens(t testing.TB, i invocation) {
	t.Helper()
	at := &m.at
	if i.account != "" || i.function != "" || i.version != "" {
		at = new(telemetry.Observed)
	}
	i.run(t, m.Observer, at)
}
