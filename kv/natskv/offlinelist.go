package natskv

import (
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/cursor"
)

// under is the newest writes of keys with a prefix that the copy may lack. Who lists the
// copy asks before that: what is sent in between is in both then, and else in neither.
func (o *offline) under(prefix string) map[string]held {
	if o.held.Load() == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	waits := map[string]held{}
	for key, h := range o.latest {
		if strings.HasPrefix(key, prefix) {
			waits[key] = h
		}
	}
	return waits
}

// showOver shows what waits in a page of the copy.
func showOver(opts kv.ListOptions, page kv.Page, waits map[string]held, now time.Time) (kv.Page, error) {
	if len(waits) == 0 {
		return page, nil
	}
	after, end, err := span(opts, page)
	if err != nil {
		return kv.Page{}, err
	}
	entries := slices.DeleteFunc(page.Entries, func(e kv.Entry) bool { _, ok := waits[e.Key]; return ok })
	for key, h := range waits {
		within := key > after && (page.Cursor == "" || key <= end)
		if e := h.entry(); within && !h.record.deleted && !e.ExpiredAt(now) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b kv.Entry) int { return strings.Compare(a.Key, b.Key) })
	return cut(opts, kv.Page{Entries: entries, Cursor: page.Cursor}), nil
}

// span is after which key a page of the copy begins, and its last key.
func span(opts kv.ListOptions, page kv.Page) (after, end string, err error) {
	if opts.Cursor != "" {
		suffix, err := cursor.Decode(opts.Prefix, opts.Cursor)
		if err != nil {
			return "", "", err
		}
		after = opts.Prefix + suffix
	}
	if page.Cursor != "" {
		suffix, err := cursor.Decode(opts.Prefix, page.Cursor)
		if err != nil {
			return "", "", err
		}
		end = opts.Prefix + suffix
	}
	return after, end, nil
}

// cut makes a page no longer than it may be.
func cut(opts kv.ListOptions, page kv.Page) kv.Page {
	limit := opts.Limit
	if limit <= 0 {
		limit = kv.DefaultLimit
	}
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Cursor = cursor.Encode(opts.Prefix, strings.TrimPrefix(page.Entries[limit-1].Key, opts.Prefix))
	}
	return page
}
