package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// MaxAsyncPayload is the longest Payload that is accepted for later, in bytes.
const MaxAsyncPayload = 1 << 20

const (
	// maxPending is how many Payloads of a Function may wait.
	maxPending = 10_000
	// backOff is how long after the first failure it is tried again, and then twice
	// that: as Lambda does (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
	backOff = time.Minute
	// mostDeliveries is how many go on at the same time.
	mostDeliveries = 100
)

const invocationRecords = "node/invocations/" // <account>/<function>/<id>: pending

// pending is a Payload that was accepted, until its Function has taken it.
type pending struct {
	ID       string    `json:"id"`
	Account  string    `json:"account"`
	Function string    `json:"function"`
	Type     string    `json:"type,omitempty"`
	Body     []byte    `json:"body,omitempty"`
	Accepted time.Time `json:"accepted"`
	Attempts int       `json:"attempts"` // that have begun
	Next     time.Time `json:"next"`     // when to try again
	Error    string    `json:"error,omitempty"`
	// Report says that it is about a failure. When it fails itself, that is the end.
	Report bool `json:"report,omitempty"`
}

func (p *pending) key() string { return invocationRecords + p.Account + "/" + p.Function + "/" + p.ID }

// InvocationsConfig configures Invocations. Registry, Deliver and Store are required.
type InvocationsConfig struct {
	Registry interface {
		Function(account, name string) (deploy.Function, deploy.Version, error)
		Entries(account, namespace string) (kv.Store, error)
	}
	// Deliver gives a Function a Payload, and waits for the end.
	Deliver func(ctx context.Context, f deploy.Function, p Payload) (Ran, int, error)
	Store   kv.Store
	Logger  *slog.Logger // default: discard
}

// Invocations are Payloads that were accepted for later. What was accepted is in the
// store until its Function has taken it, at least once; what fails is tried again,
// and then reported. It is safe for concurrent use. One Invocations uses a store at a
// time.
type Invocations struct {
	cfg    InvocationsConfig
	places chan struct{}
	live   sync.WaitGroup
	base   context.Context
	cancel context.CancelFunc
	closed context.Context // no delivery begins any more
	close  context.CancelFunc

	mu    sync.Mutex // guards count, and is held while something begins
	count map[string]int
}

// NewInvocations goes on with what was accepted and not delivered.
func NewInvocations(ctx context.Context, cfg InvocationsConfig) (*Invocations, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	i := &Invocations{cfg: cfg, places: make(chan struct{}, mostDeliveries), count: map[string]int{}}
	i.base, i.cancel = context.WithCancel(context.Background())
	i.closed, i.close = context.WithCancel(i.base)
	opts := kv.ListOptions{Prefix: invocationRecords}
	for {
		page, err := cfg.Store.List(ctx, opts)
		if err != nil {
			i.cancel()
			return nil, fmt.Errorf("list invocations: %w", err)
		}
		for _, e := range page.Entries {
			i.counted(e.Key, 1)
			i.begin(e.Key)
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return i, nil
		}
	}
}

// Shutdown begins no more deliveries, waits for those that go on until ctx ends, and
// cancels what is left then. They begin anew with the next start.
func (i *Invocations) Shutdown(ctx context.Context) {
	i.mu.Lock()
	i.close()
	i.mu.Unlock()
	stop := context.AfterFunc(ctx, i.cancel)
	defer stop()
	i.live.Wait()
	i.cancel()
}

// counted changes how many wait of the Function of a key, and returns that.
func (i *Invocations) counted(key string, by int) int {
	function := key[:strings.LastIndexByte(key, '/')]
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.count[function] += by; i.count[function] == 0 {
		delete(i.count, function)
		return 0
	}
	return i.count[function]
}

// Accept keeps a Payload for a Function, and returns its id. When it returns, what it
// accepted is durable. The error is an *host.Error or the store's.
func (i *Invocations) Accept(ctx context.Context, f deploy.Function, contentType string, body []byte) (string, error) {
	if len(body) > MaxAsyncPayload {
		return "", host.Errorf(host.CodeTooLarge, "the payload has %d bytes; at most %d are accepted for later", len(body), MaxAsyncPayload)
	}
	now := time.Now().UTC()
	p := &pending{ID: newID(), Account: f.Account, Function: f.Name, Type: contentType, Body: body, Accepted: now, Next: now}
	return p.ID, i.accept(ctx, p)
}

func (i *Invocations) accept(ctx context.Context, p *pending) error {
	if i.counted(p.key(), 1) > maxPending {
		i.counted(p.key(), -1)
		return host.Errorf(host.CodeLimit, "%d payloads for Function %s are waiting; try again when it has taken some", maxPending, p.Function)
	}
	if err := i.write(ctx, p); err != nil {
		i.counted(p.key(), -1)
		return err
	}
	i.begin(p.key())
	return nil
}

// begin follows a key. At the end of the node it is left to the next start.
func (i *Invocations) begin(key string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed.Err() == nil {
		i.live.Go(func() { i.follow(key) })
	}
}

func (i *Invocations) write(ctx context.Context, p *pending) error {
	data, err := json.Marshal(p)
	if err == nil {
		_, err = i.cfg.Store.Put(ctx, p.key(), data, kv.PutOptions{})
	}
	if err != nil {
		return fmt.Errorf("keep invocation: %w", err)
	}
	return nil
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

// follow delivers what a record has, however often that takes.
func (i *Invocations) follow(key string) {
	defer i.counted(key, -1)
	for i.closed.Err() == nil {
		next, err := i.try(key)
		switch {
		case err == nil && next.IsZero():
			return
		case err != nil && i.closed.Err() == nil:
			i.cfg.Logger.Error("invocation stays as it is, and is tried again", "key", key, "err", err)
			next = time.Now().Add(backOff)
		}
		select {
		case <-time.After(time.Until(next)):
		case <-i.closed.Done():
		}
	}
}

// try makes one attempt if it is time, and says when the next one is; a zero time is
// never.
func (i *Invocations) try(key string) (next time.Time, err error) {
	ctx := context.WithoutCancel(i.base) // what was done is recorded, also at the end
	e, err := i.cfg.Store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	p := new(pending)
	if err := json.Unmarshal(e.Value, p); err != nil {
		return time.Time{}, err
	}
	if p.Next.After(time.Now()) {
		return p.Next, nil
	}
	f, _, err := i.cfg.Registry.Function(p.Account, p.Function)
	if host.CodeOf(err) == host.CodeNotFound {
		i.cfg.Logger.Warn("invocation is dropped: its Function was deleted", "account", p.Account, "function", p.Function, "invocation", p.ID)
		return time.Time{}, i.drop(ctx, p)
	}
	if err != nil {
		return time.Time{}, err
	}
	if p.Attempts > f.Invoke.Retries() { // a crash ended the last one
		return time.Time{}, i.giveUp(ctx, f, p)
	}
	return i.attempt(ctx, f, p)
}

func (i *Invocations) attempt(ctx context.Context, f deploy.Function, p *pending) (next time.Time, err error) {
	select {
	case i.places <- struct{}{}:
		defer func() { <-i.places }()
	case <-i.closed.Done():
		return time.Time{}, i.closed.Err()
	}
	p.Attempts++
	p.Error = "the node ended before the invocation did"
	if err := i.write(ctx, p); err != nil {
		return time.Time{}, err
	}
	ran, status, err := i.cfg.Deliver(i.base, f, Payload{ID: p.ID, Type: p.Type, Body: p.Body, Attempt: p.Attempts})
	switch {
	case i.base.Err() != nil: // it was cut off, and is not to blame
		p.Attempts--
		return time.Time{}, i.write(ctx, p)
	case err != nil:
		p.Error = reason(err, host.OutcomeOK)
	case ran.Outcome != host.OutcomeOK:
		p.Error = reason(ran.Err, ran.Outcome)
	case status >= 500:
		p.Error = fmt.Sprintf("the Function answered with status %d", status)
	default:
		return time.Time{}, i.drop(ctx, p)
	}
	if p.Attempts > f.Invoke.Retries() {
		return time.Time{}, i.giveUp(ctx, f, p)
	}
	p.Next = time.Now().UTC().Add(backOff << (p.Attempts - 1))
	return p.Next, i.write(ctx, p)
}

func (i *Invocations) drop(ctx context.Context, p *pending) error {
	if err := i.cfg.Store.Delete(ctx, p.key(), kv.DeleteOptions{}); err != nil {
		return fmt.Errorf("drop invocation: %w", err)
	}
	return nil
}

// Failure is what the destination of failures gets, as JSON.
type Failure struct {
	ID       string    `json:"id"`
	Function string    `json:"function"`
	Accepted time.Time `json:"accepted"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error"` // of the last attempt
	Type     string    `json:"content_type,omitempty"`
	Payload  string    `json:"payload,omitempty"`        // if it is text
	Bytes    []byte    `json:"payload_base64,omitempty"` // otherwise
}

func (p *pending) failure() Failure {
	f := Failure{ID: p.ID, Function: p.Function, Accepted: p.Accepted, Attempts: p.Attempts, Error: p.Error, Type: p.Type}
	if utf8.Valid(p.Body) {
		f.Payload = string(p.Body)
	} else {
		f.Bytes = p.Body
	}
	return f
}

// giveUp reports a failure, and drops what failed once that is durable.
func (i *Invocations) giveUp(ctx context.Context, f deploy.Function, p *pending) error {
	i.cfg.Logger.Warn("invocation failed for good", "account", p.Account, "function", p.Function, "invocation", p.ID, "attempts", p.Attempts, "err", p.Error)
	if to := f.Invoke.OnFailure(); !p.Report && to != (deploy.Destination{}) {
		err := i.report(ctx, to, p)
		if host.CodeOf(err) == host.CodeNotFound {
			i.cfg.Logger.Warn("the destination of failures does not exist", "account", p.Account, "function", p.Function, "err", err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return i.drop(ctx, p)
}

func (i *Invocations) report(ctx context.Context, to deploy.Destination, p *pending) error {
	data, err := json.Marshal(p.failure())
	if err != nil {
		return err
	}
	if to.Function != "" {
		if _, _, err := i.cfg.Registry.Function(p.Account, to.Function); err != nil {
			return err
		}
		now := time.Now().UTC()
		return i.accept(ctx, &pending{ID: p.ID, Account: p.Account, Function: to.Function, Type: "application/json", Body: data, Accepted: now, Next: now, Report: true})
	}
	entries, err := i.cfg.Registry.Entries(p.Account, to.Namespace)
	if err != nil {
		return err
	}
	_, err = entries.Put(ctx, "failed/"+p.Function+"/"+p.ID, data, kv.PutOptions{})
	return err
}
