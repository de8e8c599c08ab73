package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// UsageQuery asks what an account used.
type UsageQuery struct {
	Account  string
	From, To time.Time // whole hours: From's is the first, To's is not among them unless it has begun
	// Group says what is told apart: "function", "version", "trigger", "hour", "day". The rest
	// is summed up.
	Group []string
}

// UsageGroups are what a UsageQuery may tell apart.
func UsageGroups() []string { return []string{"function", "version", "trigger", "hour", "day"} }

// Usage is what Invocations used, in sum.
type Usage struct {
	Function string           `json:"function,omitempty"`
	Version  string           `json:"version,omitempty"`
	Trigger  string           `json:"trigger,omitempty"` // what started it: http, service, cron, invoke, kv, queue
	From     *time.Time       `json:"from,omitempty"`    // of the hour or day
	Requests int64            `json:"requests"`
	Outcomes map[string]int64 `json:"outcomes"`
	Units    int64            `json:"cpu_units"`    // metered guest work: the same on any machine
	CPU      float64          `json:"cpu_ms"`       // that guests ran
	Wall     float64          `json:"wall_ms"`      // from the beginning of each to its end
	Memory   float64          `json:"memory_gib_s"` // memory, at its highest in each, times its wall time
	BytesIn  int64            `json:"bytes_in"`     // of bodies
	BytesOut int64            `json:"bytes_out"`    // of bodies
	Fetches  int64            `json:"fetches"`
	KV       int64            `json:"kv_operations"`
}

// UsageReport is the answer to a UsageQuery.
type UsageReport struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Stored time.Time `json:"stored"` // what ended before would survive a crash now
	Usage  []Usage   `json:"usage"`  // ordered by time, Function, Version and trigger
	Total  Usage     `json:"total"`
}

// group is what is summed up together.
type group struct {
	from                       time.Time
	function, version, trigger string
}

// Query sums up what an account used, up to now.
func (l *Ledger) Query(ctx context.Context, q UsageQuery) (UsageReport, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.collect(ctx, l.cfg.Now()); err != nil {
		return UsageReport{}, err
	}
	report := UsageReport{From: hourOf(q.From), To: q.To.UTC(), Stored: l.stored.UTC(), Usage: []Usage{}}
	sums, total := map[group]*amounts{}, &amounts{}
	add := func(hour time.Time, all map[usageKey]*amounts) {
		for key, sum := range all {
			g := q.group(hour, key)
			if sums[g] == nil {
				sums[g] = &amounts{}
			}
			sums[g].add(sum)
			total.add(sum)
		}
	}
	if err := l.each(ctx, q, add); err != nil {
		return UsageReport{}, err
	}
	for g, sum := range sums {
		report.Usage = append(report.Usage, g.usage(sum))
	}
	slices.SortFunc(report.Usage, func(a, b Usage) int {
		return cmp.Or(compareTimes(a.From, b.From), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Trigger, b.Trigger))
	})
	report.Total = group{}.usage(total)
	return report, nil
}

// each calls add for what was used in each hour: from the sheets in memory, and
// from records where there is none. It needs l.mu.
func (l *Ledger) each(ctx context.Context, q UsageQuery, add func(time.Time, map[usageKey]*amounts)) error {
	for key, s := range l.sheets {
		if key.account == q.Account && q.has(key.hour) {
			add(key.hour, s.sums)
		}
	}
	return l.records(ctx, q.Account, func(record string) error {
		hour, node, ok := parseUsageRecord(record, q.Account)
		key := sheetKey{q.Account, hour}
		if !ok || !q.has(hour) || node == l.cfg.Node && l.sheets[key] != nil {
			return nil
		}
		sums, err := l.read(ctx, key, node)
		if err != nil {
			return err
		}
		add(hour, sums)
		return nil
	})
}

func (q *UsageQuery) has(hour time.Time) bool {
	return !hour.Before(hourOf(q.From)) && hour.Before(q.To)
}

func (q *UsageQuery) group(hour time.Time, key usageKey) (g group) {
	for _, by := range q.Group {
		switch by {
		case "function":
			g.function = key.function
		case "version":
			g.function, g.version = key.function, key.version
		case "trigger":
			g.trigger = key.trigger.String()
		case "hour":
			g.from = hour
		case "day":
			if g.from.IsZero() {
				g.from = hour.Truncate(24 * time.Hour)
			}
		}
	}
	return g
}

func (g group) usage(sum *amounts) Usage {
	u := Usage{
		Function: g.function, Version: g.version, Trigger: g.trigger, Outcomes: map[string]int64{},
		Units: sum[slotUnits], CPU: millis(time.Duration(sum[slotCPU])), Wall: millis(time.Duration(sum[slotWall])), Memory: gibSeconds(sum[slotMemory]),
		BytesIn: sum[slotBytesIn], BytesOut: sum[slotBytesOut], Fetches: sum[slotFetches], KV: sum[slotKV],
	}
	if !g.from.IsZero() {
		u.From = &g.from
	}
	for o := range host.Outcomes {
		if n := sum[o]; n != 0 {
			u.Outcomes[o.String()] = n
			u.Requests += n
		}
	}
	return u
}

func compareTimes(a, b *time.Time) int {
	if a == nil || b == nil {
		return 0
	}
	return a.Compare(*b)
}

// Check says what is wrong with a query.
func (q *UsageQuery) Check() error {
	for _, by := range q.Group {
		if !slices.Contains(UsageGroups(), by) {
			return fmt.Errorf("group %q is none of %v", by, UsageGroups())
		}
	}
	if !q.From.Before(q.To) {
		return fmt.Errorf("from is %s, and to is %s, which is not later", q.From.UTC().Format(time.RFC3339), q.To.UTC().Format(time.RFC3339))
	}
	return nil
}
