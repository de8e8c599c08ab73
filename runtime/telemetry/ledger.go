package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// LedgerConfig configures a Ledger. Observer, Store and Node are required.
type LedgerConfig struct {
	Observer *Observer
	Store    kv.Store
	Node     string        // id; each node of a store writes records of its own
	Keep     time.Duration // how long an hour is kept; default 90 days
	// Functions is how many Functions have metrics of their own; 0 is none.
	Functions int
	Now       func() time.Time // default: time.Now
	Logger    *slog.Logger     // default: discard
}

const (
	defaultKeep     = 90 * 24 * time.Hour
	flushEvery      = time.Second
	checkpointEvery = time.Minute
	idleFlushes     = 3600   // until a Version that serves nothing is no longer looked at
	maxJournal      = 10_000 // entries, before a checkpoint
	retiredFlushes  = 60     // how long it is looked at nevertheless, for those who found it before
)

// Ledger keeps what the Invocations of a node used, by hour, account, Function and
// Version, in a store. What was used more than a second ago survives a crash.
//
// Once a second, the sums of all that changed in the last minute go to one record,
// the journal, and once a minute to one record for each hour and account. Both hold
// sums and not differences, so that writing one again, or reading both, changes
// nothing.
type Ledger struct {
	cfg  LedgerConfig
	stop context.CancelFunc
	done sync.WaitGroup

	mu           sync.Mutex // guards all below; held while the store is written
	sheets       map[sheetKey]*sheet
	pending      map[usageKey]*amounts // whose sheet could not be read
	checkpointed time.Time
	stored       time.Time // what was counted before is in the store
	idle         map[*version]int
	totals       map[functionKey]*amounts // for metrics, since the start
	triggered    map[functionKey]*[host.Triggers]int64
	unwritten    bool // of what was counted, something is not in the journal
	journal      int  // entries in the stored journal
}

// usageKey is what is told apart.
type usageKey struct {
	versionKey
	trigger host.Trigger
}

// sheetKey names what one record has.
type sheetKey struct {
	account string
	hour    time.Time // its beginning
}

// sheet is what an account used in an hour.
type sheet struct {
	sums  map[usageKey]*amounts
	dirty map[usageKey]bool // not in the record, but in the journal
}

// NewLedger reads the journal of the last run and begins to write.
func NewLedger(ctx context.Context, cfg LedgerConfig) (*Ledger, error) {
	if cfg.Keep == 0 {
		cfg.Keep = defaultKeep
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{cfg: cfg, sheets: map[sheetKey]*sheet{}, pending: map[usageKey]*amounts{}, idle: map[*version]int{}, totals: map[functionKey]*amounts{}, triggered: map[functionKey]*[host.Triggers]int64{},
		checkpointed: cfg.Now(), stored: cfg.Now()}
	if err := l.replay(ctx); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.done.Go(func() { l.run(running) })
	return l, nil
}

func (l *Ledger) run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := l.Flush(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			l.cfg.Logger.Warn("usage can't be stored and stays in memory", "err", err)
		}
		failed = err != nil
	}
}

// Close stores everything.
func (l *Ledger) Close() error {
	l.stop()
	l.done.Wait()
	l.mu.Lock()
	l.checkpointed = time.Time{}
	l.mu.Unlock()
	return l.Flush(context.Background())
}

// Flush stores what was counted since the last time. What it can't store it stores
// the next time.
func (l *Ledger) Flush(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.cfg.Now()
	err := l.collect(ctx, now)
	if l.unwritten {
		if writeErr := l.writeJournal(ctx); writeErr != nil {
			return errors.Join(err, writeErr)
		}
		l.unwritten = false
	}
	if err != nil {
		return err
	}
	l.stored = now
	if now.Sub(l.checkpointed) >= checkpointEvery || l.journal > maxJournal {
		l.checkpointed = now
		return l.checkpoint(ctx, now)
	}
	return nil
}

// The following need l.mu.

// collect takes what the meters counted into the sheets.
func (l *Ledger) collect(ctx context.Context, now time.Time) (err error) {
	for _, v := range l.cfg.Observer.serving() {
		used := false
		for t := range v.meters {
			m := v.meters[t].Load()
			if m == nil {
				continue
			}
			if sum, some := m.take(); some {
				used = true
				l.owe(usageKey{v.key, host.Trigger(t)}, &sum)
				l.total(v.key.functionKey, host.Trigger(t), &sum)
			}
		}
		l.watchIdle(v, used)
	}
	for key, sum := range l.pending {
		s, readErr := l.sheet(ctx, sheetKey{key.account, hourOf(now)})
		if readErr != nil {
			err = readErr
			continue
		}
		s.add(key, sum)
		l.unwritten = true
		delete(l.pending, key)
	}
	return err
}

func (l *Ledger) owe(key usageKey, sum *amounts) {
	if l.pending[key] == nil {
		l.pending[key] = &amounts{}
	}
	l.pending[key].add(sum)
}

// watchIdle has the Observer forget Versions that serve no more.
func (l *Ledger) watchIdle(v *version, used bool) {
	if used {
		delete(l.idle, v)
		return
	}
	l.idle[v]++
	switch l.idle[v] {
	case idleFlushes:
		l.cfg.Observer.retire(v)
	case idleFlushes + retiredFlushes:
		l.cfg.Observer.release(v)
		delete(l.idle, v)
	}
}

// hourOf is the beginning of the hour, in UTC.
func hourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// sheet returns what an account used in an hour, with what the store has of it.
func (l *Ledger) sheet(ctx context.Context, key sheetKey) (*sheet, error) {
	if s := l.sheets[key]; s != nil {
		return s, nil
	}
	sums, err := l.read(ctx, key, l.cfg.Node)
	if err != nil {
		return nil, err
	}
	s := &sheet{sums: sums, dirty: map[usageKey]bool{}}
	l.sheets[key] = s
	return s, nil
}

func (s *sheet) add(key usageKey, sum *amounts) {
	if s.sums[key] == nil {
		s.sums[key] = &amounts{}
	}
	s.sums[key].add(sum)
	s.dirty[key] = true
}

// checkpoint writes the sheets that changed, and forgets those of hours that are
// over.
func (l *Ledger) checkpoint(ctx context.Context, now time.Time) error {
	for key, s := range l.sheets {
		if len(s.dirty) > 0 {
			if err := l.write(ctx, key, s); err != nil {
				return err
			}
			clear(s.dirty)
		}
		if key.hour.Before(hourOf(now)) {
			delete(l.sheets, key)
		}
	}
	return l.writeJournal(ctx)
}

// serving are all Versions of which something may be counted.
func (o *Observer) serving() []*version {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.AppendSeq(slices.Clone(o.retired), maps.Values(o.versions))
}

// retire lets the next Invocation of a Version begin another one. Those that found
// this one before may still count in it.
func (o *Observer) retire(v *version) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.versions[v.key] == v {
		delete(o.versions, v.key)
		o.retired = append(o.retired, v)
	}
	v.gone.Store(true)
}

// release forgets a Version that was retired.
func (o *Observer) release(v *version) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retired = slices.DeleteFunc(o.retired, func(other *version) bool { return other == v })
}
