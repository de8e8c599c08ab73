package porttest_test

import (
	"net"
	"sync"
	"testing"

	"github.com/mayfly-run/mayfly/kv/porttest"
)

// TestAddresses has many ask at once: each gets ports of its own, and can listen there.
func TestAddresses(t *testing.T) {
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for _, address := range porttest.Addresses(t, 4) {
				ln, err := net.Listen("tcp", address)
				if err != nil {
					t.Error(err)
					continue
				}
				t.Cleanup(func() { ln.Close() })
			}
		})
	}
	callers.Wait()
}

func TestPorts(t *testing.T) {
	ports := porttest.Ports(t, 2)
	if len(ports) != 2 || ports[0] == ports[1] || min(ports[0], ports[1]) < 10_000 || max(ports[0], ports[1]) > 32_767 {
		t.Errorf("got %v", ports)
	}
}
