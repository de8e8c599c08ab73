package deploy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/runtime/router"
)

// manifest reads the top level and every stage, and returns the one asked for.
func (d *decoder) manifest(root item, stage string) *Manifest {
	var top Manifest
	var stages item
	known := d.topFields(&top, &stages)
	d.table(root, known, topForeign()...)
	d.oneOf(root, "route", "routes")
	chosen, found := &top, stage == ""
	var names []string
	for _, it := range d.stages(stages) {
		m := d.stage(it.item, it.key, top)
		names = append(names, it.key)
		if it.key == stage {
			chosen, found = &m, true
		}
	}
	if !found {
		d.addf(d.places["env"].key, "there is no stage %q; %s", stage, adviceOnStages(stage, names))
	}
	return chosen
}

func adviceOnStages(stage string, names []string) string {
	if len(names) == 0 {
		return "the file has none; add the table [" + childPath("env", stage) + "]"
	}
	slices.Sort(names)
	return "the file has " + strings.Join(names, ", ")
}

// stages are the tables in [env].
func (d *decoder) stages(env item) []child {
	if env.value == nil {
		return nil
	}
	m, ok := env.value.(map[string]any)
	if !ok {
		d.want(env, "a table of stages")
		return nil
	}
	return slices.DeleteFunc(d.children(env, m), func(c child) bool {
		_, ok := c.value.(map[string]any)
		switch {
		case ok:
			return false
		case d.home(c.key) == topLevel:
			d.stray(env, c.item, c.key)
		default:
			d.want(c.item, "a table")
		}
		return true
	})
}

// stage reads one table of [env] over what it takes from the top level.
func (d *decoder) stage(it item, name string, m Manifest) Manifest {
	m.Stage, m.Vars, m.KVNamespaces = name, nil, nil
	base := m.Name
	m.Name = ""
	d.table(it, d.stageFields(&m), stageForeign()...)
	d.oneOf(it, "route", "routes")
	if _, own := it.value.(map[string]any)["name"]; own || base == "" {
		return m
	}
	m.Name = base + "-" + name
	if err := CheckName(m.Name); err != nil {
		d.badKey(it, "in this stage, %v; give it a name of its own", err)
	}
	return m
}

// topFields are the keys of the top level. What stands in [env] goes to stages.
func (d *decoder) topFields(m *Manifest, stages *item) fields {
	known := d.stageFields(m)
	known["dev"] = func(it item) { d.table(it, d.dev(&m.Dev), devForeign()...) }
	known["env"] = func(it item) { *stages = it }
	return known
}

// stageFields are the keys that the top level and a stage have in common.
func (d *decoder) stageFields(m *Manifest) fields {
	bound := map[string]bound{}
	return fields{
		"name":               d.name(&m.Name),
		"main":               d.textTo(&m.Main),
		"compatibility_date": d.date(&m.CompatibilityDate),
		"account_id":         d.textTo(&m.AccountID),
		"route":              func(it item) { m.Routes = d.routes([]item{it}) },
		"routes":             func(it item) { m.Routes = d.routes(d.elements(it, "routes")) },
		"vars":               func(it item) { m.Vars = d.vars(it, bound) },
		"kv_namespaces":      func(it item) { m.KVNamespaces = d.namespaces(it, bound) },
		"limits": func(it item) {
			m.Limits = Limits{}
			d.table(it, d.limits(&m.Limits))
		},
		"build": func(it item) {
			m.Build = Build{}
			d.table(it, d.build(&m.Build))
		},
		"egress": func(it item) {
			m.Egress = &Egress{}
			d.table(it, d.egress(m.Egress))
			d.required(it, "allow")
		},
	}
}

func (d *decoder) limits(l *Limits) fields {
	return fields{
		"cpu_ms":          d.integerTo(&l.CPUMillis, 1, 300_000),
		"wall_ms":         d.integerTo(&l.WallMillis, 1, 900_000),
		"subrequests":     d.integerTo(&l.Subrequests, 1, 10_000),
		"memory_mb":       d.integerTo(&l.MemoryMB, 1, 4096),
		"request_body_mb": d.integerTo(&l.RequestBodyMB, 1, 1024),
		"response_mb":     d.integerTo(&l.ResponseMB, 1, 1024),
		"url_kb":          d.integerTo(&l.URLKB, 1, 16),
		"headers_kb":      d.integerTo(&l.HeadersKB, 1, 128),
	}
}

func (d *decoder) build(b *Build) fields {
	return fields{
		"command": d.textTo(&b.Command),
		"cwd":     d.textTo(&b.Cwd),
		"watch_dir": func(it item) {
			entries := []item{it}
			if _, one := it.value.(string); !one {
				entries = d.elements(it, "folders")
			}
			for _, e := range entries {
				if dir, ok := d.readText(e); ok {
					b.WatchDir = append(b.WatchDir, dir)
				}
			}
		},
	}
}

func (d *decoder) dev(v *Dev) fields {
	return fields{
		"ip": func(it item) {
			ip, _ := it.value.(string)
			if _, err := netip.ParseAddr(ip); err != nil && ip != "localhost" {
				d.badValue(it, `"ip" wants an address such as "127.0.0.1", or "localhost", not %s`, shown(it.value))
				return
			}
			v.IP = ip
		},
		"port": d.integerTo(&v.Port, 1, 65_535),
	}
}

func (d *decoder) egress(e *Egress) fields {
	return fields{"allow": func(it item) {
		e.Allow = []string{}
		for _, entry := range d.elements(it, "hosts") {
			text, ok := d.readText(entry)
			if !ok {
				continue
			}
			name, subdomains := strings.CutPrefix(text, "*.")
			host, err := router.ParseHost(name)
			if err != nil {
				d.badValue(entry, `%s wants a host, or "*." and a domain: %v`, entry.name, err)
				continue
			}
			if subdomains {
				host = "*." + host
			}
			e.Allow = append(e.Allow, host)
		}
	}}
}

func (d *decoder) name(to *string) func(item) {
	return func(it item) {
		name, ok := d.readText(it)
		if !ok {
			return
		}
		if err := CheckName(name); err != nil {
			d.badValue(it, "%v", err)
			return
		}
		*to = name
	}
}

func (d *decoder) date(to *string) func(item) {
	return func(it item) {
		date, _ := it.value.(string)
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			d.badValue(it, `%s wants a date in quotes such as "2025-01-31", not %s`, it.name, shown(it.value))
			return
		}
		*to = date
	}
}

// required reports that a table lacks a key.
func (d *decoder) required(it item, key string) {
	if m, ok := it.value.(map[string]any); ok {
		if _, ok := m[key]; !ok {
			d.badValue(it, "%q is missing %s", key, sectionName(it.path))
		}
	}
}

// oneOf reports two keys that mean the same in one table.
func (d *decoder) oneOf(it item, a, b string) {
	m := it.value.(map[string]any)
	if _, ok := m[a]; !ok {
		return
	}
	if other, ok := m[b]; ok {
		later := item{path: childPath(it.path, b), value: other}
		if first := d.places[childPath(it.path, a)].key; first > d.places[later.path].key {
			later.path, a, b = childPath(it.path, a), b, a
		}
		d.badKey(later, "%q and %q stand %s; keep one of them", a, b, sectionName(it.path))
	}
}
