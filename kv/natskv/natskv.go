// Package natskv keeps a kv.Store and kv.Blobs in NATS JetStream, with a copy of
// the entries on each node. Start reading at Open; follow.go keeps the copy
// current, write.go writes, message.go says what is in a message.
//
// One stream holds the newest message of each key; a revision is the message's
// sequence in it. Writes go to the stream, and return once the node's own copy
// has them: so a node reads what it wrote. Everything else is read from the copy,
// also while the cluster can't be reached; it is behind by as long as a message
// takes. kv.GetStrong and kv.Sync first write that they were there.
//
// What NATS acknowledged is as durable as its servers are set up to be: see
// sync_interval, and use three replicas. A stream that lost what the copy has is
// noticed; then the copy is read on as it is, and nothing is written.
package natskv

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mayfly-run/mayfly/kv"
)

// Config of a Store. Dir is required, and URL or Conn.
type Config struct {
	// URL of one server or several, with commas between them.
	URL string
	// Conn is used instead of a connection of the Store's own. It is not closed,
	// and should have been made with nats.MaxReconnects(-1) and
	// nats.ReconnectBufSize(-1).
	Conn *nats.Conn
	// Credentials is the path of a .creds file. Default: none.
	Credentials string
	// TLS of the connection. Default: none unless the server asks for it.
	TLS *tls.Config
	// Options of the connection come last, such as nats.InProcessServer.
	Options []nats.Option
	// Domain of JetStream. Default: the server's own.
	Domain string
	// Bucket names what the streams are called after: letters, digits, - and _, up
	// to 64 bytes. Default: mayfly.
	Bucket string
	// Replicas of the streams, 1 to 5. Default: 3, or 1 until the cluster has room
	// for that.
	Replicas int
	// Join has Open wait for the streams where it would make them: another node does.
	Join bool
	// Dir is for the copy of entries and blobs, and nothing else. It is made if
	// it does not exist. One process at a time may use it.
	Dir string
	// Wait is how long Open waits for the cluster before it goes on with the copy,
	// or gives up if there is none yet. Default: 10 seconds.
	Wait time.Duration
	// After is the revision after which those of a new stream begin. Default: 0.
	After uint64
	// MarkerTTL is how long the stream tells nodes that were away what was deleted.
	// One that was away for longer compares its copy with the stream. At least one
	// hour. Default: a day.
	MarkerTTL time.Duration
	// Room is asked before the copy takes an entry of so many bytes. While it returns
	// an error the copy stays where it is. Default: there is room. It must be given
	// where the volume may become full, because that ends the process.
	Room func(size int64) error
	// Cache is how many bytes of blobs are kept in Dir: those that were used last.
	// Default: 8 GiB.
	Cache int64
	// Needed are the blobs that are kept in any case once they are there, because nobody
	// might be there to ask when they are used again. As long as that is not known, nothing
	// is removed. Default: none are.
	Needed func() (needed map[kv.Digest]bool, known bool)
	// Offline reports of a key whether writes to it are taken while the cluster can't
	// be reached, unless they compare revisions. They are kept in Dir, up to 64 MiB;
	// Get and List show them, with revisions that nothing compares equal to; Watch and
	// View do when the cluster has them. They are sent in order as soon as it can be
	// reached, and go over what others wrote meanwhile; those sent last before this
	// node ended may be sent again. Default: none are taken.
	Offline func(key string) bool
	// Now is the clock for expiry. Default: time.Now.
	Now func() time.Time
	// Logger gets what the operator should know. Default: discard.
	Logger *slog.Logger

	margin   time.Duration // what the clocks of servers may differ by
	patience time.Duration // see writeTimeout
}

const (
	maxReplicas = 5
	// writeTimeout is how long a write tries to be acknowledged, if its value is short,
	// and how long calls wait until the copy is current, unless patience says otherwise.
	writeTimeout = 10 * time.Second
)

var bucketName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (cfg *Config) setDefaults() {
	if cfg.Bucket == "" {
		cfg.Bucket = "mayfly"
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 10 * time.Second
	}
	if cfg.MarkerTTL == 0 {
		cfg.MarkerTTL = 24 * time.Hour
	}
	if cfg.margin == 0 {
		cfg.margin = 10 * time.Minute
	}
	if cfg.patience == 0 {
		cfg.patience = writeTimeout
	}
	if cfg.Cache <= 0 {
		cfg.Cache = defaultCache
	}
	if cfg.Needed == nil {
		cfg.Needed = func() (map[kv.Digest]bool, bool) { return nil, true }
	}
	if cfg.Room == nil {
		cfg.Room = func(int64) error { return nil }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
}

// check comes after setDefaults.
func (cfg *Config) check() error {
	switch {
	case cfg.Dir == "":
		return fmt.Errorf("no directory given for the copy")
	case cfg.URL == "" && cfg.Conn == nil:
		return fmt.Errorf("no URL given of a NATS server")
	case !bucketName.MatchString(cfg.Bucket):
		return fmt.Errorf("bucket %q: use up to 64 letters, digits, - and _", cfg.Bucket)
	case cfg.Replicas < 0 || cfg.Replicas > maxReplicas:
		return fmt.Errorf("%d replicas: use 1 to %d", cfg.Replicas, maxReplicas)
	case cfg.MarkerTTL < time.Hour:
		return fmt.Errorf("deletions are told for %s: use an hour or more", cfg.MarkerTTL)
	}
	return nil
}

// Status of a Store's copy.
type Status struct {
	Connected bool      // the copy is kept current, and writes are taken
	Revision  uint64    // the last one that is in the copy
	Since     time.Time // when Connected became what it is
	Current   time.Time // when the copy was last known to be current; zero: not since Open
	Servers   []string  // of the cluster, as far as they are known
	Problem   string    // why it is not connected; for people
}
