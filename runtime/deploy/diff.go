package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is one difference between two Versions.
type Change struct {
	What   string `json:"what"`             // such as "binding API_URL" or "limits.cpu_ms"
	Before string `json:"before,omitempty"` // empty: it was not there
	After  string `json:"after,omitempty"`  // empty: it is gone
	// Wants: the later Version may reach what the earlier one could not.
	Wants bool `json:"wants,omitempty"`
}

// Diff tells how b differs from a, ordered by what. Of secrets it tells whether
// they changed, never their text.
func Diff(a, b Version) []Change {
	before, after := facts(a), facts(b)
	var list []Change
	for _, what := range slices.Sorted(maps.Keys(merged(before, after))) {
		was, is := before[what], after[what]
		if was == is {
			continue
		}
		wants := is.reach && !(before["egress"].reach && strings.HasPrefix(what, "egress"))
		list = append(list, Change{What: what, Before: was.text, After: is.text, Wants: wants})
	}
	return list
}

// Wants says in words what b may reach that a could not. There is nothing to say of
// a first Version.
func Wants(a, b Version) (list []string) {
	if a.ID == "" {
		return nil
	}
	for _, c := range Diff(a, b) {
		if c.Wants {
			list = append(list, fmt.Sprintf("newly asks for %s: %s", c.What, c.After))
		}
	}
	return list
}

// fact is something that a Version says. reach: it lets it reach something.
type fact struct {
	text  string
	reach bool
}

func merged(a, b map[string]fact) map[string]bool {
	all := map[string]bool{}
	for what := range a {
		all[what] = true
	}
	for what := range b {
		all[what] = true
	}
	return all
}

// facts are what there is to compare.
func facts(v Version) map[string]fact {
	all := map[string]fact{
		"module":             {text: fmt.Sprintf("%s, %d bytes", short(v.Digest), v.Size)},
		"compatibility_date": {text: v.Settings.CompatibilityDate},
	}
	for name, variable := range v.Settings.Vars {
		all["variable "+name] = fact{text: textOf(variable)}
	}
	for _, ns := range v.Settings.KVNamespaces {
		all["KV binding "+ns.Binding] = fact{text: ns.ID, reach: true}
	}
	if a := v.Settings.Assets; a != nil {
		all["static files"] = fact{text: fmt.Sprintf("%s, %d files, %d bytes", short(a.Manifest.String()), a.Files, a.Bytes)}
	}
	for _, b := range v.Settings.Services {
		all["service binding "+b.Binding] = fact{text: b.Service, reach: true}
	}
	for _, l := range v.Settings.RateLimits {
		all["rate limit "+l.Name] = fact{text: fmt.Sprintf("%d in %d s, namespace %s", l.Simple.Limit, l.Simple.Period, l.NamespaceID)}
	}
	for _, p := range v.Settings.Queues {
		all["queue binding "+p.Binding] = fact{text: p.Queue, reach: true}
	}
	if name := v.Settings.VersionMetadata.Binding; name != "" {
		all["version metadata binding "+name] = fact{text: "bound"}
	}
	for name, id := range v.Secrets {
		all["secret "+name] = fact{text: "value " + short(id)}
	}
	addLimits(all, v.Settings.Limits)
	addEgress(all, v)
	return all
}

// addEgress adds a fact for each host, so that one more shows.
func addEgress(all map[string]fact, v Version) {
	if v.ID == "" {
		return
	}
	if v.Settings.Egress == nil {
		all["egress"] = fact{text: "any host", reach: true}
		return
	}
	for _, host := range v.Settings.Egress.Allow {
		all["egress to "+strings.ToLower(host)] = fact{text: "allowed", reach: true}
	}
}

// addLimits adds the limits that are set.
func addLimits(all map[string]fact, l Limits) {
	data, err := json.Marshal(l)
	if err != nil {
		return // they are numbers
	}
	values := map[string]json.Number{}
	if json.Unmarshal(data, &values) == nil {
		for key, n := range values {
			all["limits."+key] = fact{text: n.String()}
		}
	}
}

func textOf(v Var) string {
	if v.JSON != nil {
		return string(v.JSON)
	}
	return fmt.Sprintf("%q", v.Text)
}

func short(id string) string { return id[:min(len(id), 8)] }
