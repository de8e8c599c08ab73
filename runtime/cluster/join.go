package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// Format is the newest format of what nodes share that this program understands.
// Raise it when an older program would misread, or lose, what a newer one writes. The
// newer one writes that, and the number into the record of the cluster, once every
// Node has said that it understands it.
const Format = 1

const identityRecord = "node/cluster" // identity

// identity is what all nodes have to agree on.
type identity struct {
	Format  int       `json:"format"` // of what is stored
	Key     string    `json:"key"`    // id of the key for secrets
	Created time.Time `json:"created"`
}

// TooOldError: what is stored is of a format that came after this program.
type TooOldError struct{ Stored, Known int }

func (e *TooOldError) Error() string {
	return fmt.Sprintf("the cluster was written by a newer Mayfly (format %d, this one knows %d): run the version that its other nodes run", e.Stored, e.Known)
}

// OtherKeyError: the secrets of the cluster are sealed with another key than this
// node has.
type OtherKeyError struct{ Cluster, Given string }

func (e *OtherKeyError) Error() string {
	given := "no key"
	if e.Given != "" {
		given = "key " + e.Given
	}
	return fmt.Sprintf("the cluster's secrets are sealed under key %s, and this node has %s: give it the key of the other nodes", e.Cluster, given)
}

// Key says by which key a cluster's secrets are sealed; empty if the cluster is new.
// It is a *TooOldError if this program must not touch it.
func Key(ctx context.Context, store kv.Store) (string, error) {
	_, id, _, err := readIdentity(ctx, store)
	return id.Key, err
}

// Join makes sure that this program, with the key of this id, may work on the store,
// which it marks if it is new. It returns a *TooOldError or an *OtherKeyError if not.
// previous is the id of a key from which the cluster goes over to key; empty for
// none.
func Join(ctx context.Context, store kv.Store, key, previous string) error {
	for {
		record, id, revision, err := readIdentity(ctx, store)
		switch {
		case err != nil:
			return err
		case id.Key == key:
			return nil
		case id.Key != "" && id.Key != previous:
			return &OtherKeyError{id.Key, key}
		case id.Key == "":
			id = identity{Format: Format, Created: time.Now().UTC().Truncate(time.Second)}
		}
		id.Key = key
		if err := writeIdentity(ctx, store, record, id, revision); !errors.Is(err, kv.ErrConflict) {
			return err
		}
		if err := kv.Sync(ctx, store); err != nil { // another node was faster
			return fmt.Errorf("read cluster again: %w", err)
		}
	}
}

// readIdentity returns the record also as it is, with what a newer program may have
// added; nothing and revision 0 if there is none.
func readIdentity(ctx context.Context, store kv.Store) (record map[string]json.RawMessage, id identity, revision uint64, err error) {
	e, err := store.Get(ctx, identityRecord)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, id, 0, nil
	}
	if err == nil {
		err = errors.Join(json.Unmarshal(e.Value, &record), json.Unmarshal(e.Value, &id))
	}
	switch {
	case err != nil:
		return nil, id, 0, fmt.Errorf("read cluster: %w", err)
	case id.Format > Format:
		return nil, id, 0, &TooOldError{id.Format, Format}
	}
	return record, id, e.Revision, nil
}

func writeIdentity(ctx context.Context, store kv.Store, record map[string]json.RawMessage, id identity, revision uint64) error {
	known, err := json.Marshal(id)
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(known, &fields); err != nil {
		return err
	}
	if record == nil {
		record = fields
	}
	maps.Copy(record, fields)
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	if _, err := store.Put(ctx, identityRecord, data, kv.PutOptions{If: kv.IfRevision(revision)}); err != nil {
		return fmt.Errorf("mark cluster: %w", err)
	}
	return nil
}
