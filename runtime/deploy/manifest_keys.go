package deploy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/runtime/router"
	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

// decoder turns a file into a Manifest and reports what does not fit.
type decoder struct {
	*tomlfile.File
	references
}

type (
	item   = tomlfile.Item
	fields = tomlfile.Fields
)

func newDecoder(f *tomlfile.File) *decoder {
	d := &decoder{File: f}
	d.Belongs("", d.topFields(&Manifest{}, nil))
	d.Belongs("assets", d.assetsFolder(&AssetsFolder{}, nil))
	d.Belongs("limits", d.limits(&Limits{}))
	d.Belongs("invoke", d.invoke(&Invoke{}))
	d.Belongs("triggers", d.triggers(&Triggers{}))
	d.Belongs("build", d.build(&Build{}))
	d.Belongs("dev", d.dev(&Dev{}))
	d.Belongs("egress", d.egress(&Egress{}))
	d.Belongs("snapshot", d.snapshot(&SnapshotOptions{}))
	return d
}

// manifest reads the top level and every stage, and returns the one asked for.
func (d *decoder) manifest(stage string) *Manifest {
	var top Manifest
	var stages item
	root := d.Root()
	d.Table(root, d.topFields(&top, &stages), d.topForeign()...)
	d.OneOf(root, "route", "routes")
	d.checkTriggers(root, &top)
	chosen, found := &top, stage == ""
	var names []string
	for _, it := range d.stages(stages) {
		names = append(names, it.Key)
		if d.unread[it.Key] {
			continue
		}
		m := d.stage(it, top)
		if it.Key == stage {
			chosen, found = &m, true
		}
	}
	if !found {
		d.BadKey(stages, "there is no stage %q; %s", stage, adviceOnStages(stage, names))
	}
	return chosen
}

func adviceOnStages(stage string, names []string) string {
	if len(names) == 0 {
		return "the file has none; add the table [" + tomlfile.ChildPath("env", stage) + "]"
	}
	slices.Sort(names)
	if meant := tomlfile.Nearest(stage, names); meant != "" && len(stage) > 2 {
		return fmt.Sprintf("did you mean %q? The file has %s", meant, strings.Join(names, ", "))
	}
	return "the file has " + strings.Join(names, ", ")
}

// stages are the tables in [env].
func (d *decoder) stages(env item) []item {
	if env.Value == nil {
		return nil
	}
	return slices.DeleteFunc(d.Children(env, "a table of stages"), func(c item) bool {
		if _, ok := c.Value.(map[string]any); ok {
			return false
		}
		if !d.Stray(env, c) {
			d.Want(c, "a table")
		}
		return true
	})
}

// stage reads one table of [env] over what it takes from the top level.
func (d *decoder) stage(it item, m Manifest) Manifest {
	m.Stage, m.Vars, m.KVNamespaces = it.Key, nil, nil
	m.Triggers.KV = nil // they are about what is bound
	m.Services, m.RateLimits, m.VersionMetadata, m.Queues = nil, nil, VersionMetadata{}, QueuesTable{}
	base := m.Name
	m.Name = ""
	d.Table(it, d.stageFields(&m), d.stageForeign()...)
	d.OneOf(it, "route", "routes")
	d.checkTriggers(it, &m)
	if _, own := it.Value.(map[string]any)["name"]; own || base == "" {
		return m
	}
	m.Name = base + "-" + it.Key
	if err := CheckName(m.Name); err != nil {
		d.BadKey(it, "in this stage, %v; give it a name of its own", err)
	}
	return m
}

// topFields are the keys of the top level. What stands in [env] goes to stages.
func (d *decoder) topFields(m *Manifest, stages *item) fields {
	known := d.stageFields(m)
	known["dev"] = func(it item) { d.Table(it, d.dev(&m.Dev), d.devForeign()...) }
	known["env"] = func(it item) { *stages = it }
	return known
}

// stageFields are the keys that the top level and a stage have in common.
func (d *decoder) stageFields(m *Manifest) fields {
	bound := map[string]bound{}
	return fields{
		"name":               d.name(&m.Name),
		"main":               d.TextTo(&m.Main),
		"compatibility_date": d.date(&m.CompatibilityDate),
		"account_id":         d.TextTo(&m.AccountID),
		"route":              func(it item) { m.Routes = d.routes([]item{it}) },
		"routes":             func(it item) { m.Routes = d.routes(d.Elements(it, "routes")) },
		"vars":               func(it item) { m.Vars = d.vars(it, bound) },
		"kv_namespaces":      func(it item) { m.KVNamespaces = d.namespaces(it, bound) },
		"services":           func(it item) { m.Services = d.services(it, bound) },
		"ratelimits":         func(it item) { m.RateLimits = d.rateLimits(it, bound) },
		"queues":             func(it item) { m.Queues = d.queues(it, bound) },
		"assets":             func(it item) { m.Assets = d.assets(it, bound) },
		"version_metadata":   func(it item) { m.VersionMetadata = d.versionMetadata(it, bound) },
		"limits": func(it item) {
			m.Limits = Limits{}
			d.Table(it, d.limits(&m.Limits))
		},
		"invoke": func(it item) {
			m.Invoke = &Invoke{}
			d.Table(it, d.invoke(m.Invoke))
		},
		"triggers": func(it item) {
			m.Triggers = Triggers{}
			d.Table(it, d.triggers(&m.Triggers))
		},
		"build": func(it item) {
			m.Build = Build{}
			d.Table(it, d.build(&m.Build))
		},
		"egress": func(it item) {
			m.Egress = &Egress{}
			d.Table(it, d.egress(m.Egress))
			d.Required(it, "allow")
		},
		"snapshot": func(it item) {
			m.Snapshot = SnapshotOptions{}
			d.Table(it, d.snapshot(&m.Snapshot))
		},
	}
}

func (d *decoder) snapshot(s *SnapshotOptions) fields {
	return fields{
		"enabled": func(it item) {
			enabled := true
			d.BoolTo(&enabled)(it)
			s.Disabled = !enabled
		},
		"warmup": func(it item) {
			for _, entry := range d.Elements(it, "requests") {
				text, ok := d.Text(entry)
				if !ok {
					continue
				}
				if _, _, err := parseWarmup(text); err != nil {
					d.BadValue(entry, "%v", err)
				}
				s.Warmup = append(s.Warmup, text)
			}
		},
	}
}

func (d *decoder) limits(l *Limits) fields {
	return fields{
		"cpu_ms":          d.IntegerTo(&l.CPUMillis, 1, 300_000),
		"wall_ms":         d.IntegerTo(&l.WallMillis, 1, 900_000),
		"subrequests":     d.IntegerTo(&l.Subrequests, 1, 10_000),
		"concurrency":     d.IntegerTo(&l.Concurrency, 1, 10_000),
		"memory_mb":       d.IntegerTo(&l.MemoryMB, 1, 4096),
		"request_body_mb": d.IntegerTo(&l.RequestBodyMB, 1, 1024),
		"response_mb":     d.IntegerTo(&l.ResponseMB, 1, 1024),
		"url_kb":          d.IntegerTo(&l.URLKB, 1, 16),
		"headers_kb":      d.IntegerTo(&l.HeadersKB, 1, 128),
	}
}

func (d *decoder) build(b *Build) fields {
	return fields{
		"command": d.TextTo(&b.Command),
		"cwd":     d.TextTo(&b.Cwd),
		"watch_dir": func(it item) {
			entries := []item{it}
			if _, one := it.Value.(string); !one {
				entries = d.Elements(it, "folders")
			}
			for _, e := range entries {
				if dir, ok := d.Text(e); ok {
					b.WatchDir = append(b.WatchDir, dir)
				}
			}
		},
	}
}

func (d *decoder) dev(v *Dev) fields {
	return fields{
		"ip": func(it item) {
			ip, _ := it.Value.(string)
			if _, err := netip.ParseAddr(ip); err != nil && ip != "localhost" {
				d.WantText(it, `an address such as "127.0.0.1", or "localhost"`)
				return
			}
			v.IP = ip
		},
		"port": d.IntegerTo(&v.Port, 1, 65_535),
	}
}

func (d *decoder) egress(e *Egress) fields {
	return fields{"allow": func(it item) {
		e.Allow = []string{}
		for _, entry := range d.Elements(it, "hosts") {
			text, ok := d.Text(entry)
			if !ok {
				continue
			}
			name, subdomains := strings.CutPrefix(text, "*.")
			host, err := router.ParseHost(name)
			if err != nil {
				d.BadValue(entry, `%s wants a host, or "*." and a domain: %v`, entry.Name, err)
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
		name, ok := d.Text(it)
		if !ok {
			return
		}
		if err := CheckName(name); err != nil {
			d.BadValue(it, "%v", err)
			return
		}
		*to = name
	}
}

func (d *decoder) date(to *string) func(item) {
	return func(it item) {
		date, _ := it.Value.(string)
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			d.WantText(it, `a date in quotes such as "2025-01-31"`)
			return
		}
		*to = date
	}
}
