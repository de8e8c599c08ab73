// A guest for tests: it tells what it finds of earlier requests, and random
// numbers of every kind that Go has.
package main

import (
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"strings"

	"github.com/mayfly-run/mayfly/sdk/go"
)

var (
	requests int
	seen     = map[string]int{}
	big      [64 << 10]byte
	early    = randv2.Uint64() // drawn during initialisation: the same in every request
)

func init() { mayfly.Handle(handle) }

func handle(req *mayfly.Request) (*mayfly.Response, error) {
	switch req.Path() {
	case "/state":
		return mayfly.Text(200, state()), nil
	case "/kv":
		return mayfly.Text(200, reads()), nil
	case "/random":
		return mayfly.Text(200, random()), nil
	case "/exit":
		requests = 99
		os.Exit(0)
	case "/panic":
		requests = 99
		panic("as asked")
	case "/grow":
		sink = make([]byte, 16<<20)
		return mayfly.Text(200, "grown\n"), nil
	}
	return mayfly.Text(200, fmt.Sprintln(early)), nil
}

var sink []byte

// state scribbles over everything it can after it has looked at it.
func state() string {
	requests++
	seen[fmt.Sprint(requests)]++
	dirty := 0
	for i := range big {
		dirty += int(big[i])
		big[i] = 0xff
	}
	return fmt.Sprintf("requests=%d seen=%d dirty=%d sink=%d\n", requests, len(seen), dirty, len(sink))
}

// reads tells what becomes of the two kinds of reads of a namespace, twice each.
func reads() string {
	var told strings.Builder
	for _, store := range []mayfly.Namespace{mayfly.KV("STORE"), mayfly.KV("STORE").Strong()} {
		for range 2 {
			_, getErr := store.Get("key")
			_, _, listErr := store.Page("", "", 10)
			fmt.Fprintln(&told, errors.Is(getErr, mayfly.ErrUnavailable), errors.Is(listErr, mayfly.ErrUnavailable))
		}
	}
	return told.String()
}

// random names one number of each source, line by line.
func random() string {
	var b strings.Builder
	fmt.Fprintln(&b, "math/rand", rand.Uint64())
	fmt.Fprintln(&b, "math/rand/v2", randv2.Uint64())
	key := make([]byte, 8)
	crand.Read(key)
	fmt.Fprintln(&b, "crypto/rand", hex.EncodeToString(key))
	fmt.Fprintln(&b, "maphash", maphash.String(maphash.MakeSeed(), "text"))
	m := map[int]bool{}
	for i := range 64 {
		m[i] = true
	}
	fmt.Fprint(&b, "map ")
	for i := range m {
		fmt.Fprint(&b, i, ",")
	}
	fmt.Fprintln(&b)
	return b.String()
}

func main() {} // required by Go, never called
