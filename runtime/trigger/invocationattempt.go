package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// run makes an attempt, and says when the next one is due; a zero time is never.
func (i *Invocations) run(key string) time.Time {
	next, err := i.try(key)
	switch {
	case err == nil:
		return next
	case errors.Is(err, kv.ErrConflict): // somebody else has it, or has removed it
		return time.Now().Add(foreign)
	case i.closed.Err() == nil:
		i.cfg.Logger.Error("invocation stays as it is, and is tried again", "key", key, "err", err)
	}
	return time.Now().Add(backOff)
}

// try makes one attempt if it is time and nobody else does.
func (i *Invocations) try(key string) (next time.Time, err error) {
	ctx := context.WithoutCancel(i.base) // what was done is recorded, also at the end
	e, err := i.cfg.Store.Get(ctx, key)
	if errors.Is(err, kv.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	p, err := pendingOf(e)
	if err != nil {
		return time.Time{}, err
	}
	if p.Next.After(time.Now()) {
		return p.Next, nil
	}
	if p.Lease != "" {
		other, err := i.cfg.Lease.Other(ctx, p.Lease)
		if other || err != nil {
			return time.Now().Add(recheck), err
		}
	}
	held, err := i.cfg.Lease.Hold(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer held.Release()
	return i.claim(ctx, held, p)
}

// claim makes the record this node's, and goes on with it.
func (i *Invocations) claim(ctx context.Context, held *Held, p *pending) (next time.Time, err error) {
	f, _, err := i.cfg.Registry.Function(p.Account, p.Function)
	if host.CodeOf(err) == host.CodeNotFound {
		return i.unclaimed(ctx, p)
	}
	if err != nil {
		return time.Time{}, err
	}
	p.Lease = held.ID
	if p.Attempts > f.Invoke.Retries() { // a crash ended the last one
		if err := i.write(ctx, p); err != nil {
			return time.Time{}, err
		}
		return time.Time{}, i.giveUp(ctx, f, p)
	}
	p.Attempts++
	p.Error = "the node ended before the invocation did"
	if err := i.write(ctx, p); err != nil {
		return time.Time{}, err
	}
	return i.attempt(ctx, held, f, p)
}

// unclaimed drops what is for a Function that was deleted. One that another node has
// deployed, and of which this one does not know yet, comes.
func (i *Invocations) unclaimed(ctx context.Context, p *pending) (next time.Time, err error) {
	there, err := i.cfg.Registry.Deployed(ctx, p.Account, p.Function)
	if there || err != nil {
		return time.Now().Add(recheck), err
	}
	i.cfg.Logger.Warn("invocation is dropped: its Function was deleted", "account", p.Account, "function", p.Function, "invocation", p.ID)
	return time.Time{}, i.drop(ctx, p)
}

func (i *Invocations) attempt(ctx context.Context, held *Held, f deploy.Function, p *pending) (next time.Time, err error) {
	running, cancel := context.WithCancel(i.base)
	defer cancel()
	stop := context.AfterFunc(held.Over, cancel)
	defer stop()
	ran, status, err := i.cfg.Deliver(running, f, Payload{ID: p.ID, Type: p.Type, Body: p.Body, Attempt: p.Attempts})
	p.Lease = ""
	switch {
	case held.Over.Err() != nil: // another node goes on with it
		return time.Now().Add(recheck), nil
	case i.base.Err() != nil: // it was cut off, and is not to blame
		p.Attempts--
		return p.Next, i.write(ctx, p)
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

// giveUp reports a failure, and drops what failed once that is durable.
func (i *Invocations) giveUp(ctx context.Context, f deploy.Function, p *pending) error {
	i.cfg.Logger.Warn("invocation failed for good", "account", p.Account, "function", p.Function, "invocation", p.ID, "attempts", p.Attempts, "err", p.Error)
	if to := f.Invoke.OnFailure(); !p.Report && to != (deploy.Destination{}) {
		data, err := json.Marshal(p.failure())
		if err == nil {
			err = i.Report(ctx, f, to, p.ID, data)
		}
		if err != nil {
			return err
		}
	}
	return i.drop(ctx, p)
}

// Report tells the destination of a Function's failures about one, durably. One that
// does not exist any more is the end of it.
func (i *Invocations) Report(ctx context.Context, f deploy.Function, to deploy.Destination, id string, failure []byte) error {
	err := i.report(ctx, f, to, id, failure)
	if host.CodeOf(err) == host.CodeNotFound {
		i.cfg.Logger.Warn("the destination of failures does not exist", "account", f.Account, "function", f.Name, "err", err)
		return nil
	}
	return err
}

func (i *Invocations) report(ctx context.Context, f deploy.Function, to deploy.Destination, id string, failure []byte) error {
	if to.Function != "" {
		if err := i.mayReport(ctx, f.Account, to.Function); err != nil {
			return err
		}
		now := time.Now().UTC()
		return i.accept(ctx, &pending{ID: id, Account: f.Account, Function: to.Function, Type: "application/json", Body: failure, Accepted: now, Next: now, Report: true})
	}
	entries, err := i.cfg.Registry.Entries(f.Account, to.Namespace)
	if err != nil {
		return err
	}
	_, err = entries.Put(ctx, "failed/"+f.Name+"/"+id, failure, kv.PutOptions{})
	return err
}

// mayReport is host.CodeNotFound where a Function is gone that was to be told of failures,
// and another error where another node has deployed it, and this one does not know yet.
func (i *Invocations) mayReport(ctx context.Context, account, function string) error {
	_, _, err := i.cfg.Registry.Function(account, function)
	if host.CodeOf(err) != host.CodeNotFound {
		return err
	}
	there, failed := i.cfg.Registry.Deployed(ctx, account, function)
	switch {
	case failed != nil:
		return failed
	case there:
		return host.Errorf(host.CodeUnavailable, "Function %s, which is to be told of failures, is not known to this node yet", function)
	}
	return err
}
