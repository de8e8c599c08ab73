package natsserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// copyTime is how long a server may take for one part of a stream, or to begin.
const copyTime = time.Minute

// stallTime is how long a server waits for the next part before it gives up. (Source:
// processStreamRestore of nats-server 2.15.)
const stallTime = 5 * time.Second

const writeAgain = 10 * time.Millisecond // a part that nobody took is written again

// copyStream makes a stream on other servers what it is here, by the API for backups.
// (Source: ADR-8 and "stream snapshot" of the reference of JetStream's API.)
func copyStream(ctx context.Context, from, to *nats.Conn, name string) error {
	inbox := from.NewInbox()
	parts, err := from.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer parts.Unsubscribe() //nolint:errcheck // the connection is closed afterwards
	var had server.JSApiStreamSnapshotResponse
	if err := ask(ctx, from, fmt.Sprintf(server.JSApiStreamSnapshotT, name), server.JSApiStreamSnapshotRequest{DeliverSubject: inbox, CheckMsgs: true}, &had); err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	if had.Error != nil {
		return fmt.Errorf("read it: %w", had.Error)
	}
	var takes server.JSApiStreamRestoreResponse
	if err := ask(ctx, to, fmt.Sprintf(server.JSApiStreamRestoreT, name), server.JSApiStreamRestoreRequest{Config: *had.Config, State: *had.State}, &takes); err != nil {
		return fmt.Errorf("write it: %w", err)
	}
	if takes.Error != nil {
		return fmt.Errorf("write it: %w", takes.Error)
	}
	made, err := pass(ctx, parts, to, takes.DeliverSubject)
	if err != nil {
		return err
	}
	if made.State.Msgs != had.State.Msgs || made.State.LastSeq != had.State.LastSeq {
		return fmt.Errorf("%d messages up to %d came of %d up to %d", made.State.Msgs, made.State.LastSeq, had.State.Msgs, had.State.LastSeq)
	}
	return nil
}

// pass passes the parts of a stream on, one after the other.
func pass(ctx context.Context, parts *nats.Subscription, to *nats.Conn, subject string) (made server.JSApiStreamCreateResponse, err error) {
	for {
		part, err := next(ctx, parts)
		if err != nil {
			return made, fmt.Errorf("read it: %w", err)
		}
		if status := part.Header.Get("Status"); status != "" && status != "204" {
			return made, fmt.Errorf("read it: %s %s", status, part.Header.Get("Description"))
		}
		answer, err := write(ctx, to, subject, part.Data)
		if err != nil {
			return made, fmt.Errorf("write it: %w", err)
		}
		if len(answer.Data) > 0 { // the last one, or it failed
			if err = json.Unmarshal(answer.Data, &made); err == nil && made.Error != nil {
				err = made.Error
			}
			if err == nil && (len(part.Data) > 0 || made.StreamInfo == nil) {
				err = errors.New("the server ended too early")
			}
			return made, err
		}
		if part.Reply != "" {
			if err := part.Respond(nil); err != nil {
				return made, err
			}
		}
	}
}

// write writes a part. The first one may be early: the subject, and that somebody
// listens to it, come from other servers by different connections.
func write(ctx context.Context, to *nats.Conn, subject string, part []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	for began := time.Now(); ; {
		answer, err := to.RequestWithContext(ctx, subject, part)
		if !errors.Is(err, nats.ErrNoResponders) || time.Since(began) > stallTime {
			return answer, err
		}
		if !pause(ctx, writeAgain) {
			return nil, ctx.Err()
		}
	}
}

func next(ctx context.Context, parts *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	return parts.NextMsgWithContext(ctx)
}

func ask(ctx context.Context, nc *nats.Conn, subject string, question, answer any) error {
	data, err := json.Marshal(question)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	msg, err := nc.RequestWithContext(ctx, subject, data)
	if err != nil {
		return err
	}
	return json.Unmarshal(msg.Data, answer)
}
