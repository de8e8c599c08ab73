package telemetry

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// Bounds of questions for failures.
const (
	answerWithin     = 2 * time.Second
	questionsOfNode  = 16        // under way at one time
	questionsOfOwner = 4         // an account's, of them
	answerBytes      = 12 << 20  // of all nodes, about
	leastAnswer      = 64 << 10  // bytes of a node
	answerPart       = 256 << 10 // bytes of a message, about
	maxParts         = 64
)

// Gathered are the failures of several nodes.
type Gathered struct {
	Failures []Failure // newest first, as many as one node keeps of a Function
	Answered []string  // names of the nodes, in order; of a node alone there are none
	Short    []string  // those among them that have older ones which were too many to be sent
}

// ask asks all nodes for the failures of a Function.
type ask struct {
	ID       string `json:"id"`
	Node     string `json:"node"` // which asks
	Account  string `json:"account"`
	Function string `json:"function"`
	Bytes    int64  `json:"bytes"` // that an answer may have, about
}

func (a *ask) valid() bool {
	return randomID.MatchString(a.ID) && word.MatchString(a.Node) && a.Account != "" && a.Function != "" && a.Bytes > 0
}

// answer is what a node has for an ask, or a part of it.
type answer struct {
	ID       string    `json:"id"`
	Node     string    `json:"node"` // which answers
	Account  string    `json:"account"`
	Function string    `json:"function"`
	Part     int       `json:"part"`
	Parts    int       `json:"parts"`
	Short    bool      `json:"short,omitempty"`
	Failures []Failure `json:"failures"`
}

func (a *answer) valid() bool {
	return randomID.MatchString(a.ID) && word.MatchString(a.Node) && a.Parts > 0 && a.Parts <= maxParts && a.Part >= 0 && a.Part < a.Parts
}

// question is an ask that is under way.
type question struct {
	key  functionKey
	keep int // failures
	done chan struct{}

	mu    sync.Mutex // guards what follows
	wait  map[string]bool
	nodes map[string]*answered
	all   []Failure
}

// answered is how much came of a node's answer.
type answered struct {
	parts [maxParts]bool
	left  int
	short bool
}

// AllFailures returns the last Invocations of a Function that failed, on all nodes. It
// waits for those in others until ctx ends, or for two seconds, and takes what the rest
// answers meanwhile. The error is a *host.Error.
func (o *Observer) AllFailures(ctx context.Context, account, function string, others []string) (Gathered, error) {
	if o.peers == nil {
		return Gathered{Failures: o.Failures(account, function)}, nil
	}
	q := &question{key: functionKey{account, function}, keep: o.cfg.Failures, done: make(chan struct{}), wait: map[string]bool{}, nodes: map[string]*answered{}}
	for _, node := range others {
		if node != o.peers.node {
			q.wait[node] = true
		}
	}
	waited := len(q.wait)
	id, err := o.peers.begin(q)
	if err != nil {
		return Gathered{}, err
	}
	defer o.peers.end(id)
	o.peers.publish(askSubject, &ask{id, o.peers.node, account, function, max(leastAnswer, answerBytes/int64(waited+1))}) //nolint:errcheck // then nobody answers
	if waited > 0 {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		select {
		case <-q.done:
		case <-ctx.Done():
		}
	}
	return q.gathered(o.peers.node, o.named(account, function)), nil
}

// named are this node's own failures.
func (o *Observer) named(account, function string) []Failure {
	own := o.Failures(account, function)
	for i := range own {
		own[i].Node = o.peers.node
	}
	return own
}

// begin makes room for a question.
func (p *peers) begin(q *question) (id string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ours := 0
	for _, other := range p.questions {
		if other.key.account == q.key.account {
			ours++
		}
	}
	if ours >= questionsOfOwner || len(p.questions) >= questionsOfNode {
		return "", host.Errorf(host.CodeLimit, "%d requests for errors are under way already; try again when they are done", len(p.questions))
	}
	id = randomHex()
	p.questions[id] = q
	return id, nil
}

func (p *peers) end(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.questions, id)
}

// asked answers another node.
func (o *Observer) asked(data []byte) {
	var a ask
	if decode(data, &a) != nil || a.Node == o.peers.node {
		return
	}
	parts, short := split(o.Failures(a.Account, a.Function), min(a.Bytes, answerBytes))
	for i, list := range parts {
		err := o.peers.publish(answerSubject+a.Node, &answer{a.ID, o.peers.node, a.Account, a.Function, i, len(parts), short, list})
		if err != nil {
			return // who asked sees that something is missing
		}
	}
}

// split makes messages of as many failures as there is room for, the newest first, and
// at least of one.
func split(all []Failure, room int64) (parts [][]Failure, short bool) {
	parts = [][]Failure{{}}
	part := int64(0)
	for _, f := range all {
		text, err := json.Marshal(f)
		if err != nil {
			panic(err) // strings and numbers
		}
		size := int64(len(text))
		if room -= size; room < 0 && len(parts[0]) > 0 {
			return parts, true
		}
		if part > 0 && part+size > answerPart {
			if len(parts) == maxParts {
				return parts, true
			}
			parts, part = append(parts, nil), 0
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], f)
		part += size
	}
	return parts, false
}

// answered is told a part of an answer.
func (o *Observer) answered(data []byte) {
	var a answer
	if decode(data, &a) != nil || a.Node == o.peers.node {
		return
	}
	o.peers.mu.Lock()
	q := o.peers.questions[a.ID]
	o.peers.mu.Unlock()
	if q != nil && q.key == (functionKey{a.Account, a.Function}) {
		q.add(&a)
	}
}

func (q *question) add(a *answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.nodes[a.Node]
	if n == nil {
		if len(q.nodes) >= maxSources {
			return
		}
		n = &answered{left: a.Parts}
		q.nodes[a.Node] = n
	}
	if n.left == 0 || n.parts[a.Part] {
		return
	}
	n.parts[a.Part] = true
	n.left--
	n.short = n.short || a.Short
	for i := range a.Failures {
		a.Failures[i].Node = a.Node
	}
	q.keepNewest(a.Failures)
	if n.left == 0 && q.wait[a.Node] {
		if delete(q.wait, a.Node); len(q.wait) == 0 {
			close(q.done)
		}
	}
}

// keepNewest needs q.mu.
func (q *question) keepNewest(more []Failure) {
	q.all = append(q.all, more...)
	slices.SortStableFunc(q.all, func(a, b Failure) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Node, b.Node)) })
	if len(q.all) > q.keep {
		clear(q.all[q.keep:])
		q.all = q.all[:q.keep]
	}
}

func (q *question) gathered(self string, own []Failure) (g Gathered) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keepNewest(own)
	g.Failures = append([]Failure{}, q.all...)
	g.Answered = []string{self}
	for node, n := range q.nodes {
		if n.left == 0 {
			g.Answered = append(g.Answered, node)
		}
		if n.left == 0 && n.short {
			g.Short = append(g.Short, node)
		}
	}
	slices.Sort(g.Answered)
	slices.Sort(g.Short)
	return g
}
