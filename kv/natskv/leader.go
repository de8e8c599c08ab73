package natskv

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What the stream's leader says.

// last is the sequence of the newest message that the stream's leader has.
func (st *streams) last(ctx context.Context) (uint64, error) {
	m, err := st.entries.GetLastMsgForSubject(ctx, st.entryPrefix+">")
	if isAbsent(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the end of the stream: %w", err)
	}
	return m.Sequence, nil
}

// leads is what the leader has of a key.
type leads struct {
	sequence uint64 // of the last message; 0 if there is none
	id       string // of that message
	record   record
	damage   error // wraps kv.ErrCorrupt
}

// ask asks the stream's leader for a key.
func (st *streams) ask(ctx context.Context, key string) (leads, error) {
	return st.askToken(ctx, keyToken(key))
}

func (st *streams) askToken(ctx context.Context, token string) (leads, error) {
	m, err := st.entries.GetLastMsgForSubject(ctx, st.entryPrefix+token)
	if isAbsent(err) {
		return leads{}, nil
	}
	if err != nil {
		return leads{}, err
	}
	l := leads{sequence: m.Sequence, id: m.Header.Get(jetstream.MsgIDHeader)}
	l.record, l.damage = decode(strings.TrimPrefix(m.Subject, st.entryPrefix), m.Data)
	return l, nil
}

// live is the revision of the entry, or 0.
func (l leads) live(now time.Time) uint64 {
	if l.sequence == 0 || l.record.deleted || l.record.entry.ExpiredAt(now) {
		return 0
	}
	return l.sequence
}
