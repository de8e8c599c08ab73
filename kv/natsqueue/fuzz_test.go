package natsqueue_test

import (
	"fmt"
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

// Whatever a node is told ends at most the leases that it has.
func FuzzHearLeases(f *testing.F) {
	const reply = "$JS.ACK.MAYFLY_mayfly_queue_local_q.consumers.1.%d.3.1700000000000000000.0"
	var list []string
	for i := range 3 {
		list = append(list, fmt.Sprintf(reply, i+1))
	}
	f.Add(`{"account":"local","queue":"q","settled":["$JS.ACK.MAYFLY_mayfly_queue_local_q.consumers.1.2.3.1700000000000000000.0"]}`)
	f.Add(`{"account":"local","queue":"q","below":3}`)
	f.Add(`{"account":"local","queue":"q","below":18446744073709551615,"settled":["x"]}`)
	f.Add(`{"account":"local","queue":"other","below":9}`)
	f.Add(`{"account":"","settled":[""]`)
	f.Fuzz(func(t *testing.T, heard string) {
		if got := natsqueue.HearLeases(queue, list, []byte(heard)); got < 0 || got > len(list) {
			t.Errorf("after %q there are %d leases", heard, got)
		}
	})
}

// A node ends the leases that it is told of, and no others.
func TestHearLeases(t *testing.T) {
	const reply = "$JS.ACK.MAYFLY_mayfly_queue_local_q.consumers.1.%d.3.1700000000000000000.0"
	list := []string{fmt.Sprintf(reply, 1), fmt.Sprintf(reply, 2), fmt.Sprintf(reply, 3)}
	for heard, want := range map[string]int{
		`{"account":"local","queue":"q","settled":["` + list[1] + `","` + list[1] + `","x"]}`: 2,
		`{"account":"local","queue":"q","below":3}`:                                           1,
		`{"account":"local","queue":"q","below":18446744073709551615}`:                        0,
		`{"account":"local","queue":"other","below":9}`:                                       3,
		`{"account":"local","queue":"q"`:                                                      3,
	} {
		if got := natsqueue.HearLeases(queue, list, []byte(heard)); got != want {
			t.Errorf("after %s there are %d leases, want %d", heard, got, want)
		}
	}
}
