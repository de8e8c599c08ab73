package natskv

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// errDisconnected: there is no connection to a server.
var errDisconnected = errors.New("not connected to a server")

// disconnected says why there is none, if that is known.
func (s *Store) disconnected() error {
	err := s.conn.LastError()
	if attempt := s.attempt.Load(); err == nil && attempt != nil {
		err = *attempt
	}
	if err == nil {
		return errDisconnected
	}
	return fmt.Errorf("%w: %w", errDisconnected, explain(err))
}

// errStalled: what the stream has does not come.
var errStalled = errors.New("the server stopped sending")

// errWrongLast: the last message of the key is not the one that was expected.
var errWrongLast = errors.New("wrong last sequence")

// failure is jstream's, but for our own errors and for a context that ended.
func failure(ctx context.Context, step string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrClosed), errors.Is(err, kv.ErrCorrupt):
		return fmt.Errorf("%s: %w", step, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", step, ctx.Err())
	}
	return jstream.Failure(step, err)
}

// isAbsent reports whether there is no such message.
func isAbsent(err error) bool {
	return errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, nats.ErrMsgNotFound)
}
