// Package changelog finds the rules that a change of a key is logged by, and makes
// the records. Begin with New.
package changelog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Rules are those of a store. They are not changed, and nil has none.
type Rules struct {
	lengths  []int // of prefixes
	byPrefix map[string][]kv.ChangeRule
}

// New indexes rules: to find those of a key takes a look for each length of a prefix.
// It is an error that records would be logged themselves.
func New(rules []kv.ChangeRule) (*Rules, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	r := &Rules{byPrefix: map[string][]kv.ChangeRule{}}
	lengths := map[int]bool{}
	for _, rule := range rules {
		if err := kv.CheckPrefix(rule.Log); err != nil {
			return nil, err
		}
		lengths[len(rule.Prefix)] = true
		r.byPrefix[rule.Prefix] = append(r.byPrefix[rule.Prefix], rule)
	}
	r.lengths = slices.Sorted(maps.Keys(lengths))
	for _, rule := range rules {
		if logged := r.Match(rule.Log); len(logged) > 0 {
			return nil, fmt.Errorf("the log %q has keys that are logged (%q)", rule.Log, logged[0].Prefix)
		}
	}
	return r, nil
}

// Match are the rules that a key has.
func (r *Rules) Match(key string) (list []kv.ChangeRule) {
	if r == nil {
		return nil
	}
	for _, n := range r.lengths {
		if n > len(key) {
			break
		}
		list = append(list, r.byPrefix[key[:n]]...)
	}
	return list
}

// Records are the entries to be written with a change over the live entry with revision
// old, if any, for a store that knows the revision of a write beforehand: they share it.
func (r *Rules) Records(ctx context.Context, e kv.Entry, old uint64, remove bool, now time.Time) (list []kv.Entry, err error) {
	rules := r.Match(e.Key)
	if len(rules) == 0 {
		return nil, nil
	}
	value, metadata, err := kv.ChangeFrom(ctx, e, old, remove, now).Record(0)
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		record := kv.Entry{Key: fmt.Sprintf("%s%016x", rule.Log, e.Revision), Value: value, Metadata: metadata, Revision: e.Revision}
		if rule.Keep > 0 {
			record.Expires = time.UnixMilli(now.Add(rule.Keep).UnixMilli())
		}
		list = append(list, record)
	}
	return list, kv.CheckSize(list[0].Key, value, metadata)
}
