package deploy

import (
	"maps"
	"slices"
	"time"
)

// How much of a Function's past is kept, and how much may be said about it.
const (
	KeepVersions    = 100 // where Config.KeepVersions does not say otherwise
	KeepDeployments = 100

	maxMessage = 1000
	maxTag     = 100
	maxAliases = 1000
)

// Function is what a user deploys under a name. It is a copy of its record;
// slices and maps are shared and not changed.
type Function struct {
	Account  string    `json:"account"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	Routes   []Route   `json:"routes,omitempty"` // beside its own host
	Latest   int       `json:"latest"`           // number of the newest Version
	// Hidden: it does not serve on its own host, only on Routes.
	Hidden bool `json:"hidden,omitempty"`
	// NoPreviews: Versions that don't serve have no hosts.
	NoPreviews bool `json:"no_previews,omitempty"`
	// Schedules are its cron triggers.
	Schedules []Schedule `json:"schedules,omitempty"`
	// KVTriggers are its triggers by changes of keys.
	KVTriggers []KVTrigger `json:"kv_triggers,omitempty"`
	// Invoke is about asynchronous invocations; nil is the default.
	Invoke *InvokeConfig `json:"invoke,omitempty"`
	// Versions are the ids of the newest ones and of those that serve, oldest first.
	Versions []string `json:"versions"`
	// Values are the ids of the sealed secrets of each Version that has any.
	Values map[string][]string `json:"values,omitempty"`
	// Aliases are names of Versions in the hosts of previews.
	Aliases map[string]string `json:"aliases,omitempty"`
	// Deployments are the newest KeepDeployments, newest first: the first one
	// serves.
	Deployments []Deployment `json:"deployments"`
}

// Deployment says which Versions serve a Function. It is immutable.
type Deployment struct {
	ID      string    `json:"id"` // random UUID
	Created time.Time `json:"created"`
	Author  string    `json:"author,omitempty"`
	Message string    `json:"message,omitempty"` // why, at most maxMessage bytes
	// Versions are one or two, of which the first has the most percent. A Version
	// with 0 percent is only there for those that ask for it.
	Versions []Share  `json:"versions"`
	Rollout  *Rollout `json:"rollout,omitempty"` // goes on by itself
}

// Share is the part of a Function's requests that a Version answers.
type Share struct {
	Version    string `json:"version"` // id
	Percentage int    `json:"percentage"`
}

// Version is a module with its settings and secrets. It is immutable.
type Version struct {
	ID      string    `json:"id"`     // random UUID
	Number  int       `json:"number"` // 1 for the first Version of a Function
	Created time.Time `json:"created"`
	Author  string    `json:"author,omitempty"`
	Note
	Trigger  string   `json:"trigger,omitempty"` // what made it: TriggerUpload or another
	Digest   string   `json:"digest"`            // SHA-256 of the module in hexadecimal digits
	Size     int64    `json:"size"`              // bytes of the module
	Settings Settings `json:"settings"`
	// Handlers are the kinds of events that it handles, as Workers name them; nil for
	// Versions of which that was not noted.
	Handlers []string `json:"handlers,omitempty"`
	// Secrets are the ids of their values by name. The values are elsewhere, sealed.
	Secrets map[string]string `json:"secrets,omitempty"`
}

// What makes a Version.
const (
	TriggerUpload = "upload"
	TriggerSecret = "secret"
)

// Note is what people say about a Version.
type Note struct {
	Message string `json:"message,omitempty"` // at most maxMessage bytes
	Tag     string `json:"tag,omitempty"`     // at most maxTag bytes
}

// SecretNames are the names of the Version's secrets, sorted.
func (v Version) SecretNames() []string { return slices.Sorted(maps.Keys(v.Secrets)) }

// functionID names a Function on the node.
type functionID struct{ account, name string }

func (f Function) id() functionID { return functionID{f.Account, f.Name} }

// serves says whether the Version with this id does.
func (f Function) serves(version string) bool {
	return slices.ContainsFunc(f.Deployments[0].Versions, func(s Share) bool { return s.Version == version })
}

// newest is the id of the newest Version; "" if there is none.
func (f Function) newest() string {
	if len(f.Versions) == 0 {
		return ""
	}
	return f.Versions[len(f.Versions)-1]
}

// values are the ids of all sealed secrets, each with its name.
func (f Function) values() map[string]bool {
	all := map[string]bool{}
	for _, ids := range f.Values {
		for _, id := range ids {
			all[id] = true
		}
	}
	return all
}

// with returns f with one more Version, which gets its number.
func (f Function) with(v *Version) Function {
	f.Latest++
	v.Number = f.Latest
	f.Modified = v.Created
	if f.Created.IsZero() {
		f.Created = v.Created
	}
	f.Versions = append(f.Versions[:len(f.Versions):len(f.Versions)], v.ID)
	if len(v.Secrets) > 0 {
		f.Values = maps.Clone(f.Values)
		if f.Values == nil {
			f.Values = map[string][]string{}
		}
		f.Values[v.ID] = valuesOf(v.Secrets)
	}
	return f
}

// valuesOf are where the values are, below the Function's secrets.
func valuesOf(secrets map[string]string) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		list = append(list, name+"/"+secrets[name])
	}
	return list
}

// deployedAs returns f with a new Deployment.
func (f Function) deployedAs(d Deployment) Function {
	f.Modified = d.Created
	f.Deployments = append([]Deployment{d}, f.Deployments[:min(len(f.Deployments), KeepDeployments-1)]...)
	return f
}

// keeping returns f without its oldest Versions, down to most. Those that serve
// stay, and the newest one.
func (f Function) keeping(most int) Function {
	excess := len(f.Versions) - most
	if excess <= 0 {
		return f
	}
	newest := f.newest()
	f.Values, f.Aliases = maps.Clone(f.Values), maps.Clone(f.Aliases)
	f.Versions = slices.DeleteFunc(slices.Clone(f.Versions), func(id string) bool {
		if excess <= 0 || f.serves(id) || id == newest {
			return false
		}
		excess--
		delete(f.Values, id)
		maps.DeleteFunc(f.Aliases, func(_, version string) bool { return version == id })
		return true
	})
	return f
}
