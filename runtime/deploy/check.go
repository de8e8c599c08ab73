package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/assets"
)

// Problem is something about the records that is not as it was written.
type Problem struct {
	Record string // its key in the store
	What   string // is wrong
	Means  string // for whom
	Fix    string
	// Remade: the record is of a Snapshot, and may be removed, with its blob.
	Remade bool
	Blob   string // digest of the one that is damaged or missing, if any
}

// Records calls do for entries in the order of their keys, as kv.View's Entries.
type Records func(ctx context.Context, do func(kv.Entry) error) error

// Check looks through the records of a node that does not run: whether each can be
// read, and what they name is there. blob reads one whole; its error wraps
// kv.ErrNotFound or kv.ErrCorrupt. It returns how many problems it reported.
func Check(ctx context.Context, records Records, blob func(context.Context, kv.Digest) error, report func(Problem)) (problems int, err error) {
	c := &check{blob: blob, found: newFound(), report: func(p Problem) {
		problems++
		report(p)
	}}
	if err := records(ctx, c.read); err != nil {
		return problems, fmt.Errorf("check records: %w", err)
	}
	return problems, c.connect(ctx)
}

// check is what was found in the records.
type check struct {
	blob   func(context.Context, kv.Digest) error
	report func(Problem)
	found  found
}

type found struct {
	functions  map[string]Function // by key, as all below
	versions   map[string]Version
	snapshots  map[string]string // digest
	namespaces map[string]Namespace
	queues     map[string]Queue
	accounts   map[string]bool // by name
	tokens     map[string]Token
	secrets    map[string]bool
	assets     map[string]assets.File // manifests as well
	damaged    map[string]bool
}

func newFound() found {
	return found{map[string]Function{}, map[string]Version{}, map[string]string{}, map[string]Namespace{}, map[string]Queue{},
		map[string]bool{Local: true}, map[string]Token{}, map[string]bool{}, map[string]assets.File{}, map[string]bool{}}
}

// read takes one record.
func (c *check) read(e kv.Entry) error {
	switch area := areaOf(e.Key); area {
	case functionRecords:
		parse(c, e, c.found.functions, func(f Function) bool {
			return functionRecord(f.id()) == e.Key && len(f.Deployments) > 0 && len(f.Deployments[0].Versions) > 0
		})
	case versionRecords:
		parse(c, e, c.found.versions, func(v Version) bool {
			return strings.HasSuffix(e.Key, "/"+v.ID) && v.Digest == string(e.Metadata) && isDigest(v.Digest)
		})
	case snapshotRecords:
		s := map[string]snapshotEntry{}
		parse(c, e, s, func(s snapshotEntry) bool { return s.Digest == string(e.Metadata) && isDigest(s.Digest) })
		c.found.snapshots[e.Key] = s[e.Key].Digest
	case namespaceRecords:
		parse(c, e, c.found.namespaces, func(ns Namespace) bool { return namespaceRecords+ns.ID == e.Key })
	case queueRecords:
		parse(c, e, c.found.queues, func(q Queue) bool { return queueRecords+q.ID == e.Key })
	case accountRecords:
		a := map[string]Account{}
		parse(c, e, a, func(a Account) bool { return accountRecords+a.Name == e.Key })
		c.found.accounts[a[e.Key].Name] = true
	case tokenRecords:
		parse(c, e, c.found.tokens, func(t Token) bool { return tokenRecords+t.ID == e.Key && strings.HasPrefix(t.Hash, t.ID) })
	case secretRecords:
		c.found.secrets[e.Key] = true
	case assetRecords, manifestRecords:
		e.Value = e.Metadata // there is nothing else
		parse(c, e, c.found.assets, func(f assets.File) bool { return f.Digest != kv.Digest{} })
	}
	return nil
}

// areaOf is the prefix of a record; empty for users' entries.
func areaOf(key string) string {
	for _, area := range []string{functionRecords, versionRecords, snapshotRecords, namespaceRecords, queueRecords, accountRecords, tokenRecords, secretRecords, assetRecords, manifestRecords, ChangeRecords} {
		if strings.HasPrefix(key, area) {
			return area
		}
	}
	return ""
}

func isDigest(s string) bool {
	_, err := kv.ParseDigest(s)
	return err == nil
}

// parse decodes a record into m unless it does not hold together.
func parse[T any](c *check, e kv.Entry, m map[string]T, sound func(T) bool) {
	var record T
	if err := json.Unmarshal(e.Value, &record); err != nil || !sound(record) {
		c.found.damaged[e.Key] = true
		c.report(Problem{Record: e.Key, What: "the record does not hold what its kind has", Means: meaningOf(e.Key), Fix: fixOf(e.Key), Remade: areaOf(e.Key) == snapshotRecords})
		return
	}
	m[e.Key] = record
}

// meaningOf says what it means that a record can't be used.
func meaningOf(key string) string {
	switch area := areaOf(key); area {
	case functionRecords, versionRecords:
		return "the node can't start as long as it is like that: it does not know what to serve"
	case snapshotRecords:
		return "the Function is initialised again before its next request"
	case namespaceRecords, queueRecords, accountRecords, tokenRecords:
		return "the node can't start as long as it is like that: it does not know what belongs to whom"
	case secretRecords:
		return "the Function runs without that secret"
	case ChangeRecords:
		return "the Function of a KV trigger is not told of that change"
	case assetRecords:
		return "static files with these bytes are answered with an error"
	case manifestRecords:
		return "the node can't start as long as it is like that, or answers all requests of Versions with these static files with an error"
	}
	return "reading the key is an error; writing or deleting it mends it"
}

func fixOf(key string) string {
	switch area := areaOf(key); area {
	case snapshotRecords:
		return "run mayfly doctor with --repair, or just start the node"
	case "":
		return "write the key again, delete it, or restore a backup into a new directory"
	case secretRecords:
		return "put the secret again, or restore a backup into a new directory"
	}
	return restoreFix
}

const restoreFix = "restore a backup into a new directory: mayfly restore FILE --data NEW"

// Unreadable is the Problem of an entry whose bytes are damaged.
func Unreadable(key, what string) Problem {
	return Problem{Record: key, What: what, Means: meaningOf(key), Fix: fixOf(key), Remade: areaOf(key) == snapshotRecords}
}

// connect looks for what the records name.
func (c *check) connect(ctx context.Context) error {
	for _, key := range slices.Sorted(maps.Keys(c.found.functions)) {
		if err := c.function(ctx, c.found.functions[key]); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.found.assets)) {
		for _, d := range blobsOf(c.found.assets[key]) {
			if err := c.named(ctx, key, d.String(), "the static file", meaningOf(key), fixOf(key)); err != nil {
				return err
			}
		}
	}
	for _, ns := range c.found.namespaces {
		c.owner(namespaceRecords+ns.ID, ns.Account)
	}
	for _, q := range c.found.queues {
		c.owner(queueRecords+q.ID, q.Account)
	}
	for _, t := range c.found.tokens {
		if t.Account != "" {
			c.owner(tokenRecords+t.ID, t.Account)
		}
	}
	return ctx.Err()
}

func (c *check) owner(record, account string) {
	if !c.found.accounts[account] {
		c.missing(record, "account "+account, "nobody but administrators gets to it", "make the account again: mayfly account create "+account)
	}
}

func (c *check) missing(record, what, means, fix string) {
	c.report(Problem{Record: record, What: what + " is missing", Means: means, Fix: fix})
}

func (c *check) function(ctx context.Context, f Function) error {
	c.owner(functionRecord(f.id()), f.Account)
	for value := range f.values() {
		if !c.found.secrets[secretsOf(f.id())+value] {
			name, _, _ := strings.Cut(value, "/")
			c.missing(functionRecord(f.id()), "secret "+name, meaningOf(secretRecords), fixOf(secretRecords))
		}
	}
	for _, id := range f.Versions {
		if err := c.version(ctx, f, id); err != nil {
			return err
		}
	}
	for _, share := range f.Deployments[0].Versions {
		if !slices.Contains(f.Versions, share.Version) {
			c.missing(functionRecord(f.id()), "version "+share.Version+", which serves,", meaningOf(functionRecords), restoreFix)
		}
	}
	return nil
}

func (c *check) version(ctx context.Context, f Function, id string) error {
	key := versionRecord(f.id(), id)
	v, ok := c.found.versions[key]
	if !ok {
		if !c.found.damaged[key] {
			c.missing(functionRecord(f.id()), "the record of version "+id, meaningOf(key), fixOf(key))
		}
		return nil
	}
	if err := c.named(ctx, key, v.Digest, "the module", "a node that has no snapshot of it can't serve it", "deploy the module again, or "+restoreFix); err != nil {
		return err
	}
	if digest := c.found.snapshots[snapshotRecord(f.id(), id)]; digest != "" {
		key := snapshotRecord(f.id(), id)
		if err := c.named(ctx, key, digest, "the snapshot", meaningOf(key), fixOf(key)); err != nil {
			return err
		}
	}
	if f.serves(id) {
		c.bindings(f, v)
	}
	return nil
}

func (c *check) named(ctx context.Context, record, digest, what, means, fix string) error {
	d, err := kv.ParseDigest(digest)
	if err == nil {
		err = c.blob(ctx, d)
	}
	switch {
	case errors.Is(err, kv.ErrNotFound):
		what += " (blob " + digest + ") is missing"
	case errors.Is(err, kv.ErrCorrupt):
		what += " (blob " + digest + ") is damaged"
	default:
		return err
	}
	c.report(Problem{Record: record, What: what, Means: means, Fix: fix, Remade: areaOf(record) == snapshotRecords, Blob: digest})
	return nil
}

func (c *check) bindings(f Function, v Version) {
	if a := v.Settings.Assets; a != nil {
		if key := manifestRecords + f.Account + "/" + a.Manifest.String(); c.found.assets[key].Digest != a.Manifest && !c.found.damaged[key] {
			c.missing(functionRecord(f.id()), "the list of its static files", meaningOf(manifestRecords), restoreFix)
		}
	}
	for _, b := range v.Settings.KVNamespaces {
		ns, ok := c.found.namespaces[namespaceRecords+b.ID]
		if !ok || ns.Deleted || ns.Account != f.Account {
			c.missing(functionRecord(f.id()), "the KV namespace of binding "+b.Binding, meaningOf(functionRecords), restoreFix)
		}
	}
}

// KnownAdminToken reports whether text is a token for administrators of which there
// is a record.
func KnownAdminToken(text string, records []kv.Entry) bool {
	if !isToken(text) {
		return false
	}
	hash := hashToken(text)
	for _, e := range records {
		var t Token
		if e.Key == tokenRecords+hash[:tokenIDLength] && json.Unmarshal(e.Value, &t) == nil {
			return t.Hash == hash && t.Kind == KindAdmin
		}
	}
	return false
}
