package deploy

import (
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/runtime/assets"
)

// assets reads [assets].
func (d *decoder) assets(it item, all map[string]bound) *AssetsFolder {
	a := &AssetsFolder{}
	if !d.Table(it, d.assetsFolder(a, all)) {
		return nil
	}
	d.Required(it, "directory")
	return a
}

func (d *decoder) assetsFolder(a *AssetsFolder, all map[string]bound) fields {
	return fields{
		"directory": d.TextTo(&a.Directory),
		"binding": func(it item) {
			if name, ok := d.Text(it); ok && d.bind(all, name, "binding of the static files", it.ValueAt) {
				a.Binding = name
			}
		},
		"html_handling":      d.oneOfTo(&a.HTMLHandling, assets.HTMLHandlings()),
		"not_found_handling": d.oneOfTo(&a.NotFoundHandling, assets.NotFoundHandlings()),
		"run_worker_first":   d.firstTo(&a.RunWorkerFirst),
	}
}

// oneOfTo reads a text of which there are only some.
func (d *decoder) oneOfTo(to *string, values []string) func(item) {
	return func(it item) {
		text, _ := it.Value.(string)
		if !slices.Contains(values, text) {
			d.WantText(it, "one of "+strings.Join(values, ", "))
			return
		}
		*to = text
	}
}

// firstTo reads true, false, or a list of patterns.
func (d *decoder) firstTo(to *assets.First) func(item) {
	return func(it item) {
		if all, ok := it.Value.(bool); ok {
			to.All = all
			return
		}
		if _, ok := it.Value.([]any); !ok {
			d.Want(it, `true, false, or a list of paths such as ["/api/*"]`)
			return
		}
		f := assets.First{Patterns: []string{}}
		for _, e := range d.Elements(it, "paths") {
			if p, ok := d.Text(e); ok {
				f.Patterns = append(f.Patterns, p)
			}
		}
		if err := f.Check(); err != nil {
			d.BadValue(it, "%v", err)
			return
		}
		*to = f
	}
}
