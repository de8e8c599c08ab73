package natsqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/jstream"
)

// codeNoMessage: there is no message of this number. Package jetstream has no name for
// it. (Source: server/errors.json of nats-server.)
const codeNoMessage jetstream.ErrorCode = 10037

// errGone: there is no stream of the queue.
var errGone = errors.New("the queue has no stream")

// failure is jstream's, but for our own errors, a stream that is gone, and a context
// that ended.
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
	return jstream.Failure(step, err)
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
