// The guest of the tests: what a small Go function does for one request.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
)

type order struct {
	ID    int               `json:"id"`
	Name  string            `json:"name"`
	Items []item            `json:"items"`
	Tags  map[string]string `json:"tags"`
}

type item struct {
	Title string  `json:"title"`
	Price float64 `json:"price"`
	Count int     `json:"count"`
}

const input = `{"id": 7, "name": "Ada", "items": [
	{"title": "pen", "price": 1.5, "count": 3}, {"title": "ink", "price": 4.25, "count": 1},
	{"title": "paper", "price": 0.1, "count": 500}], "tags": {"b": "2", "a": "1", "c": "3"}}`

// work decodes an order, computes and formats an answer; it returns its hash.
//
//go:wasmexport work
func work() int32 {
	var o order
	if err := json.Unmarshal([]byte(input), &o); err != nil {
		panic(err)
	}
	sort.Slice(o.Items, func(i, j int) bool { return o.Items[i].Price < o.Items[j].Price })
	total := 0.0
	var b strings.Builder
	for _, i := range o.Items {
		total += i.Price * float64(i.Count)
		fmt.Fprintf(&b, "%-10s %8.2f x %d\n", strings.ToUpper(i.Title), i.Price, i.Count)
	}
	out, err := json.Marshal(map[string]any{"text": b.String(), "total": total, "tags": o.Tags})
	if err != nil {
		panic(err)
	}
	hash := int32(0)
	for _, c := range out {
		hash = hash*31 + int32(c)
	}
	return hash
}

// random is a number of the runtime's generator.
//
//go:wasmexport random
func random() int64 { return rand.Int64() }

func main() {}
