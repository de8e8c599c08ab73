package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// Where a Ledger's records are.
const (
	usageRecords   = "node/usage/"         // <account>/<hour>/<node>: []usageEntry
	journalRecords = "node/usage-journal/" // <node>: []usageEntry
	hourLayout     = "2006-01-02T15"
)

// usageEntry is what a Version used in an hour.
type usageEntry struct {
	Account  string           `json:"account,omitempty"` // in the journal, as is Hour
	Hour     string           `json:"hour,omitempty"`
	Function string           `json:"function"`
	Version  string           `json:"version"`
	Trigger  string           `json:"trigger,omitempty"` // empty for requests from outside
	Amounts  map[string]int64 `json:"amounts"`           // by slotNames, those that are not 0
}

// slotNames are those of all slots, as records have them.
func slotNames() (names [slots]string) {
	for o := range host.Outcomes {
		names[o] = o.String()
	}
	for slot, name := range map[int]string{slotUnits: "units", slotCPU: "cpu_ns", slotWall: "wall_ns", slotMemory: "memory_kib_us",
		slotBytesIn: "bytes_in", slotBytesOut: "bytes_out", slotFetches: "fetches", slotKV: "kv"} {
		names[slot] = name
	}
	return names
}

func entryOf(key usageKey, sum *amounts) usageEntry {
	e := usageEntry{Function: key.function, Version: key.version, Amounts: map[string]int64{}}
	if key.trigger != host.TriggerHTTP {
		e.Trigger = key.trigger.String()
	}
	for slot, name := range slotNames() {
		if n := sum[slot]; n != 0 {
			e.Amounts[name] = n
		}
	}
	return e
}

// key is what the entry is about. A trigger of a later version of the node is taken
// for a request.
func (e usageEntry) key(account string) usageKey {
	t, _ := host.TriggerNamed(e.Trigger)
	return usageKey{versionKey{functionKey{account, e.Function}, e.Version}, t}
}

func (e usageEntry) amounts() *amounts {
	sum := &amounts{}
	for slot, name := range slotNames() {
		sum[slot] = e.Amounts[name]
	}
	return sum
}

func usageRecord(key sheetKey, node string) string {
	return usageRecords + key.account + "/" + key.hour.Format(hourLayout) + "/" + node
}

// read returns a record; none is one without entries.
func (l *Ledger) read(ctx context.Context, key sheetKey, node string) (map[usageKey]*amounts, error) {
	entries, err := l.readEntries(ctx, usageRecord(key, node))
	if err != nil {
		return nil, err
	}
	sums := map[usageKey]*amounts{}
	for _, e := range entries {
		sums[e.key(key.account)] = e.amounts()
	}
	return sums, nil
}

// readEntries: what is damaged is told of once, and is written anew.
func (l *Ledger) readEntries(ctx context.Context, record string) (entries []usageEntry, err error) {
	e, err := l.cfg.Store.Get(ctx, record)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &entries)
	} else if !errors.Is(err, kv.ErrCorrupt) {
		return nil, fmt.Errorf("read %s: %w", record, err)
	}
	if err != nil {
		l.cfg.Logger.Error("usage that was stored is lost: its record is damaged", "record", record, "err", err)
		return nil, nil
	}
	return entries, nil
}

// write stores a sheet, which the store forgets by itself in time.
func (l *Ledger) write(ctx context.Context, key sheetKey, s *sheet) error {
	entries := make([]usageEntry, 0, len(s.sums))
	for version, sum := range s.sums {
		entries = append(entries, entryOf(version, sum))
	}
	return l.writeEntries(ctx, usageRecord(key, l.cfg.Node), entries, kv.PutOptions{Expires: key.hour.Add(time.Hour + l.cfg.Keep)})
}

// writeJournal stores all that is not in a record of its own.
func (l *Ledger) writeJournal(ctx context.Context) error {
	entries := []usageEntry{}
	for key, s := range l.sheets {
		for version := range s.dirty {
			e := entryOf(version, s.sums[version])
			e.Account, e.Hour = key.account, key.hour.Format(hourLayout)
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 && l.journal == 0 {
		return nil
	}
	if err := l.writeEntries(ctx, journalRecords+l.cfg.Node, entries, kv.PutOptions{}); err != nil {
		return err
	}
	l.journal = len(entries)
	return nil
}

func (l *Ledger) writeEntries(ctx context.Context, record string, entries []usageEntry, opts kv.PutOptions) error {
	data, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("write %s: %w", record, err)
	}
	if _, err := l.cfg.Store.Put(ctx, record, data, opts); err != nil {
		return fmt.Errorf("write %s: %w", record, err)
	}
	return nil
}

// replay puts what the journal of the last run has in the place of what the records
// have: it is newer, and as much or more.
func (l *Ledger) replay(ctx context.Context) error {
	entries, err := l.readEntries(ctx, journalRecords+l.cfg.Node)
	if err != nil {
		return err
	}
	l.journal = len(entries)
	for _, e := range entries {
		hour, err := time.Parse(hourLayout, e.Hour)
		if err != nil {
			l.cfg.Logger.Error("an entry of the usage journal is damaged", "hour", e.Hour)
			continue
		}
		s, err := l.sheet(ctx, sheetKey{e.Account, hour})
		if err != nil {
			return err
		}
		key := e.key(e.Account)
		s.sums[key], s.dirty[key] = e.amounts(), true
	}
	return nil
}

// Forget removes what an account used, when the account is deleted.
func (l *Ledger) Forget(ctx context.Context, account string) error {
	if err := l.Flush(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.sheets {
		if key.account == account {
			delete(l.sheets, key)
		}
	}
	if err := l.writeJournal(ctx); err != nil {
		return err
	}
	return l.records(ctx, account, func(record string) error {
		return l.cfg.Store.Delete(ctx, record, kv.DeleteOptions{})
	})
}

// records calls do for the keys of an account's records, hour by hour.
func (l *Ledger) records(ctx context.Context, account string, do func(record string) error) error {
	opts := kv.ListOptions{Prefix: usageRecords + account + "/"}
	for {
		page, err := l.cfg.Store.List(ctx, opts)
		if err != nil {
			return fmt.Errorf("list %s: %w", opts.Prefix, err)
		}
		for _, e := range page.Entries {
			if err := do(e.Key); err != nil {
				return err
			}
		}
		if page.Cursor == "" {
			return nil
		}
		opts.Cursor = page.Cursor
	}
}

// parseUsageRecord is the hour and the node of a record's key.
func parseUsageRecord(key, account string) (hour time.Time, node string, ok bool) {
	text, node, found := strings.Cut(strings.TrimPrefix(key, usageRecords+account+"/"), "/")
	hour, err := time.Parse(hourLayout, text)
	return hour, node, found && err == nil
}
