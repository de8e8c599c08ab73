// Package natskv keeps a kv.Store and kv.Blobs in NATS JetStream, with a copy of
// the entries on each node. Start reading at Open.
//
// One stream holds the newest message of each key; a revision is the message's
// sequence in it. Writes go to the stream, and return once the node's own copy
// has them: so a node reads what it wrote. Everything else is read from the copy,
// also while the cluster can't be reached; it is behind by as long as a message
// takes. kv.GetStrong and kv.Sync ask the leader of the stream.
//
// What NATS acknowledged is as durable as its servers are set up to be: see
// sync_interval, and use three replicas.
package natskv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// Config of a Store. Dir is required, and URL or Conn.
type Config struct {
	// URL of one server or several, with commas between them.
	URL string
	// Conn is used instead of a connection of the Store's own. It is not closed,
	// and should have been made with nats.MaxReconnects(-1).
	Conn *nats.Conn
	// Credentials is the path of a .creds file. Default: none.
	Credentials string
	// TLS of the connection. Default: none unless the server asks for it.
	TLS *tls.Config
	// Options of the connection come last, such as nats.InProcessServer.
	Options []nats.Option
	// Bucket names what the streams are called after: letters, digits, - and _.
	// Default: mayfly.
	Bucket string
	// Replicas of the streams, 1 to 5. Default: 3, or 1 until the cluster has room
	// for that.
	Replicas int
	// Dir is for the copy of entries and blobs, and nothing else. It is made if
	// it does not exist. One process at a time may use it.
	Dir string
	// Wait is how long Open waits for the cluster before it goes on with the copy,
	// or gives up if there is none yet. Default: 10 seconds.
	Wait time.Duration
	// After is the revision after which those of a new stream begin. Default: 0.
	After uint64
	// Now is the clock for expiry. Default: time.Now.
	Now func() time.Time
	// Logger gets what the operator should know. Default: discard.
	Logger *slog.Logger
}

// Status of a Store's copy.
type Status struct {
	Connected bool      // the copy is kept current, and writes are taken
	Revision  uint64    // the last one that is in the copy
	Since     time.Time // when Connected became what it is
	Servers   []string  // of the cluster, as far as they are known
	Problem   string    // why it is not connected; for people
}

// Open opens the copy and connects. Without a copy it makes the streams, or loads
// what they have; it is kv.ErrUnavailable if the cluster can't be reached. With one
// it succeeds in any case, and connects when that becomes possible.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	return nil, fmt.Errorf("open store in NATS: %w", errors.ErrUnsupported)
}
