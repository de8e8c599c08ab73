package host_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

func TestQueueDecisions(t *testing.T) {
	ack := host.QueueDecision{Made: true}
	again := func(delay time.Duration) host.QueueDecision {
		return host.QueueDecision{Made: true, Retry: true, Delay: delay}
	}
	for name, tt := range map[string]struct {
		decide func(b *host.QueueBatch)
		well   bool
		want   []host.QueueDecision // of three messages
	}{
		"nothing, well":         {func(*host.QueueBatch) {}, true, []host.QueueDecision{ack, ack, ack}},
		"nothing, failed":       {func(*host.QueueBatch) {}, false, []host.QueueDecision{again(host.NoDelay), again(host.NoDelay), again(host.NoDelay)}},
		"one is acked, failed":  {func(b *host.QueueBatch) { b.Ack(1) }, false, []host.QueueDecision{again(host.NoDelay), ack, again(host.NoDelay)}},
		"one is retried, well":  {func(b *host.QueueBatch) { b.Retry(2, time.Minute) }, true, []host.QueueDecision{ack, ack, again(time.Minute)}},
		"the first one counts":  {func(b *host.QueueBatch) { b.Ack(0); b.Retry(0, 0); b.Retry(1, 0); b.Ack(1) }, true, []host.QueueDecision{ack, again(0), ack}},
		"all acked, failed":     {func(b *host.QueueBatch) { b.AckAll() }, false, []host.QueueDecision{ack, ack, ack}},
		"all retried, but one":  {func(b *host.QueueBatch) { b.RetryAll(time.Hour); b.Ack(1); b.AckAll() }, true, []host.QueueDecision{again(time.Hour), ack, again(time.Hour)}},
		"all retried, failed":   {func(b *host.QueueBatch) { b.RetryAll(5 * time.Second) }, false, []host.QueueDecision{again(5 * time.Second), again(5 * time.Second), again(5 * time.Second)}},
		"out of range, ignored": {func(b *host.QueueBatch) { b.Retry(0, kv.MaxDelay+1); b.RetryAll(-time.Hour); b.Ack(3); b.Ack(-1) }, true, []host.QueueDecision{ack, ack, ack}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &host.QueueBatch{Messages: make([]host.QueueMessage, 3)}
			tt.decide(b)
			var got []host.QueueDecision
			for i := range b.Messages {
				got = append(got, b.Decision(i, tt.well))
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestQueueDecisionErrors(t *testing.T) {
	b := &host.QueueBatch{Messages: make([]host.QueueMessage, 1)}
	for _, err := range []error{b.Ack(1), b.Retry(0, kv.MaxDelay+1), b.RetryAll(-2)} {
		if host.CodeOf(err) != host.CodeInvalid {
			t.Errorf("got %v, want an error of code invalid", err)
		}
	}
}
