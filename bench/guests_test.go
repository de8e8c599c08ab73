package bench_test

import (
	"testing"

	"github.com/mayfly-run/mayfly/bench/guests"
)

// all are what every engine and front end is measured with.
var all = guests.All("..")

func mustModule(t testing.TB, g guests.Guest) []byte {
	t.Helper()
	wasm, err := g.Module()
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}
