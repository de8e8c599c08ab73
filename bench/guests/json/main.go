// A guest for benchmarks: it decodes a JSON order, adds it up and answers in
// JSON, with the standard library's reflection-based encoder.
package main

import (
	"encoding/json"
	"io"
	"sort"

	"github.com/mayfly-run/mayfly/sdk/go"
)

type order struct {
	Customer string `json:"customer"`
	Items    []item `json:"items"`
}

type item struct {
	Name  string  `json:"name"`
	Count int     `json:"count"`
	Price float64 `json:"price"`
}

type receipt struct {
	Customer string   `json:"customer"`
	Names    []string `json:"names"`
	Total    float64  `json:"total"`
}

func init() { mayfly.Handle(answer) }

func answer(req *mayfly.Request) (*mayfly.Response, error) {
	body, err := io.ReadAll(req.Body())
	if err != nil {
		return nil, err
	}
	var o order
	if err := json.Unmarshal(body, &o); err != nil {
		return mayfly.Text(400, err.Error()+"\n"), nil
	}
	out, err := json.Marshal(add(o))
	if err != nil {
		return nil, err
	}
	return mayfly.Text(200, string(out)).With("content-type", "application/json"), nil
}

func add(o order) receipt {
	r := receipt{Customer: o.Customer}
	for _, i := range o.Items {
		r.Names = append(r.Names, i.Name)
		r.Total += float64(i.Count) * i.Price
	}
	sort.Strings(r.Names)
	return r
}

func main() {} // required by Go, never called
