package telemetry

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/host"
)

// What is kept of failures.
const (
	defaultFailures = 100      // of a Function
	failuresPerSec  = 100      // of a Function; the rest is counted in metrics only
	accountFailures = 4 << 20  // bytes of an account's
	nodeFailures    = 64 << 20 // bytes of all
	maxFailureURL   = 2 << 10  // bytes
)

// Failure is an Invocation that failed.
type Failure struct {
	Time      time.Time `json:"time"` // when it began
	RequestID string    `json:"request_id"`
	VersionID string    `json:"version_id"`
	Outcome   string    `json:"outcome"`
	Method    string    `json:"method"`
	URL       string    `json:"url"`
	Status    int       `json:"status"`
	Name      string    `json:"name"` // of the error
	Message   string    `json:"message"`
	Stack     string    `json:"stack,omitempty"` // innermost first, a line each
	Log       string    `json:"log,omitempty"`   // the end of what it logged
	Node      string    `json:"node,omitempty"`  // where, if there are several
}

func (f *Failure) size() int64 {
	const fields = 256
	return int64(fields + len(f.Method) + len(f.URL) + len(f.Name) + len(f.Message) + len(f.Stack) + len(f.Log))
}

// fail keeps what is known of an Invocation that failed.
func (o *Observer) fail(v *version, c *host.Call, e Ended) {
	if _, ok := v.function.quota.Take(o.cfg.Now(), failuresPerSec); !ok {
		return
	}
	f := Failure{
		Time: c.Started().UTC(), RequestID: c.ID, VersionID: v.key.version, Outcome: e.Outcome.String(),
		Method: clip(string(c.Request.Method), 64), URL: clip(redactURL(string(c.Request.URL)), maxFailureURL), Status: e.Status,
		Log: strings.ToValidUTF8(string(c.Said), ""),
	}
	x, _ := exceptionOf(e)
	f.Name, f.Message, f.Stack = x.Name, x.Message, x.Stack
	o.failures.add(v.key.functionKey, f)
}

// Failures returns the last Invocations of a Function that failed on this node, newest
// first.
func (o *Observer) Failures(account, function string) []Failure {
	return o.failures.list(functionKey{account, function})
}

// failures are the last of each Function. What is beyond the bounds of an account
// or the node is dropped where most is kept, oldest first.
type failures struct {
	keep int // of a Function

	mu        sync.Mutex // guards all below
	functions map[functionKey]*failureList
	accounts  map[string]int64 // bytes
	bytes     int64
}

type failureList struct {
	all   []Failure // oldest first
	bytes int64
}

func (fs *failures) add(key functionKey, f Failure) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	l := fs.functions[key]
	if l == nil {
		l = &failureList{}
		fs.functions[key] = l
	}
	l.all = append(l.all, f)
	fs.count(key, l, f.size())
	if len(l.all) > fs.keep {
		fs.drop(key)
	}
	for fs.accounts[key.account] > accountFailures {
		fs.drop(fs.largest(func(k functionKey) bool { return k.account == key.account }))
	}
	for fs.bytes > nodeFailures {
		fs.drop(fs.largest(func(functionKey) bool { return true }))
	}
}

// The following need fs.mu.

func (fs *failures) count(key functionKey, l *failureList, bytes int64) {
	l.bytes += bytes
	fs.bytes += bytes
	if fs.accounts[key.account] += bytes; fs.accounts[key.account] == 0 {
		delete(fs.accounts, key.account)
	}
}

func (fs *failures) largest(of func(functionKey) bool) (found functionKey) {
	most := int64(-1)
	for key, l := range fs.functions {
		if l.bytes > most && of(key) {
			found, most = key, l.bytes
		}
	}
	return found
}

// drop forgets the oldest failure of a Function.
func (fs *failures) drop(key functionKey) {
	l := fs.functions[key]
	fs.count(key, l, -l.all[0].size())
	l.all = slices.Delete(l.all, 0, 1)
	if len(l.all) == 0 {
		delete(fs.functions, key)
	}
}

func (fs *failures) forget(key functionKey) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for k, l := range fs.functions {
		if key.covers(k) {
			fs.count(k, l, -l.bytes)
			delete(fs.functions, k)
		}
	}
}

func (fs *failures) list(key functionKey) []Failure {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	l := fs.functions[key]
	if l == nil {
		return []Failure{}
	}
	all := slices.Clone(l.all)
	slices.Reverse(all)
	return all
}
