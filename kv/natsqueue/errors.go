package natsqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
)

// Codes of the server that package jetstream has no name for. (Source:
// server/errors.json of nats-server.)
const (
	codeNoPeers      jetstream.ErrorCode = 10005
	codeInsufficient jetstream.ErrorCode = 10023
	codeMemoryLimit  jetstream.ErrorCode = 10028
	codeStorageLimit jetstream.ErrorCode = 10047
	codeInUse        jetstream.ErrorCode = 10058
	codeNotClustered jetstream.ErrorCode = 10074
	codeStoreFailed  jetstream.ErrorCode = 10077
	codeNoMessage    jetstream.ErrorCode = 10037
)

// errGone: there is no stream of the queue.
var errGone = errors.New("the queue has no stream")

func codeOf(err error) jetstream.ErrorCode {
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		return e.ErrorCode
	}
	if e, ok := errors.AsType[jetstream.JetStreamError](err); ok && e.APIError() != nil {
		return e.APIError().ErrorCode
	}
	return 0
}

// failure is how an error of NATS is returned; see natskv.
func failure(ctx context.Context, step string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errGone), errors.Is(err, kv.ErrNoQueue), errors.Is(err, kv.ErrUnavailable):
		return fmt.Errorf("%s: %w", step, err)
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound):
		return fmt.Errorf("%s: %w", step, errGone)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", step, context.Cause(ctx))
	}
	switch codeOf(err) {
	case codeInsufficient, codeMemoryLimit, codeStorageLimit, codeStoreFailed:
		return fmt.Errorf("%s: %w: %w", step, kv.ErrNoSpace, err)
	}
	return fmt.Errorf("%s: %w: %w", step, kv.ErrUnavailable, err)
}

// none is nil for a queue that has no stream: there is nothing in it.
func none(err error) error {
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// isGone says of a publication that no stream takes it.
func isGone(err error) bool {
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrStreamNotFound)
}
