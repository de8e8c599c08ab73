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
		d.Addf(at, "binding %q is not an identifier: letters, digits and underscores, no digit first", name)
		return false
	}
	if other, taken := all[name]; taken {
		d.Addf(at, "binding %q is already the %s on line %d", name, other.kind, other.line)
		return false
	}
	all[name] = bound{kind, d.LineOf(at)}
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
	top, _ := d.Root().Value.(map[string]any)
	var vars map[string]Var
	for i, c := range d.Children(it, "a table") {
		if _, there := top[c.Key]; !there && it.Header && d.Stray(it, c) {
			continue
		}
		if i == maxVars {
			d.BadKey(c, "variable %d; at most %d are allowed", i+1, maxVars)
		}
		v, ok := d.variable(c)
		if !ok || !d.bind(all, c.Key, "variable", c.KeyAt) {
			continue
		}
		if vars == nil {
			vars = map[string]Var{}
		}
		vars[c.Key] = v
	}
	return vars
}

// variable reads a value of [vars].
func (d *decoder) variable(it item) (v Var, ok bool) {
	if text, isText := it.Value.(string); isText {
		v.Text = text
	} else if value, ok := d.jsonValue(it); !ok {
		return v, false
	} else if data, err := json.Marshal(value); err != nil {
		d.BadValue(it, "%v", err)
		return v, false
	} else {
		v.JSON = data
	}
	if err := checkVar(v.Text, len(v.Text)+len(v.JSON)); err != nil {
		d.BadValue(it, "variable %s %v", it.Name, err)
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
	switch v := it.Value.(type) {
	case time.Time:
		d.BadValue(it, "%s is a date, which JSON does not have; write it in quotes", it.Name)
		return nil, false
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			d.BadValue(it, "%s is %v, which JSON does not have", it.Name, v)
			return nil, false
		}
	case map[string]any:
		for _, c := range d.Children(it, "a table") {
			_, childOK := d.jsonValue(c)
			ok = ok && childOK
		}
	case []any, []map[string]any:
		for _, e := range d.Elements(it, "values") {
			_, elementOK := d.jsonValue(e)
			ok = ok && elementOK
		}
	}
	return it.Value, ok
}

func (d *decoder) namespaces(it item, all map[string]bound) (list []KVNamespace) {
	for _, entry := range d.Elements(it, "tables") {
		var ns KVNamespace
		var at int
		known := fields{
			"binding": func(it item) {
				d.TextTo(&ns.Binding)(it)
				at = it.ValueAt
			},
			"id":         d.namespaceID(&ns.ID),
			"preview_id": d.namespaceID(&ns.PreviewID),
		}
		if !d.Table(entry, known, d.refused("remote")) {
			continue
		}
		d.Required(entry, "binding")
		if ns.Binding != "" && d.bind(all, ns.Binding, "KV namespace", at) {
			list = append(list, ns)
		}
	}
	return list
}

// namespaceID reads the id of a namespace, which is part of URLs.
func (d *decoder) namespaceID(to *string) func(item) {
	return func(it item) {
		id, ok := d.Text(it)
		if !ok {
			return
		}
		if !isNamespaceID(id) {
			d.BadValue(it, "%s wants at most %d letters, digits, dashes and underscores, not %q", it.Name, maxNamespaceID, id)
			return
		}
		*to = id
	}
}

const maxNamespaceID = 64 // bytes

func isNamespaceID(id string) bool {
	return len(id) <= maxNamespaceID && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// routes reads the elements of routes, or the one of route.
func (d *decoder) routes(entries []item) (list []Route) {
	first := map[router.Pattern]int{}
	for _, entry := range entries {
		route, at, ok := d.route(entry)
		if !ok {
			continue
		}
		if line, again := first[route.Pattern]; again {
			d.Addf(at, "route %q is already on line %d", route.Pattern, line)
			continue
		}
		first[route.Pattern] = d.LineOf(at)
		list = append(list, route)
	}
	return list
}

// route reads a pattern, or a table with one. at is where the pattern stands.
func (d *decoder) route(it item) (r Route, at int, ok bool) {
	pattern, enabled := it, true
	if m, isTable := it.Value.(map[string]any); isTable {
		var zone string // a node has no zones: accepted without effect
		d.Table(it, fields{
			"pattern":       func(it item) { pattern = it },
			"custom_domain": d.BoolTo(&r.CustomDomain),
			"enabled":       d.BoolTo(&enabled),
			"zone_id":       d.TextTo(&zone),
			"zone_name":     d.TextTo(&zone),
		}, d.refused("previews_enabled"))
		if d.Required(it, "pattern"); m["pattern"] == nil {
			return r, 0, false
		}
	}
	text, isText := pattern.Value.(string)
	if !isText {
		d.Want(pattern, "a route pattern")
		return r, 0, false
	}
	if r.CustomDomain {
		if strings.ContainsAny(text, "/*") {
			d.BadValue(pattern, "a custom domain is a host without path and wildcards, not %q", text)
			return r, 0, false
		}
		text += "/*"
	}
	p, err := router.ParsePattern(text)
	if err != nil {
		d.BadValue(pattern, "%v", err)
	}
	r.Pattern, r.Disabled = p, !enabled
	return r, pattern.ValueAt, err == nil
}
