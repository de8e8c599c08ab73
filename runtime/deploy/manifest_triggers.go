package deploy

import (
	"slices"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/cron"
)

// Triggers are what starts a Function beside requests.
type Triggers struct {
	// Crons are cron expressions; nil leaves those as they are that the Function has.
	Crons []string `json:"crons"`
	// KV are triggers by changes of keys; nil leaves those as they are.
	KV []NewKVTrigger `json:"kv"`
}

func (d *decoder) triggers(t *Triggers) fields {
	return fields{
		"crons": func(it item) { t.Crons = d.crons(it) },
		"kv":    func(it item) { t.KV = d.kvTriggers(it) },
	}
}

func (d *decoder) kvTriggers(it item) []NewKVTrigger {
	list := []NewKVTrigger{}
	first := map[NewKVTrigger]int{}
	for _, entry := range d.Elements(it, "tables") {
		var t NewKVTrigger
		known := fields{
			"binding":         d.TextTo(&t.Binding),
			"namespace_id":    d.namespaceID(&t.NamespaceID),
			"prefix":          d.keyPrefix(&t.Prefix),
			"max_retries":     d.optional(&t.MaxRetries, 0, mostKVRetries),
			"max_concurrency": d.optional(&t.MaxConcurrency, 1, mostKVConcurrency),
			"on_failure":      d.destination(&t.OnFailure),
		}
		if !d.Table(entry, known) {
			continue
		}
		d.OneOf(entry, "binding", "namespace_id")
		if t.Binding == "" && t.NamespaceID == "" {
			d.BadKey(entry, "%s has neither binding nor namespace_id: whose changes is it about?", entry.Name)
			continue
		}
		keys := NewKVTrigger{Binding: t.Binding, NamespaceID: t.NamespaceID, Prefix: t.Prefix}
		if line, again := first[keys]; again {
			d.BadKey(entry, "the KV trigger of these keys is already on line %d", line)
			continue
		}
		first[keys] = d.LineOf(entry.KeyAt)
		list = append(list, t)
	}
	return list
}

func (d *decoder) keyPrefix(to *string) func(item) {
	return func(it item) {
		text, ok := d.Text(it)
		if !ok {
			return
		}
		if err := kv.CheckKeyPrefix(text); err != nil {
			d.BadValue(it, "%s: %v", it.Name, err)
			return
		}
		*to = text
	}
}

// checkTriggers reports KV triggers of bindings that a stage does not have; it stands
// at the stage.
func (d *decoder) checkTriggers(it item, m *Manifest) {
	for _, t := range m.Triggers.KV {
		bound := slices.ContainsFunc(m.KVNamespaces, func(ns KVNamespace) bool { return ns.Binding == t.Binding })
		if t.Binding != "" && !bound {
			d.BadKey(it, "[[triggers.kv]] is about the binding %q, and there is no such one in [[kv_namespaces]]", t.Binding)
		}
	}
}

func (d *decoder) crons(it item) []string {
	list := []string{}
	first := map[string]int{}
	for _, entry := range d.Elements(it, "cron expressions") {
		text, ok := d.Text(entry)
		if !ok {
			continue
		}
		if _, err := cron.Parse(text); err != nil {
			d.BadValue(entry, "%v", err)
			continue
		}
		key := cronKey(text)
		if line, again := first[key]; again {
			d.BadValue(entry, "cron expression %q is already on line %d", text, line)
			continue
		}
		first[key] = d.LineOf(entry.ValueAt)
		list = append(list, text)
	}
	return list
}
