package deploy

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/runtime/router"
)

// bound is what a binding name already stands for.
type bound struct {
	kind string
	line int
}

// bind notes a binding of a stage; it stands at it's key or value. It reports
// names that are no identifiers or are taken.
func (d *decoder) bind(all map[string]bound, name, kind string, at int) bool {
	if !isIdentifier(name) {
		d.addf(at, "binding %q is not an identifier: letters, digits and underscores, no digit first", name)
		return false
	}
	if other, taken := all[name]; taken {
		d.addf(at, "binding %q is already the %s on line %d", name, other.kind, other.line)
		return false
	}
	all[name] = bound{kind, d.lineOf(at)}
	return true
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// vars reads [vars], where any key is allowed. A key of the top level that is
// not there was rather written below [vars] by mistake.
func (d *decoder) vars(it item, all map[string]bound) map[string]Var {
	m, ok := it.value.(map[string]any)
	if !ok {
		d.want(it, "a table")
		return nil
	}
	var vars map[string]Var
	for i, c := range d.children(it, m) {
		if _, there := d.root[c.key]; !there && d.places[it.path].header && d.home(c.key) == topLevel {
			d.stray(it, c.item, c.key)
			continue
		}
		if i == maxVars {
			d.badKey(c.item, "variable %d; at most %d are allowed", i+1, maxVars)
		}
		v, ok := d.variable(c.item)
		if !ok || !d.bind(all, c.key, "variable", d.places[c.path].key) {
			continue
		}
		if vars == nil {
			vars = map[string]Var{}
		}
		vars[c.key] = v
	}
	return vars
}

// variable reads a value of [vars].
func (d *decoder) variable(it item) (v Var, ok bool) {
	if text, isText := it.value.(string); isText {
		v.Text = text
	} else if value, ok := d.jsonValue(it); !ok {
		return v, false
	} else if data, err := json.Marshal(value); err != nil {
		d.badValue(it, "%v", err)
		return v, false
	} else {
		v.JSON = data
	}
	if err := checkVar(v.Text, len(v.Text)+len(v.JSON)); err != nil {
		d.badValue(it, "variable %s %v", it.name, err)
		return v, false
	}
	return v, true
}

// checkVar checks the text of a variable and the size of its value.
func checkVar(text string, size int) error {
	if size > maxVar {
		return fmt.Errorf("has %d bytes, and at most %d are allowed", size, maxVar)
	}
	if strings.ContainsRune(text, 0) {
		return fmt.Errorf("has a zero byte, which would end it early in an environment")
	}
	return nil
}

// jsonValue returns the value if all of it can be JSON.
func (d *decoder) jsonValue(it item) (any, bool) {
	ok := true
	switch v := it.value.(type) {
	case time.Time:
		d.badValue(it, "%s is a date, which JSON does not have; write it in quotes", it.name)
		return nil, false
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			d.badValue(it, "%s is %v, which JSON does not have", it.name, v)
			return nil, false
		}
	case map[string]any:
		for _, c := range d.children(it, v) {
			_, childOK := d.jsonValue(c.item)
			ok = ok && childOK
		}
	case []any, []map[string]any:
		for _, e := range d.elements(it, "values") {
			_, elementOK := d.jsonValue(e)
			ok = ok && elementOK
		}
	}
	return it.value, ok
}

func (d *decoder) namespaces(it item, all map[string]bound) (list []KVNamespace) {
	for _, entry := range d.elements(it, "tables") {
		var ns KVNamespace
		known := fields{
			"binding":    d.textTo(&ns.Binding),
			"id":         d.namespaceID(&ns.ID),
			"preview_id": d.namespaceID(&ns.PreviewID),
		}
		if !d.table(entry, known, "remote") {
			continue
		}
		d.required(entry, "binding")
		at := d.places[childPath(entry.path, "binding")].value
		if ns.Binding != "" && d.bind(all, ns.Binding, "KV namespace", at) {
			list = append(list, ns)
		}
	}
	return list
}

// namespaceID reads the id of a namespace, which is part of URLs.
func (d *decoder) namespaceID(to *string) func(item) {
	return func(it item) {
		id, ok := d.readText(it)
		if !ok {
			return
		}
		if len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			d.badValue(it, "%s wants at most 64 letters, digits, dashes and underscores, not %q", it.name, id)
			return
		}
		*to = id
	}
}

// routes reads the elements of routes, or the one of route.
func (d *decoder) routes(entries []item) (list []Route) {
	first := map[router.Pattern]int{}
	for _, entry := range entries {
		p, at, ok := d.route(entry)
		if !ok {
			continue
		}
		if line, again := first[p]; again {
			d.addf(at, "route %q is already on line %d", p, line)
			continue
		}
		first[p] = d.lineOf(at)
		list = append(list, Route{p})
	}
	return list
}

// route reads a pattern, or a table with one. at is where the pattern stands.
func (d *decoder) route(it item) (p router.Pattern, at int, ok bool) {
	pattern, whole := it, false
	if m, isTable := it.value.(map[string]any); isTable {
		var zone string // a node has no zones: accepted without effect
		d.table(it, fields{
			"pattern":       func(it item) { pattern = it },
			"custom_domain": d.boolTo(&whole),
			"zone_id":       d.textTo(&zone),
			"zone_name":     d.textTo(&zone),
		}, "enabled", "previews_enabled")
		if d.required(it, "pattern"); m["pattern"] == nil {
			return p, 0, false
		}
	}
	text, isText := pattern.value.(string)
	if !isText {
		d.want(pattern, "a route pattern")
		return p, 0, false
	}
	if whole {
		if strings.ContainsAny(text, "/*") {
			d.badValue(pattern, "a custom domain is a host without path and wildcards, not %q", text)
			return p, 0, false
		}
		text += "/*"
	}
	p, err := router.ParsePattern(text)
	if err != nil {
		d.badValue(pattern, "%v", err)
	}
	return p, d.places[pattern.path].value, err == nil
}
