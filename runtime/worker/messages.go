//go:build linux

package worker

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// text may be any bytes, which CBOR's own text strings may not.
type text = cbor.ByteString

// setup is what a worker begins with. The image is file 4.
type setup struct {
	Dir          string // of compile.Cache
	ModuleFile   string // the rewritten module
	Code, Module kv.Digest
	State        []byte // of runtime.Parcel, as is Program
	Program      []byte
	Zero         []bool // of memory.OpenImage
	FilterOnly   bool
	ClockStep    time.Duration
	Empty        bool // there is nothing to run: it is a trial
}

// ready says that the worker is confined.
type ready struct {
	Err string
}

// version is what Invocations of a Version have in common.
type version struct {
	Account, Function, Version text
	Env                        []variable
	Environ                    []text
	Secrets                    []text // names of those in Env
	KV, Fetchers, RateLimits   []text // names, as Queues
	Queues                     []text
	Cache                      bool
	Limits                     host.Limits
	ClockStep                  time.Duration
}

type variable struct {
	_           struct{} `cbor:",toarray"`
	Name, Value text
	Secret      bool
	JSON        bool
}

func versionOf(c *host.Call) *version {
	b := c.Bindings
	v := &version{Account: text(b.Account), Function: text(b.Function), Version: text(b.Version), Limits: c.Limits, ClockStep: c.Services.Resolution()}
	for name, e := range b.Env {
		v.Env = append(v.Env, variable{Name: text(name), Value: text(e.Value), Secret: e.Secret, JSON: e.JSON})
	}
	v.Environ, v.Secrets = texts(b.Environ), texts(b.Secrets)
	v.KV, v.Fetchers, v.RateLimits, v.Queues = names(b.KV), names(b.Fetchers), names(b.RateLimits), names(b.Queues)
	v.Cache = b.Cache != nil
	return v
}

func texts(list []string) (all []text) {
	for _, s := range list {
		all = append(all, text(s))
	}
	return all
}

func names[T any](m map[string]T) []text { return texts(slices.Collect(maps.Keys(m))) }

// bindings are the version's, with what asks the node in the place of what it has.
func (v *version) bindings(g *guest) *host.Bindings {
	b := &host.Bindings{Account: string(v.Account), Function: string(v.Function), Version: string(v.Version),
		Env: map[string]host.EnvValue{}, KV: map[string]kv.Store{}, Fetchers: map[string]host.Fetcher{}, RateLimits: map[string]host.RateLimiter{},
		Queues: map[string]host.QueueProducer{}}
	for _, e := range v.Env {
		b.Env[string(e.Name)] = host.EnvValue{Value: string(e.Value), Secret: e.Secret, JSON: e.JSON}
	}
	for _, e := range v.Environ {
		b.Environ = append(b.Environ, string(e))
	}
	for _, name := range v.Secrets {
		b.Secrets = append(b.Secrets, string(name))
	}
	for _, name := range v.KV {
		b.KV[string(name)] = store{guest: g, name: name}
	}
	for _, name := range v.Fetchers {
		b.Fetchers[string(name)] = fetcher{guest: g, binding: name}
	}
	for _, name := range v.RateLimits {
		b.RateLimits[string(name)] = limiter{guest: g, name: name}
	}
	for _, name := range v.Queues {
		b.Queues[string(name)] = producer{guest: g, name: name}
	}
	if v.Cache {
		b.Cache = cache{guest: g}
	}
	return b
}

// request is host.Request.
type request struct {
	_                    struct{} `cbor:",toarray"`
	Method, URL, Headers []byte
	Client               []byte
	Body                 bool
}

func requestOf(r *host.Request) request {
	client, _ := r.Client.MarshalBinary() // never fails
	return request{Method: r.Method, URL: r.URL, Headers: r.Headers, Client: client, Body: r.Body != nil}
}

func (r *request) host() host.Request {
	var client netip.Addr
	_ = client.UnmarshalBinary(r.Client) // the node's own, or none
	return host.Request{Method: r.Method, URL: r.URL, Headers: r.Headers, Client: client}
}

// invoke begins an Invocation.
type invoke struct {
	_         struct{} `cbor:",toarray"`
	ID        text
	Version   *version // nil: that of the Invocation before
	Request   request
	Scheduled *scheduled // nil, as Change and Queue: the event is the request
	Change    *change
	Queue     *batch
}

// scheduled is host.Scheduled.
type scheduled struct {
	_      struct{} `cbor:",toarray"`
	Cron   text
	Millis int64 // since 1970
}

func scheduledOf(s *host.Scheduled) *scheduled {
	if s == nil {
		return nil
	}
	return &scheduled{Cron: text(s.Cron), Millis: s.Time.UnixMilli()}
}

func (s *scheduled) host() *host.Scheduled {
	if s == nil {
		return nil
	}
	return &host.Scheduled{Cron: string(s.Cron), Time: time.UnixMilli(s.Millis)}
}

// change is host.KVChange.
type change struct {
	_                       struct{} `cbor:",toarray"`
	Namespace, Binding, Key text
	Deleted, Omitted        bool
	Revision, OldRevision   uint64
	Value, Metadata         []byte
	Size                    int64
	Expires, Time           int64 // milliseconds since 1970; Expires 0 is never
	Attempt                 int
}

func changeOf(k *host.KVChange) *change {
	if k == nil {
		return nil
	}
	c := &change{Namespace: text(k.Namespace), Binding: text(k.Binding), Key: text(k.Key), Deleted: k.Deleted, Omitted: k.Omitted, Revision: k.Revision,
		OldRevision: k.OldRevision, Value: k.Value, Metadata: k.Metadata, Size: k.Size, Time: k.Time.UnixMilli(), Attempt: k.Attempt}
	if !k.Expires.IsZero() {
		c.Expires = k.Expires.UnixMilli()
	}
	return c
}

func (c *change) host() *host.KVChange {
	if c == nil {
		return nil
	}
	k := &host.KVChange{Namespace: string(c.Namespace), Binding: string(c.Binding), Key: string(c.Key), Deleted: c.Deleted, Omitted: c.Omitted, Revision: c.Revision,
		OldRevision: c.OldRevision, Value: c.Value, Metadata: c.Metadata, Size: c.Size, Time: time.UnixMilli(c.Time), Attempt: c.Attempt}
	if c.Expires != 0 {
		k.Expires = time.UnixMilli(c.Expires)
	}
	return k
}

// initialize begins an initialisation.
type initialize struct {
	Version version
	Warmup  []request
}

type cancel struct {
	_    struct{} `cbor:",toarray"`
	Gone bool     // who waits for the answer has gone away
	Over bool     // the Invocation is over, whether its guest runs or waits
}

// end is how an Invocation went.
type end struct {
	_       struct{} `cbor:",toarray"`
	Outcome host.Outcome
	Code    host.Code // of the error that an initialisation failed with; 0 if it isn't the module's
	Err     text
	Thrown  bool // Err is a *js.Failure
	Usage   usage
	Answer  *answer  // that was not sent yet
	Memory  int64    // bytes that follow in parts, after an initialisation
	Globals []uint64 // after an initialisation, as Handlers
	// Handlers are runtime.Initialized's.
	Handlers  host.Handlers
	Decisions *decisions // about a batch
}

// usage is what only the worker knows.
type usage struct {
	_                 struct{} `cbor:",toarray"`
	CPU               time.Duration
	Units             int64
	PeakMemory        int64
	LogDropped        int
	Refused           int
	KVOperations      int
	BytesIn, BytesOut int64
}

func usageOf(u *host.Usage) usage {
	return usage{CPU: u.CPU, Units: u.Units, PeakMemory: u.PeakMemory, LogDropped: u.LogDropped, Refused: u.Refused,
		KVOperations: u.KVOperations, BytesIn: u.BytesIn, BytesOut: u.BytesOut}
}

// answer is a whole response.
type answer struct {
	_             struct{} `cbor:",toarray"`
	Status        int
	Headers, Body []byte
}

// image is a part of a memory, of which the rest is zeros.
type image struct {
	_    struct{} `cbor:",toarray"`
	At   int64
	Data []byte
}

// op is what a worker asks for.
type op uint8

const (
	opLog         op = 1 + iota // Level, Data; no reply
	opTake                      // N bytes of memory
	opLimit                     // Name, Key: 1 in N if it is within the rate limit
	opStream                    // Status, Headers
	opDetach                    // Status, Headers, Data: the answer, unless a stream was opened
	opClose                     // Body, which nobody reads any more; no reply
	opFinish                    // Body, which is written, or cut short if Failed; no reply
	opRead                      // at most N bytes of Body
	opWrite                     // Data to Body
	opGet                       // Name, Key
	opPut                       // Name, Key, Data, Metadata, Expires, Compare, Revision
	opDelete                    // Name, Key, Compare, Revision
	opList                      // Name, Key as the prefix, Cursor, N
	opFetch                     // Name as the method, Key as the binding, or empty; URL, Headers, Data, or Streamed and N bytes if that is known
	opSend                      // Messages to the queue Name
	opBacklog                   // of the queue Name
	opCacheMatch                // Key, Headers of a request: if N is 1, Status, Headers, Data
	opCachePut                  // Key, Status, Headers, Data: 1 in N if it is kept
	opCacheDelete               // Key: 1 in N if something was
	opGetEach                   // Name, Keys, at most N bytes of values: an entry for each, without a revision if there is none
)

// Bodies that are there without a fetch. That of a fetch, in both directions, has the
// number of its question.
const (
	bodyRequest  = 1
	bodyResponse = 2
	firstAsk     = 16
)

// question is one of the worker's; what the op does not need is zero.
type question struct {
	ID       uint64        `cbor:"1,keyasint"`
	Op       op            `cbor:"2,keyasint"`
	Body     uint64        `cbor:"3,keyasint,omitempty"`
	Name     text          `cbor:"4,keyasint,omitempty"`
	Key      text          `cbor:"5,keyasint,omitempty"`
	URL      text          `cbor:"6,keyasint,omitempty"`
	Data     []byte        `cbor:"7,keyasint,omitempty"`
	Metadata []byte        `cbor:"8,keyasint,omitempty"`
	Headers  []byte        `cbor:"9,keyasint,omitempty"`
	Cursor   text          `cbor:"10,keyasint,omitempty"`
	N        int64         `cbor:"11,keyasint,omitempty"`
	Status   int           `cbor:"12,keyasint,omitempty"`
	Level    host.LogLevel `cbor:"13,keyasint,omitempty"`
	Expires  int64         `cbor:"14,keyasint,omitempty"` // milliseconds since 1970
	Compare  bool          `cbor:"15,keyasint,omitempty"`
	Revision uint64        `cbor:"16,keyasint,omitempty"`
	Streamed bool          `cbor:"17,keyasint,omitempty"`
	Failed   bool          `cbor:"18,keyasint,omitempty"`
	Messages []message     `cbor:"19,keyasint,omitempty"`
	Keys     []text        `cbor:"20,keyasint,omitempty"`
}

type drop struct {
	_  struct{} `cbor:",toarray"`
	ID uint64
}

// reply answers a question.
type reply struct {
	ID      uint64    `cbor:"1,keyasint"`
	Code    host.Code `cbor:"2,keyasint,omitempty"` // 0 is success
	Msg     text      `cbor:"3,keyasint,omitempty"`
	EOF     bool      `cbor:"4,keyasint,omitempty"`
	N       int       `cbor:"5,keyasint,omitempty"`
	Data    []byte    `cbor:"6,keyasint,omitempty"`
	Status  int       `cbor:"7,keyasint,omitempty"`
	Headers []byte    `cbor:"8,keyasint,omitempty"`
	Entries []entry   `cbor:"9,keyasint,omitempty"`
	Cursor  text      `cbor:"10,keyasint,omitempty"`
	Backlog *backlog  `cbor:"11,keyasint,omitempty"`
}

// entry is kv.Entry.
type entry struct {
	_               struct{} `cbor:",toarray"`
	Key             text
	Value, Metadata []byte
	Revision        uint64
	Expires         int64 // milliseconds since 1970; 0 is never
}

func entryOf(e kv.Entry) entry {
	return entry{Key: text(e.Key), Value: e.Value, Metadata: e.Metadata, Revision: e.Revision, Expires: millis(e.Expires)}
}

func (e *entry) kv() kv.Entry {
	return kv.Entry{Key: string(e.Key), Value: e.Value, Metadata: e.Metadata, Revision: e.Revision, Expires: timeOf(e.Expires)}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis)
}

// isZero tells whether a part of a memory need not be sent.
func isZero(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }
