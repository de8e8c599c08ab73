package deploy

import (
	"slices"
)

// VersionMetadata binds a variable that says which Version runs.
type VersionMetadata struct {
	Binding string `json:"binding,omitempty"` // empty: none
}

// RateLimit binds a limit of how often something may happen.
type RateLimit struct {
	Name string `json:"name"` // of the binding
	// NamespaceID says whose counts they are: those of all Functions of the account
	// that have the same.
	NamespaceID string      `json:"namespace_id"`
	Simple      SimpleLimit `json:"simple"`
}

// SimpleLimit is so many in so many seconds, for each key.
type SimpleLimit struct {
	Limit  int64 `json:"limit"`  // 1 to 1,000,000,000
	Period int64 `json:"period"` // 10 or 60
}

const maxRateLimit = 1_000_000_000

var ratePeriods = []int64{10, 60}

func (d *decoder) services(it item, all map[string]bound) (list []Service) {
	for _, entry := range d.Elements(it, "tables") {
		var s Service
		var at int
		known := fields{
			"binding": func(it item) {
				d.TextTo(&s.Binding)(it)
				at = it.ValueAt
			},
			"service": d.name(&s.Service),
		}
		if !d.Table(entry, known, d.refused("entrypoint", "environment", "props", "remote")) {
			continue
		}
		d.Required(entry, "binding")
		d.Required(entry, "service")
		if s.Binding != "" && d.bind(all, s.Binding, "service", at) && s.Service != "" {
			list = append(list, s)
		}
	}
	return list
}

func (d *decoder) versionMetadata(it item, all map[string]bound) (v VersionMetadata) {
	known := fields{"binding": func(it item) {
		if name, ok := d.Text(it); ok && d.bind(all, name, "version metadata", it.ValueAt) {
			v.Binding = name
		}
	}}
	if d.Table(it, known) {
		d.Required(it, "binding")
	}
	return v
}

func (d *decoder) rateLimits(it item, all map[string]bound) (list []RateLimit) {
	for _, entry := range d.Elements(it, "tables") {
		var l RateLimit
		var at int
		known := fields{
			"name": func(it item) {
				d.TextTo(&l.Name)(it)
				at = it.ValueAt
			},
			"namespace_id": d.namespaceID(&l.NamespaceID),
			"simple":       func(it item) { d.simpleLimit(it, &l.Simple) },
		}
		if !d.Table(entry, known) {
			continue
		}
		for _, key := range []string{"name", "namespace_id", "simple"} {
			d.Required(entry, key)
		}
		if l.Name != "" && d.bind(all, l.Name, "rate limit", at) && l.NamespaceID != "" && l.Simple != (SimpleLimit{}) {
			list = append(list, l)
		}
	}
	return list
}

func (d *decoder) simpleLimit(it item, l *SimpleLimit) {
	known := fields{
		"limit": d.IntegerTo(&l.Limit, 1, maxRateLimit),
		"period": func(it item) {
			period, _ := it.Value.(int64)
			if !slices.Contains(ratePeriods, period) {
				d.Want(it, "10 or 60, in seconds")
				return
			}
			l.Period = period
		},
	}
	if d.Table(it, known) {
		d.Required(it, "limit")
		d.Required(it, "period")
	}
}
