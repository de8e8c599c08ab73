package trigger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// MaxAsyncPayload is the longest Payload that is accepted for later, in bytes.
const MaxAsyncPayload = 1 << 20

// How many Payloads may wait of a Function, and where InvocationsConfig says nothing
// else, of an account, and of how many bytes.
const (
	maxPending     = 10_000
	defaultBacklog = 20_000
	defaultBytes   = 256 << 20
)

const (
	// backOff is how long after the first failure it is tried again, and then twice
	// that: as Lambda does (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
	backOff = time.Minute
	// foreign is how much later a node tries what another one accepted.
	foreign = time.Second
	// recheck is how often a node looks whether another one is alive that has begun.
	recheck = leaseLife / 2
)

// InvocationsConfig configures Invocations. Registry, Deliver and Store are required.
type InvocationsConfig struct {
	Registry interface {
		Function(account, name string) (deploy.Function, deploy.Version, error)
		// Deployed says whether there is a Function, of which Function may not know yet.
		Deployed(ctx context.Context, account, name string) (bool, error)
		Entries(account, namespace string) (kv.Store, error)
	}
	// Deliver gives a Function a Payload, and waits for the end.
	Deliver func(ctx context.Context, f deploy.Function, p Payload) (Ran, int, error)
	Store   kv.Store
	Lease   *Lease  // of the node; default: that of a node alone
	Places  *Places // default: NewPlaces(0)
	// Backlog is how many Payloads of an account may wait, and BacklogBytes how long
	// they may be together. Defaults: 20,000 and 256 MiB.
	Backlog      int
	BacklogBytes int64
	Logger       *slog.Logger // default: discard
}

// Invocations are Payloads that were accepted for later. What was accepted is in the
// store until its Function has taken it, at least once; what fails is tried again,
// and then reported. Nodes that share the store find each other's, and one at a time
// makes an attempt: it claims the record by its lease. It is safe for concurrent use.
type Invocations struct {
	cfg         InvocationsConfig
	alone       *Lease          // to be closed; nil if it is the node's
	*background                 // attempts, and their feeds
	closed      context.Context // no attempt begins any more
	close       context.CancelFunc
	watcher     kv.Watcher // watch's

	mu       sync.Mutex // guards accounts and what is in them, and is held while something begins
	accounts map[string]*backlog
}

// NewInvocations goes on with what was accepted and not delivered.
func NewInvocations(ctx context.Context, cfg InvocationsConfig) (_ *Invocations, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Places == nil {
		cfg.Places = NewPlaces(0)
	}
	cfg.Backlog, cfg.BacklogBytes = cmp.Or(cfg.Backlog, defaultBacklog), cmp.Or(cfg.BacklogBytes, defaultBytes)
	i := &Invocations{background: newBackground(), accounts: map[string]*backlog{}}
	if cfg.Lease == nil {
		if cfg.Lease, err = NewLease(ctx, cfg.Store, "alone", cfg.Logger); err != nil {
			return nil, err
		}
		i.alone = cfg.Lease
	}
	i.cfg = cfg
	i.closed, i.close = context.WithCancel(i.base)
	if err := i.find(ctx); err != nil {
		i.Shutdown(i.base)
		return nil, err
	}
	i.live.Go(i.watch)
	return i, nil
}

// Shutdown begins no more attempts, waits for those that go on until ctx ends, and
// cancels what is left then. They begin anew with the next start, or elsewhere.
func (i *Invocations) Shutdown(ctx context.Context) {
	i.mu.Lock()
	i.close()
	i.mu.Unlock()
	i.drain(ctx)
	closeLease(ctx, i.alone)
}

// Accept keeps a Payload for a Function, and returns its id. When it returns, what it
// accepted is durable. The error is an *host.Error or the store's.
func (i *Invocations) Accept(ctx context.Context, f deploy.Function, contentType string, body []byte) (string, error) {
	switch {
	case len(body) > MaxAsyncPayload:
		return "", host.Errorf(host.CodeTooLarge, "the payload has %d bytes; at most %d are accepted for later", len(body), MaxAsyncPayload)
	case len(contentType) > maxType:
		return "", host.Errorf(host.CodeInvalid, "the Content-Type has %d bytes; at most %d are accepted for later", len(contentType), maxType)
	}
	now := time.Now().UTC()
	p := &pending{ID: newID(), Account: f.Account, Function: f.Name, Type: contentType, Body: body, Accepted: now, Next: now}
	return p.ID, i.accept(ctx, p)
}

func (i *Invocations) accept(ctx context.Context, p *pending) error {
	w, err := i.reserve(p)
	if err != nil {
		return err
	}
	err = i.write(ctx, p)
	next := p.Next
	if err != nil {
		next = time.Time{}
	}
	i.settle(p.Account, w, next)
	if p.Report && errors.Is(err, kv.ErrConflict) { // it was accepted before a crash
		return nil
	}
	return err
}

// reserve counts a record that is to be written.
func (i *Invocations) reserve(p *pending) (*waiting, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b := i.backlog(p.Account)
	var err error
	switch size := b.bytes + int64(len(p.Body)); {
	case b.functions[p.Function] >= maxPending:
		err = host.Errorf(host.CodeLimit, "%d payloads for Function %s are waiting; try again when it has taken some", maxPending, p.Function)
	case len(b.all) >= i.cfg.Backlog:
		err = host.Errorf(host.CodeLimit, "%d payloads for Functions of account %s are waiting; try again when some have been taken", len(b.all), p.Account)
	case size > i.cfg.BacklogBytes:
		err = host.Errorf(host.CodeLimit, "payloads of %d bytes for Functions of account %s are waiting, and at most %d may; try again when some have been taken", b.bytes, p.Account, i.cfg.BacklogBytes)
	}
	if err != nil {
		i.tidy(p.Account, b)
		return nil, err
	}
	if w := b.all[p.key()]; w != nil { // its Report
		return w, nil
	}
	return b.add(p.key(), p.Function, int64(len(p.Body))), nil
}

// Forget drops what waits for a Function that was deleted.
func (i *Invocations) Forget(ctx context.Context, account, function string) error {
	opts := kv.ListOptions{Prefix: invocationRecords + account + "/" + function + "/"}
	for {
		page, err := i.cfg.Store.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("list invocations: %w", err)
		}
		for _, e := range page.Entries {
			if err := i.cfg.Store.Delete(ctx, e.Key, kv.DeleteOptions{}); err != nil {
				return fmt.Errorf("drop invocation: %w", err)
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return nil
		}
	}
}
