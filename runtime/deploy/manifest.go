// Package deploy owns what is deployed: Function, Manifest, Version,
// Deployment and their registry. Start reading at Manifest for what a user
// writes.
package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

// Bounds of a manifest. Variables: Cloudflare's, 128 of 5 KB each
// (https://developers.cloudflare.com/workers/platform/limits/).
const (
	maxVars = 128
	maxVar  = 5 << 10 // bytes of one value
	maxName = 63      // bytes; the name is a label of a host
)

// Manifest is mayfly.toml for one stage: what a user says about a Function.
// Its JSON form has the same names as the file and is part of a Version:
// marshalling and unmarshalling gives back an equal Manifest, but for Warnings.
// Keys that the file leaves out are zero. A Manifest is not changed after it was
// made.
type Manifest struct {
	// Name of the Function, "<name>-<stage>" in a stage that does not name
	// itself. Empty if the file has none; else CheckName accepts it.
	Name  string `json:"name,omitempty"`
	Stage string `json:"stage,omitempty"` // the stage that was asked for
	Main  string `json:"main,omitempty"`  // module or source, relative to the file
	// CompatibilityDate is YYYY-MM-DD. It is kept and has no effect.
	CompatibilityDate string          `json:"compatibility_date,omitempty"`
	AccountID         string          `json:"account_id,omitempty"`
	Routes            []Route         `json:"routes,omitempty"`
	Vars              map[string]Var  `json:"vars,omitempty"`
	KVNamespaces      []KVNamespace   `json:"kv_namespaces,omitempty"`
	Services          []Service       `json:"services,omitempty"`
	RateLimits        []RateLimit     `json:"ratelimits,omitempty"`
	VersionMetadata   VersionMetadata `json:"version_metadata,omitzero"`
	Queues            QueuesTable     `json:"queues,omitzero"`
	Assets            *AssetsFolder   `json:"assets,omitempty"` // nil: there are no static files
	Limits            Limits          `json:"limits,omitzero"`
	Triggers          Triggers        `json:"triggers,omitzero"`
	Invoke            *Invoke         `json:"invoke,omitempty"` // nil: that of the Function stays
	Build             Build           `json:"build,omitzero"`
	Dev               Dev             `json:"dev,omitzero"`
	Egress            *Egress         `json:"egress,omitempty"` // nil: nothing is narrowed
	Snapshot          SnapshotOptions `json:"snapshot,omitzero"`
	// Warnings tell which keys of the file have no effect, each with its
	// position: "wrangler.toml:3:1: workers_dev is Cloudflare's and has no
	// effect here". As with errors they are those of all stages, at most 20.
	Warnings []string `json:"-"`
}

// Var is a variable: a text, or any other value as JSON. At most 5 KiB.
type Var struct {
	Text string          `json:"text,omitempty"`
	JSON json.RawMessage `json:"json,omitempty"` // nil: Text is the value
}

// KVNamespace binds a KV namespace to a name.
type KVNamespace struct {
	Binding string `json:"binding"`
	// ID of the namespace; empty if the file has none. PreviewID takes its
	// place while developing.
	ID        string `json:"id,omitempty"`
	PreviewID string `json:"preview_id,omitempty"`
}

// AssetsFolder says where the static files are, and how they answer requests.
type AssetsFolder struct {
	Directory        string       `json:"directory"` // relative to the file
	Binding          string       `json:"binding,omitempty"`
	HTMLHandling     string       `json:"html_handling,omitempty"`
	NotFoundHandling string       `json:"not_found_handling,omitempty"`
	RunWorkerFirst   assets.First `json:"run_worker_first,omitzero"`
}

// Limits are the Function's own limits; 0 means the node's. MB and KB are
// MiB and KiB, as everywhere in Mayfly.
type Limits struct {
	CPUMillis     int64 `json:"cpu_ms,omitempty"`          // 1 to 300,000
	WallMillis    int64 `json:"wall_ms,omitempty"`         // 1 to 900,000
	Subrequests   int64 `json:"subrequests,omitempty"`     // 1 to 10,000
	Concurrency   int64 `json:"concurrency,omitempty"`     // requests at the same time, 1 to 10,000
	MemoryMB      int64 `json:"memory_mb,omitempty"`       // 1 to 4,096
	RequestBodyMB int64 `json:"request_body_mb,omitempty"` // 1 to 1,024
	ResponseMB    int64 `json:"response_mb,omitempty"`     // 1 to 1,024; streamed responses have no limit
	URLKB         int64 `json:"url_kb,omitempty"`          // 1 to 16
	HeadersKB     int64 `json:"headers_kb,omitempty"`      // 1 to 128
}

// Build says how the module is made from sources.
type Build struct {
	Command  string   `json:"command,omitempty"`   // for the shell
	Cwd      string   `json:"cwd,omitempty"`       // relative to the file
	WatchDir []string `json:"watch_dir,omitempty"` // relative to the file
}

// Dev says where the development server listens.
type Dev struct {
	IP   string `json:"ip,omitempty"`   // an address, or "localhost"
	Port int64  `json:"port,omitempty"` // 1 to 65,535
}

// Egress narrows which hosts the Function may fetch from. It never widens what
// the node allows.
type Egress struct {
	// Allow has host names in lower case; "*.example.com" stands for the
	// subdomains of example.com. Empty, not nil: no host.
	Allow []string `json:"allow"`
}

// SnapshotOptions say how the state is made that every request begins with.
type SnapshotOptions struct {
	// Disabled initialises the module in each request instead.
	Disabled bool `json:"disabled,omitempty"`
	// Warmup are requests such as "GET /" that the Function answers before the
	// snapshot is taken, so that what it does only once is done.
	Warmup []string `json:"warmup,omitempty"`
}

// LoadManifest reads mayfly.toml in dir, or wrangler.toml if there is none.
// References to the environment and to files are resolved. See ParseManifest for
// stage and errors; without either file the error is fs.ErrNotExist.
func LoadManifest(dir, stage string) (*Manifest, error) {
	return Resolver{Env: os.LookupEnv, Dir: dir}.load(dir, stage)
}

// LoadNames is LoadManifest for what does not deploy: values of [vars] are left
// as they are written, so that nothing needs to be there that they refer to.
func LoadNames(dir, stage string) (*Manifest, error) {
	return Resolver{Env: os.LookupEnv, Dir: dir, KeepVars: true}.load(dir, stage)
}

func (res Resolver) load(dir, stage string) (*Manifest, error) {
	for _, name := range []string{"mayfly.toml", "wrangler.toml"} {
		file := filepath.Join(dir, name)
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		return res.Parse(file, data, stage)
	}
	for _, name := range []string{"wrangler.jsonc", "wrangler.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return nil, fmt.Errorf("read manifest: %s has only %s, which is not read; write the same keys in mayfly.toml: %w",
				dir, name, fs.ErrNotExist)
		}
	}
	return nil, fmt.Errorf("read manifest: %s has neither mayfly.toml nor wrangler.toml: %w", dir, fs.ErrNotExist)
}

// ParseManifest reads a manifest of at most 1 MiB for a stage: "" is the top
// level, any other stage is the table [env.<stage>] of the file. A stage takes
// from the top level what it does not set itself, except vars and bindings
// (kv_namespaces, services, ratelimits, queues, version_metadata): these it has to
// repeat, as with wrangler.
//
// The errors of a file (the first 20), whatever the stage they are in, are told
// together in the order of their lines: errors.Join of *tomlfile.Error. file is the
// name they give it. What can be accepted, and what it means, is told by wrangler's
// documentation (https://developers.cloudflare.com/workers/wrangler/configuration/)
// for all keys but [limits] beyond cpu_ms and subrequests, and [egress].
//
// Nothing that the file refers to is there; see Resolver.
func ParseManifest(file string, data []byte, stage string) (*Manifest, error) {
	return Resolver{}.Parse(file, data, stage)
}

// Parse is ParseManifest with references resolved.
func (res Resolver) Parse(file string, data []byte, stage string) (*Manifest, error) {
	f, err := tomlfile.Parse(file, data)
	if err != nil {
		return nil, err
	}
	d := newDecoder(f)
	d.warnOfTop(stage)
	d.resolve(res, stage)
	m := d.manifest(stage)
	f.Redact(d.hide)
	if err := f.Err(); err != nil {
		return nil, err
	}
	m.Warnings = f.Warnings()
	return m, nil
}

// CheckName says whether a Function may have this name: 1 to 63 lower-case
// letters, digits and dashes, no dash first or last, so that it can be a label
// of a host.
func CheckName(name string) error {
	ok := len(name) > 0 && len(name) <= maxName && name[0] != '-' && name[len(name)-1] != '-'
	for i := range len(name) {
		c := name[i]
		ok = ok && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-')
	}
	if !ok {
		return fmt.Errorf("name %q is not 1 to %d lower-case letters, digits and dashes with no dash first or last", name, maxName)
	}
	return nil
}
