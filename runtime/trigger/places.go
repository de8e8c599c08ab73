package trigger

import (
	"context"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/runtime/gate"
)

// How many Invocations of one kind of trigger go on at the same time on a node, and
// how many of them may be of one account. Four accounts with nothing but long ones
// leave no place; then the account that has used least is next.
const (
	defaultPlaces  = 400
	accountsOfFull = 4 // of an account: a part of the places
)

// Places bound what a kind of trigger runs at the same time, in all and for each
// account. It is safe for concurrent use.
type Places struct {
	all  *gate.Gate
	each int

	mu       sync.Mutex // guards what follows
	accounts map[string]*accountPlaces
	paused   chan struct{} // closed when it ends; nil while there is none
}

// heldForPlace is how many batches of an account are in memory for each of its places:
// the one that is inside, and one that waits.
const heldForPlace = 2

// accountPlaces are there as long as somebody uses them or waits for one.
type accountPlaces struct {
	gate  *gate.Gate
	held  *gate.Gate // batches in memory
	users int
}

// NewPlaces makes so many places, of which an account may have a quarter; 0 is 400.
func NewPlaces(most int) *Places {
	if most == 0 {
		most = defaultPlaces
	}
	return &Places{all: gate.New(most), each: max(1, most/accountsOfFull), accounts: map[string]*accountPlaces{}}
}

// Enter waits for a place, which leave gives back. The error is that of ctx.
func (p *Places) Enter(ctx context.Context, account string) (leave func(), err error) {
	if err := p.resumed(ctx); err != nil {
		return nil, err
	}
	own := p.use(account)
	if err := wait(ctx, own.gate, ""); err != nil {
		p.done(account, own)
		return nil, err
	}
	if err := wait(ctx, p.all, account); err != nil {
		own.gate.Leave()
		p.done(account, own)
		return nil, err
	}
	return p.inside(account, own), nil
}

// tryEnter is Enter for those that do not wait: leave is nil if somebody would have to.
func (p *Places) tryEnter(account string) (leave func()) {
	p.mu.Lock()
	paused := p.paused != nil
	p.mu.Unlock()
	if paused {
		return nil
	}
	own := p.use(account)
	if own.gate.TryEnter() {
		if p.all.TryEnter() {
			return p.inside(account, own)
		}
		own.gate.Leave()
	}
	p.done(account, own)
	return nil
}

func (p *Places) inside(account string, own *accountPlaces) (leave func()) {
	began := time.Now()
	return func() {
		p.all.LeaveAfter(account, time.Since(began))
		own.gate.Leave()
		p.done(account, own)
	}
}

// hold waits until an account may have another batch in memory, which leave ends. The
// error is that of ctx.
func (p *Places) hold(ctx context.Context, account string) (leave func(), err error) {
	own := p.use(account)
	if err := wait(ctx, own.held, ""); err != nil {
		p.done(account, own)
		return nil, err
	}
	return p.letGo(account, own), nil
}

// tryHold is hold for those that do not wait: leave is nil if somebody would have to.
func (p *Places) tryHold(account string) (leave func()) {
	own := p.use(account)
	if !own.held.TryEnter() {
		p.done(account, own)
		return nil
	}
	return p.letGo(account, own)
}

func (p *Places) letGo(account string, own *accountPlaces) func() {
	return func() {
		own.held.Leave()
		p.done(account, own)
	}
}

// Pause has everybody wait who enters, until it is called with false. Who is inside
// stays.
func (p *Places) Pause(pause bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case pause && p.paused == nil:
		p.paused = make(chan struct{})
	case !pause && p.paused != nil:
		close(p.paused)
		p.paused = nil
	}
}

// resumed waits for the end of a pause.
func (p *Places) resumed(ctx context.Context) error {
	p.mu.Lock()
	paused := p.paused
	p.mu.Unlock()
	if paused == nil {
		return nil
	}
	select {
	case <-paused:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Places) use(account string) *accountPlaces {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.accounts[account]
	if own == nil {
		own = &accountPlaces{gate: gate.New(p.each), held: gate.New(heldForPlace * p.each)}
		p.accounts[account] = own
	}
	own.users++
	return own
}

func (p *Places) done(account string, own *accountPlaces) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(p.accounts, account)
	}
}

// wait enters a gate, however long that takes.
func wait(ctx context.Context, g *gate.Gate, who string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if g.TryEnter() {
		return nil
	}
	turn := g.Ask(who)
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	if !g.GiveUp(who, turn) { // it came at the same time
		g.LeaveAfter(who, 0)
	}
	return ctx.Err()
}
