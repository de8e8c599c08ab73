package natsqueue_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/natsqueue"
)

// No text is the name of a lease but those that the queue has made.
func FuzzToken(f *testing.F) {
	const reply = "$JS.ACK.MAYFLY_mayfly_queue_local_q.consumers.1.2.3.1700000000000000000.0"
	made := natsqueue.MakeToken(reply, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
	f.Add(made)
	f.Add(natsqueue.MakeToken(reply, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := natsqueue.ParseToken(text); ok && (text != made || got != reply) {
			t.Errorf("%q is the lease of %q", text, got)
		}
	})
}
