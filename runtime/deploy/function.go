package deploy

import "time"

// How much of a Function's past is kept.
const (
	KeepVersions    = 100
	KeepDeployments = 100
)

// Function is what a user deploys under a name. It is a copy of its record;
// the slices are shared and not changed.
type Function struct {
	Account  string    `json:"account"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	Routes   []Route   `json:"routes,omitempty"` // beside its own host
	Latest   int       `json:"latest"`           // number of the newest Version
	// Secrets are the ids of their values by name. The values are elsewhere,
	// sealed.
	Secrets map[string]string `json:"secrets,omitempty"`
	// Versions are the ids of the newest KeepVersions, oldest first.
	Versions []string `json:"versions"`
	// Deployments are the newest KeepDeployments, newest first: the first one
	// serves.
	Deployments []Deployment `json:"deployments"`
}

// Deployment says which Versions serve a Function. It is immutable.
type Deployment struct {
	ID       string    `json:"id"` // random UUID
	Created  time.Time `json:"created"`
	Author   string    `json:"author,omitempty"`
	Versions []Share   `json:"versions"`
}

// Share is the part of a Function's requests that a Version answers.
type Share struct {
	Version    string `json:"version"` // id
	Percentage int    `json:"percentage"`
}

// Version is a module with its settings. It is immutable.
type Version struct {
	ID       string    `json:"id"`     // random UUID
	Number   int       `json:"number"` // 1 for the first Version of a Function
	Created  time.Time `json:"created"`
	Author   string    `json:"author,omitempty"`
	Digest   string    `json:"digest"` // SHA-256 of the module in hexadecimal digits
	Size     int64     `json:"size"`   // bytes of the module
	Settings Settings  `json:"settings"`
}

// active is the id of the Version that serves.
func (f Function) active() string { return f.Deployments[0].Versions[0].Version }

// functionID names a Function on the node.
type functionID struct{ account, name string }

func (f Function) id() functionID { return functionID{f.Account, f.Name} }

// with returns f after v was deployed, and the ids of the Versions it dropped.
// v gets its number.
func (f Function) with(v *Version, deployment string) (Function, []string) {
	f.Latest++
	v.Number = f.Latest
	f.Modified = v.Created
	if f.Created.IsZero() {
		f.Created = v.Created
	}
	all := append(f.Versions[:len(f.Versions):len(f.Versions)], v.ID)
	dropped := all[:max(0, len(all)-KeepVersions)]
	f.Versions = all[len(dropped):]
	d := Deployment{ID: deployment, Created: v.Created, Author: v.Author, Versions: []Share{{v.ID, 100}}}
	f.Deployments = append([]Deployment{d}, f.Deployments[:min(len(f.Deployments), KeepDeployments-1)]...)
	return f, dropped
}
