package control_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/runtime/control"
)

func TestFailuresByAddress(t *testing.T) {
	f := control.NewFailures(control.FailureLimits{PerAddress: 1, All: 1 << 20}, func() time.Time { return epoch })
	tests := []struct {
		remote  string
		limited bool
	}{
		{"192.0.2.1:1", false},
		{"192.0.2.1:2", true}, // another port
		{"[::ffff:192.0.2.1]:1", true},
		{"192.0.2.2:1", false},
		{"[2001:db8::1]:1", false},
		{"[2001:db8::2]:1", true}, // the same /64
		{"[2001:db8:0:1::1]:1", false},
		{"[fe80::1%eth0]:1", false},
		{"[fe80::2%eth1]:1", true},
		{"@", false},
		{"", true}, // what has no address is one
	}
	for _, tt := range tests {
		if wait := f.Check(tt.remote, "", false); (wait > 0) != tt.limited {
			t.Errorf("%s: got to wait %v, want limited %v", tt.remote, wait, tt.limited)
		}
	}
}

func TestFailuresAreBounded(t *testing.T) {
	f := control.NewFailures(control.FailureLimits{PerAddress: 1, All: 1 << 20}, func() time.Time { return epoch })
	for i := range 3 * control.MaxAddresses {
		remote := fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)
		f.Check(remote, fmt.Sprint(i), true)
		f.Check(remote, "", false)
	}
	if addresses, tokens := f.Remembered(); addresses != control.MaxAddresses || tokens != control.MaxAddresses {
		t.Errorf("got %d addresses and %d tokens, want %d of both", addresses, tokens, control.MaxAddresses)
	}
}

// TestFailuresHammer has many clients fail at once: no more get through than the
// limit says.
func TestFailuresHammer(t *testing.T) {
	f := control.NewFailures(control.FailureLimits{PerAddress: 50, All: 1 << 20}, func() time.Time { return epoch })
	var through sync.Map
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := range 100 {
				if f.Check("192.0.2.1:1", "", false) == 0 {
					through.Store([2]int{c, i}, true)
				}
			}
		})
	}
	clients.Wait()
	n := 0
	through.Range(func(any, any) bool { n++; return true })
	if n != 50 {
		t.Errorf("%d failures got through, want 50", n)
	}
}
