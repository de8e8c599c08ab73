package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/host"
)

// Filter says which Invocations a tail shows; the zero value shows all. What is set
// has to apply, of a list any. In JSON it is one of the list of filters that
// wrangler sends (https://developers.cloudflare.com/workers/wrangler/commands/#tail).
type Filter struct {
	SamplingRate float64       `json:"sampling_rate,omitempty"` // above 0, below 1; 0 is all
	Outcomes     []string      `json:"outcome,omitempty"`       // "unknown" stands for those that Cloudflare has no name for
	Methods      []string      `json:"method,omitempty"`
	Header       *HeaderFilter `json:"header,omitempty"`
	ClientIP     []string      `json:"client_ip,omitempty"` // addresses, or "self"
	Query        string        `json:"query,omitempty"`     // text in the log or in what ended it
	Version      string        `json:"scriptVersion,omitempty"`
	clients      []netip.Addr  // parsed of ClientIP
}

// HeaderFilter wants a header, with a value that contains Query.
type HeaderFilter struct {
	Key   string `json:"key"`
	Query string `json:"query,omitempty"`
}

// maxFilters bounds a list of filters, and each list in one; maxFilterText what they
// have all together, in bytes of JSON: it is told to all nodes again and again.
const (
	maxFilters    = 100
	maxFilterText = 16 << 10
)

// ParseFilters reads {"filters": [...]} as one Filter; self is who "self" is. An
// empty text wants all.
func ParseFilters(text []byte, self netip.Addr) (Filter, error) {
	var in struct {
		Filters []Filter `json:"filters"`
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return Filter{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return Filter{}, fmt.Errorf(`filters are not as {"filters": [{"outcome": ["exception"]}]}: %w`, err)
	}
	if len(in.Filters) > maxFilters {
		return Filter{}, fmt.Errorf("%d filters were given; at most %d are allowed", len(in.Filters), maxFilters)
	}
	var all Filter
	for _, f := range in.Filters {
		all.with(f)
	}
	if err := all.check(self); err != nil {
		return Filter{}, err
	}
	if n := len(all.announced()); n > maxFilterText {
		return Filter{}, fmt.Errorf("the filters have %d bytes; at most %d are allowed", n, maxFilterText)
	}
	return all, nil
}

// with adds what other sets.
func (f *Filter) with(other Filter) {
	if other.SamplingRate != 0 {
		f.SamplingRate = other.SamplingRate
	}
	f.Outcomes = append(f.Outcomes, other.Outcomes...)
	f.Methods = append(f.Methods, other.Methods...)
	f.ClientIP = append(f.ClientIP, other.ClientIP...)
	if other.Header != nil {
		f.Header = other.Header
	}
	if other.Query != "" {
		f.Query = other.Query
	}
	if other.Version != "" {
		f.Version = other.Version
	}
}

func (f *Filter) check(self netip.Addr) error {
	if f.SamplingRate < 0 || f.SamplingRate > 1 {
		return fmt.Errorf("sampling_rate is %v; a number between 0 and 1 is expected", f.SamplingRate)
	}
	if len(f.Outcomes) > maxFilters || len(f.Methods) > maxFilters || len(f.ClientIP) > maxFilters {
		return fmt.Errorf("a filter's list has more than %d entries", maxFilters)
	}
	if f.Header != nil && !host.IsToken([]byte(f.Header.Key)) {
		return fmt.Errorf("header filter %q is no name of a header", f.Header.Key)
	}
	for _, text := range f.ClientIP {
		if text == "self" {
			f.clients = append(f.clients, self.Unmap())
			continue
		}
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf(`client_ip %q is neither an address nor "self"`, text)
		}
		f.clients = append(f.clients, addr.Unmap())
	}
	return nil
}

// wants reports whether a Call that has ended is one to show.
func (f *Filter) wants(c *host.Call, e Ended, logs []LogEntry) bool {
	switch {
	case f.Version != "" && f.Version != c.Bindings.Version,
		len(f.Outcomes) > 0 && !f.wantsOutcome(e.Outcome),
		len(f.Methods) > 0 && !slices.ContainsFunc(f.Methods, func(m string) bool { return strings.EqualFold(m, string(c.Request.Method)) }),
		len(f.clients) > 0 && !slices.Contains(f.clients, c.Request.Client),
		f.Header != nil && !f.Header.in(c.Request.Headers),
		f.Query != "" && !f.said(e, logs):
		return false
	}
	return f.SamplingRate == 0 || rand.Float64() < f.SamplingRate
}

// wantsOutcome: clients of Cloudflare's ask for "unknown" when they want all errors.
func (f *Filter) wantsOutcome(o host.Outcome) bool {
	if slices.Contains(f.Outcomes, o.String()) {
		return true
	}
	switch o {
	case host.OutcomeExceededWallTime, host.OutcomeLoadShed, host.OutcomeInternalError:
		return slices.Contains(f.Outcomes, "unknown")
	}
	return false
}

func (h *HeaderFilter) in(all host.Headers) bool {
	for name, value := range all.All() {
		if strings.EqualFold(string(name), h.Key) && strings.Contains(string(value), h.Query) {
			return true
		}
	}
	return false
}

func (f *Filter) said(e Ended, logs []LogEntry) bool {
	for _, l := range logs {
		if strings.Contains(l.Message[0], f.Query) {
			return true
		}
	}
	x, ok := exceptionOf(e)
	return ok && (strings.Contains(x.Message, f.Query) || strings.Contains(x.Stack, f.Query))
}
