// Package ratelimit counts events of guests by key, and says which exceed a limit.
// Start reading at Limits.
//
// Counts are the node's: several nodes each have their own, as Cloudflare's
// locations do. The window slides, in the approximate way that Cloudflare
// describes: what was counted in the period before counts in part, as if it had
// been spread evenly over it
// (https://blog.cloudflare.com/counting-things-a-lot-of-different-things/). Events
// beyond the limit are not counted, so that whoever keeps trying gets its share.
//
// Memory is bounded: each account has room for MaxKeys keys. Where it is full,
// what has not been counted for two periods makes room, or else a key with few
// events: a client that invents keys displaces its own.
package ratelimit

import (
	"hash/maphash"
	"strconv"
	"sync"
	"time"
)

// MaxKeys is how many keys of an account are counted at the same time. They take
// about 12 MiB.
const MaxKeys = shards * shardKeys

const (
	shards    = 64
	shardKeys = 4096
)

// Limits are the counts of a node.
type Limits struct {
	started time.Time // by whose monotonic clock periods are counted

	mu       sync.Mutex // guards accounts
	accounts map[string]*table
}

// New makes counts that are all zero.
func New() *Limits {
	return &Limits{started: time.Now(), accounts: map[string]*table{}}
}

// Open gives a limit of so many events in a period, which is whole seconds, for
// each key. Limiters of an account with the same namespace and period count
// together.
func (l *Limits) Open(account, namespace string, limit int64, period time.Duration) *Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.accounts[account]
	if t == nil {
		t = newTable()
		l.accounts[account] = t
	}
	return &Limiter{
		table: t, started: l.started, limit: limit, period: period,
		prefix: namespace + "/" + strconv.FormatInt(int64(period/time.Second), 10) + "/",
	}
}

// Forget drops the counts of an account that is gone.
func (l *Limits) Forget(account string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.accounts, account)
}

// Limiter is one limit. It is safe for concurrent use.
type Limiter struct {
	table   *table
	started time.Time
	limit   int64
	period  time.Duration
	prefix  string // of keys in the table
}

// Limit implements host.RateLimiter. It allocates nothing for keys that it knows.
func (l *Limiter) Limit(key []byte) (bool, error) {
	id := l.table.id(l.prefix, key)
	return l.table.shardOf(id).count(id, time.Since(l.started), l.period, l.limit), nil
}

// table is the counts of an account.
type table struct {
	seeds  [2]maphash.Seed
	shards [shards]shard
}

// keyID stands for a key: two hashes that nobody outside can foresee, so that no
// two keys are made to meet, and what is kept of a key has one size.
type keyID [2]uint64

func newTable() *table {
	t := &table{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	for i := range t.shards {
		t.shards[i].counts = map[keyID]counts{}
	}
	return t
}

func (t *table) id(prefix string, key []byte) (id keyID) {
	for i, seed := range t.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		h.WriteString(prefix)
		h.Write(key)
		id[i] = h.Sum64()
	}
	return id
}

func (t *table) shardOf(id keyID) *shard { return &t.shards[id[0]%shards] }
