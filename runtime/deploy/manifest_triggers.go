package deploy

import "github.com/mayfly-run/mayfly/runtime/cron"

// Triggers are what starts a Function beside requests.
type Triggers struct {
	// Crons are cron expressions; nil leaves those as they are that the Function has.
	Crons []string `json:"crons"`
}

func (d *decoder) triggers(t *Triggers) fields {
	return fields{"crons": func(it item) { t.Crons = d.crons(it) }}
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
