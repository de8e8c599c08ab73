// Package prices says what use would cost elsewhere, by a table of prices. The
// default one, prices.toml, says what its keys mean, and where each price is from.
package prices

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

//go:embed prices.toml
var defaultTable []byte

// Provider is somebody who charges for use, in US dollars.
type Provider struct {
	Name, Source, AsOf string
	Month              float64
	rates              map[string]*rate
	MemoryFloorMiB     float64
	WallStepMillis     float64
}

// rate is a price for one kind of use.
type rate struct{ price, included float64 }

// per is for how much of each kind of use a price is.
func per() map[string]float64 {
	return map[string]float64{"requests": 1e6, "cpu_ms": 1e6, "memory_gib_s": 1, "kv_operations": 1e6, "fetches": 1e6}
}

// Use is what was used.
type Use struct {
	Requests, CPUMillis, WallMillis, MemoryGiBSeconds, KVOperations, Fetches float64
}

// Default is the table that mayfly comes with.
func Default() []Provider {
	all, err := Parse("prices.toml", defaultTable)
	if err != nil {
		panic(err) // a test reads it
	}
	return all
}

// Parse reads a table. Its errors are those of package tomlfile.
func Parse(file string, text []byte) ([]Provider, error) {
	f, err := tomlfile.Parse(file, text)
	if err != nil {
		return nil, err
	}
	var all []Provider
	f.Table(f.Root(), tomlfile.Fields{"provider": func(it tomlfile.Item) {
		for _, e := range f.Elements(it, "tables") {
			all = append(all, parseProvider(f, e))
		}
	}})
	return all, f.Err()
}

func parseProvider(f *tomlfile.File, it tomlfile.Item) (p Provider) {
	p.rates = map[string]*rate{}
	known := tomlfile.Fields{
		"name": textTo(f, &p.Name), "source": textTo(f, &p.Source), "as_of": dayTo(f, &p.AsOf), "month": numberTo(f, &p.Month),
		"memory_floor_mib": numberTo(f, &p.MemoryFloorMiB), "wall_step_ms": numberTo(f, &p.WallStepMillis),
	}
	for kind := range per() {
		r := &rate{}
		p.rates[kind] = r
		known[kind], known["included_"+kind] = numberTo(f, &r.price), numberTo(f, &r.included)
	}
	if f.Table(it, known) {
		f.Required(it, "name")
	}
	return p
}

func textTo(f *tomlfile.File, to *string) func(tomlfile.Item) {
	return func(it tomlfile.Item) {
		if text, ok := f.Text(it); ok {
			*to = text
		}
	}
}

func dayTo(f *tomlfile.File, to *string) func(tomlfile.Item) {
	return func(it tomlfile.Item) {
		text, ok := f.Text(it)
		if !ok {
			return
		}
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			f.WantText(it, `a day such as "2031-05-06"`)
			return
		}
		*to = text
	}
}

func numberTo(f *tomlfile.File, to *float64) func(tomlfile.Item) {
	return func(it tomlfile.Item) {
		var n float64
		switch v := it.Value.(type) {
		case int64:
			n = float64(v)
		case float64:
			n = v
		default:
			f.Want(it, "a number")
			return
		}
		if !(n >= 0 && n < 1e15) {
			f.BadValue(it, "%s must not be negative, or without end", it.Path)
			return
		}
		*to = n
	}
}

// Cost is what a Provider would charge for what was used in a number of months; a
// part of one has a part of what is included and of what a month costs.
func (p *Provider) Cost(u Use, months float64) float64 {
	sum := p.Month * months
	for kind, used := range map[string]float64{
		"requests": u.Requests, "cpu_ms": u.CPUMillis, "memory_gib_s": p.memory(u), "kv_operations": u.KVOperations, "fetches": u.Fetches,
	} {
		if r := p.rates[kind]; r != nil {
			sum += max(0, used-r.included*months) / per()[kind] * r.price
		}
	}
	return sum
}

// memory is what is charged for: as much as was used, or as the least memory for the
// least time would be.
func (p *Provider) memory(u Use) float64 {
	wall := max(u.WallMillis, u.Requests*p.WallStepMillis)
	return max(u.MemoryGiBSeconds, wall/1000*p.MemoryFloorMiB/1024)
}

// Months is how many months are between two times, in years of 365.25 days.
func Months(from, to time.Time) float64 {
	const month = 365.25 * 24 / 12 * float64(time.Hour)
	return float64(to.Sub(from)) / month
}

// String names the Provider with the age of its prices.
func (p *Provider) String() string {
	if p.AsOf == "" {
		return p.Name
	}
	return fmt.Sprintf("%s (prices of %s)", p.Name, p.AsOf)
}
