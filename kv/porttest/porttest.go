// Package porttest gives tests ports for servers that have to know theirs before they
// listen: those of a cluster, which know each other, and those that are started again.
// A server that can pick its own port listens at 127.0.0.1:0 instead.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports come in blocks that lie below those which the system gives to who asks for any:
// from 32768 on Linux, from 49152 elsewhere. A port from up there may be taken by anybody
// before its server listens.
const (
	first = 10_000
	last  = 32_768
	block = 16
)

// Addresses returns n different ones of 127.0.0.1, at most 15, at which nobody listens.
// No other caller has them until the test ends, in this process or another. It is safe
// for concurrent use.
func Addresses(t testing.TB, n int) []string {
	t.Helper()
	if n >= block {
		t.Fatalf("%d ports at once: take at most %d", n, block-1)
	}
	for range 1000 {
		if list := take(t, first+block*rand.IntN((last-first)/block), n); list != nil { //nolint:gosec // no secret
			return list
		}
	}
	t.Fatalf("there are no free ports between %d and %d", first, last)
	return nil
}

// Ports are those of Addresses.
func Ports(t testing.TB, n int) (list []int) {
	t.Helper()
	for _, address := range Addresses(t, n) {
		var port int
		if _, err := fmt.Sscanf(address, "127.0.0.1:%d", &port); err != nil {
			t.Fatal(err)
		}
		list = append(list, port)
	}
	return list
}

// take returns nil if the block is in use. Who listens at its first port has the rest.
func take(t testing.TB, base, n int) (list []string) {
	ln, err := net.Listen("tcp", address(base))
	if err != nil {
		return nil
	}
	for port := base + 1; port <= base+n; port++ {
		if answers(port) {
			ln.Close()
			return nil
		}
		list = append(list, address(port))
	}
	t.Cleanup(func() { ln.Close() })
	return list
}

// answers asks by a connection. A listener that tries the port would hold it a moment
// longer, in children that are being started.
func answers(port int) bool {
	c, err := net.Dial("tcp", address(port))
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
