package natskv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/badgerkv"
)

// compare finds out whether the stream goes on where the copy is, as far as that
// can be told without reading it.
func (f *session) compare(ctx context.Context) error {
	info, err := f.entries.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at the stream: %w", err)
	}
	if f.target, err = f.last(ctx); err != nil {
		return err
	}
	if f.began == 0 {
		return nil
	}
	if info.State.LastSeq < f.began {
		return fmt.Errorf("it ends at revision %d, the copy at %d: %w", info.State.LastSeq, f.began, errRolledBack)
	}
	at, key := readMark(f.copy.Position().Mark)
	f.end, f.now = info.State.LastSeq, info.TimeStamp
	f.audit = f.end > f.began && f.now.After(at.Add(f.cfg.MarkerTTL-f.cfg.margin))
	if err := f.compareKey(ctx, key); err != nil {
		return err
	}
	return f.compareEmpty(ctx, info.State.Msgs)
}

// compareKey looks for what the copy got last.
func (f *session) compareKey(ctx context.Context, key string) error {
	stored, err := f.copy.Stored(ctx, key)
	if key == "" || stored != f.began || errors.Is(err, kv.ErrCorrupt) {
		return nil // it was a deletion, or is damaged
	}
	if _, err := f.copy.Get(ctx, key); errors.Is(err, kv.ErrNotFound) {
		return nil // it has expired
	}
	l, err := f.ask(ctx, key)
	if err != nil {
		return fmt.Errorf("look for revision %d: %w", f.began, err)
	}
	forgotten := f.audit && l.sequence == 0 // the mark of a deletion may be
	if l.sequence < f.began && !forgotten {
		return fmt.Errorf("revision %d of key %q is missing: %w", f.began, key, errRolledBack)
	}
	return nil
}

// compareEmpty finds a stream of which everything was purged.
func (f *session) compareEmpty(ctx context.Context, messages uint64) error {
	if messages > 0 {
		return nil
	}
	page, err := f.copy.List(ctx, kv.ListOptions{Limit: 1})
	if err == nil && len(page.Entries) > 0 {
		return fmt.Errorf("it is empty, and the copy is not: %w", errRolledBack)
	}
	return nil
}

// removeGone removes from the copy what the stream does not have any more. It is for
// a node that was away for longer than the stream tells of deletions, when the copy
// has all that was in the stream when the session began.
func (f *session) removeGone(ctx context.Context) error {
	there, err := f.revisions(ctx)
	if err != nil {
		return err
	}
	gone, err := f.goneKeys(ctx, there)
	if errors.Is(err, kv.ErrCorrupt) {
		f.cfg.Logger.Error("the copy can't be compared with the stream, and may have what was deleted; write the entry anew, or move away the copy",
			"copy", f.copies(), "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	at := max(f.end, f.progress.get())
	for _, key := range gone {
		c := badgerkv.Change{Entry: kv.Entry{Key: key, Revision: at}, Deleted: true}
		if err := f.copy.Apply(ctx, badgerkv.Position{Revision: at, Mark: mark(f.now, "")}, c); err != nil {
			return err
		}
	}
	if err := f.copy.Advance(ctx, at, mark(f.now, "")); err != nil {
		return err
	}
	f.progress.set(at)
	f.cfg.Logger.Info("compared the copy with the stream", "entries", len(there), "removed", len(gone))
	return nil
}

// goneKeys are those of the copy whose revisions are not there, and of which the
// leader knows nothing newer.
func (f *session) goneKeys(ctx context.Context, there []uint64) (gone []string, err error) {
	for opts := (kv.ListOptions{}); ; {
		page, err := f.copy.List(ctx, opts)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			if _, ok := slices.BinarySearch(there, e.Revision); ok {
				continue
			}
			l, err := f.ask(ctx, e.Key)
			if err != nil {
				return nil, err
			}
			if l.sequence == 0 {
				gone = append(gone, e.Key)
			}
		}
		if opts.Cursor = page.Cursor; opts.Cursor == "" {
			return gone, nil
		}
	}
}

// revisions are those of all messages of the stream, in order.
func (f *session) revisions(ctx context.Context) (there []uint64, err error) {
	consumer, messages, err := f.consume(ctx, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true})
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	pending := consumer.CachedInfo().NumPending
	for n := uint64(1); pending > 0; n++ {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		if meta.Sequence.Consumer != n {
			return nil, errGap
		}
		there = append(there, meta.Sequence.Stream)
		pending = meta.NumPending
	}
	return there, nil
}

// verify compares a message that the copy has had with the copy.
func (f *session) verify(ctx context.Context, m jetstream.Msg, revision uint64) error {
	token := strings.TrimPrefix(m.Subject(), f.entryPrefix)
	r, err := decode(token, m.Data())
	if err != nil || r.entry.ExpiredAt(f.cfg.Now()) {
		return nil // there is nothing to compare with
	}
	stored, err := f.copy.Stored(ctx, r.entry.Key)
	switch {
	case errors.Is(err, kv.ErrCorrupt):
		return nil
	case err != nil:
		return err
	case r.deleted && stored == 0, !r.deleted && stored == revision && f.same(ctx, r):
		return nil
	}
	// A server that lags behind the leader may have delivered it.
	l, err := f.ask(ctx, r.entry.Key)
	if err != nil {
		return err
	}
	if l.sequence > f.began || l.sequence == stored && stored > revision {
		return nil
	}
	return fmt.Errorf("revision %d is of key %q, of which the copy has revision %d: %w", revision, r.entry.Key, stored, errRolledBack)
}

// same reports whether the copy has these bytes. Values that are objects are taken
// for the same if they are as long.
func (f *session) same(ctx context.Context, r record) bool {
	e, err := f.copy.Get(ctx, r.entry.Key)
	if err != nil {
		return true // expired or damaged meanwhile
	}
	if r.object != "" {
		return len(e.Value) == int(r.valueLen)
	}
	return string(e.Value) == string(r.entry.Value) && string(e.Metadata) == string(r.entry.Metadata)
}
