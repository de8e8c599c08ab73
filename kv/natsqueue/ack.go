package natsqueue

import (
	"context"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
)

// acksTogether is how many acknowledgements one call has under way.
const acksTogether = 1000

// acknowledge tells NATS of messages that were taken, without a wait for one after the
// other, and returns what comes of each once that is stored: errGone where there is no
// stream any more. Nothing is told for an empty reply.
func (s *Queues) acknowledge(ctx context.Context, replies []string) (answers []error) {
	for part := range slices.Chunk(replies, acksTogether) {
		answers = append(answers, s.acknowledgePart(ctx, part)...)
	}
	return answers
}

func (s *Queues) acknowledgePart(ctx context.Context, replies []string) []error {
	inbox, came := s.cfg.Conn.NewInbox()+".", make(chan *nats.Msg, len(replies))
	sub, err := s.cfg.Conn.ChanSubscribe(inbox+"*", came)
	if err == nil {
		defer sub.Unsubscribe() //nolint:errcheck // the connection is gone
	}
	waiting := map[string]int{} // by the subject of the answer
	for i, reply := range replies {
		if reply == "" {
			continue
		}
		subject := inbox + strconv.Itoa(i)
		waiting[subject] = i
		if err == nil {
			err = s.cfg.Conn.PublishRequest(reply, subject, ack)
		}
	}
	asked, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	answers := make([]error, len(replies))
	for err == nil && len(waiting) > 0 {
		select {
		case m := <-came:
			if i, is := waiting[m.Subject]; is {
				answers[i] = answerOf(m)
				delete(waiting, m.Subject)
			}
		case <-asked.Done():
			err = context.Cause(asked)
		}
	}
	for _, i := range waiting {
		answers[i] = err
	}
	return answers
}

// answerOf reads what a server says of an acknowledgement.
func answerOf(m *nats.Msg) error {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" { // nobody listens there
		return errGone
	}
	return nil
}
