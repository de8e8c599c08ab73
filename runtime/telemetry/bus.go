package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/mayfly-run/mayfly/host"
)

// Bus carries messages between the nodes of a cluster while they happen. Messages may
// be lost, and nothing is kept. It is safe for concurrent use.
type Bus interface {
	// Publish sends to all other nodes that have subscribed to a subject: words of
	// letters, digits, - and _ with dots between them. It never waits: what can't be
	// sent on is lost, with an error where that is known. data is the Bus's from now on.
	Publish(subject string, data []byte) error
	// Subscribe has deliver called for each message of a subject, one after the other,
	// until stop is called, and with one that is under way a little longer. Messages
	// for which deliver has no time are lost.
	Subscribe(subject string, deliver func(data []byte)) (stop func(), err error)
}

// Subjects. The first ones have all nodes for readers; of the others each has one.
const (
	leaseSubject  = "tail.lease" // tailLease
	endSubject    = "tail.end"   // tailEnd
	askSubject    = "failures.ask"
	eventSubject  = "tail.event."      // and the id of a tail: tailMessage
	answerSubject = "failures.answer." // and the name of a node: answer
)

// maxBusMessage bounds messages, in bytes: NATS servers take no longer ones unless they
// are told to.
const maxBusMessage = 1 << 20

var (
	word = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	// randomID is what randomHex makes.
	randomID = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

var errMessage = errors.New("no message of a node")

// peers is what an Observer shares with those of other nodes.
type peers struct {
	node  string
	bus   Bus
	stops []func() // of subscriptions

	mu        sync.Mutex           // guards what follows; taken after tails.mu
	remote    map[string]*remote   // by the ids of their tails
	questions map[string]*question // by id
	closed    bool
	sending   sync.WaitGroup // remote
}

// Join has tails show the Invocations of all nodes on a Bus, and Failures be asked for
// there. node names this one on it. It is called once, before the Observer is used.
func (o *Observer) Join(bus Bus, node string) error {
	if !word.MatchString(node) {
		return fmt.Errorf("share tails: %q is no name of a node", node)
	}
	p := &peers{node: node, bus: bus, remote: map[string]*remote{}, questions: map[string]*question{}}
	o.peers = p
	for subject, deliver := range map[string]func([]byte){
		leaseSubject: o.leased, endSubject: o.endAsked, askSubject: o.asked, answerSubject + node: o.answered,
	} {
		stop, err := bus.Subscribe(subject, deliver)
		if err != nil {
			p.leave()
			return fmt.Errorf("share tails: %w", err)
		}
		p.stops = append(p.stops, stop)
	}
	return nil
}

// name is this node's, if there are others.
func (p *peers) name() string {
	if p == nil {
		return ""
	}
	return p.node
}

// leave ends what Join began.
func (p *peers) leave() {
	if p == nil {
		return
	}
	for _, stop := range p.stops {
		stop()
	}
	p.mu.Lock()
	p.closed = true
	for _, r := range p.remote {
		r.stop(ErrTailDrained)
	}
	p.mu.Unlock()
	p.sending.Wait()
}

// publish sends a message; what is made of our own types can be encoded.
func (p *peers) publish(subject string, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	if len(data) > maxBusMessage {
		return host.Errorf(host.CodeTooLarge, "a message of %d bytes", len(data))
	}
	return p.bus.Publish(subject, data)
}

// decode reads a message into m, which then says whether it may be one.
func decode(data []byte, m interface{ valid() bool }) error {
	if len(data) > maxBusMessage {
		return errMessage
	}
	if err := json.Unmarshal(data, m); err != nil {
		return err
	}
	if !m.valid() {
		return errMessage
	}
	return nil
}
