package measure

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/valyala/fasthttp"
)

// requestTime is how long one request may take. Beyond it, it is an error.
const requestTime = 10 * time.Second

// Load says what HTTP sends.
type Load struct {
	URL         string
	Connections int // each sends its next request when the last was answered
	Duration    time.Duration
}

// LoadResult is what came back.
type LoadResult struct {
	URL         string         `json:"url"`
	Connections int            `json:"connections"`
	Seconds     float64        `json:"seconds"`
	Requests    int64          `json:"requests"` // that were answered
	PerSecond   float64        `json:"requests_per_second"`
	BodyBytes   int64          `json:"body_bytes"`
	Latency     Percentiles    `json:"latency"`
	Statuses    map[string]int `json:"statuses"`
	Errors      int            `json:"errors"`                // without an answer
	FirstError  string         `json:"first_error,omitempty"` // of them
}

// HTTP sends GET requests for as long as the Load says, or until ctx ends. It
// is a closed loop: while the server is slow it gets fewer requests, so that
// the latencies of an overloaded server look better than its clients' would.
func HTTP(ctx context.Context, l Load) (LoadResult, error) {
	u, err := url.Parse(l.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return LoadResult{}, fmt.Errorf("%q is not a URL such as http://localhost:8080/", l.URL)
	}
	client := newLoadClient(u, l.Connections)
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, l.Duration)
	defer cancel()
	workers := make([]*worker, l.Connections)
	start := time.Now()
	var running sync.WaitGroup
	for i := range workers {
		workers[i] = &worker{latency: newHistogram(), statuses: map[int]int{}}
		running.Go(func() { workers[i].run(ctx, client, l.URL) })
	}
	running.Wait()
	return sum(l, workers, time.Since(start)), nil
}

func newLoadClient(u *url.URL, connections int) *fasthttp.HostClient {
	return &fasthttp.HostClient{
		Addr:                          dialAddr(u),
		IsTLS:                         u.Scheme == "https",
		Name:                          "mayfly-bench",
		DialDualStack:                 true,
		MaxConns:                      connections,
		MaxIdemponentCallAttempts:     1, // an error is to be counted
		DisablePathNormalizing:        true,
		DisableHeaderNamesNormalizing: true,
	}
}

// dialAddr is where a URL's host is. Names below localhost, at which a node
// serves by default, are this machine (RFC 6761, section 6.3); not every
// resolver knows that.
func dialAddr(u *url.URL) string {
	name, port := u.Hostname(), u.Port()
	if strings.HasSuffix(name, ".localhost") {
		name = "127.0.0.1"
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(name, port)
}

// newHistogram counts from 1 microsecond up to all that a request may take, to
// 1 %: small enough for one per connection.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, 2*requestTime.Microseconds(), 2)
}

// worker is one connection.
type worker struct {
	latency  *hdrhistogram.Histogram
	statuses map[int]int
	bytes    int64
	errors   int
	first    string
}

func (w *worker) run(ctx context.Context, client *fasthttp.HostClient, url string) {
	var req fasthttp.Request
	var resp fasthttp.Response
	req.SetRequestURI(url)
	for first := true; first || ctx.Err() == nil; first = false { // there is a number, however short the time
		start := time.Now()
		err := client.DoTimeout(&req, &resp, requestTime)
		if err != nil {
			w.fail(ctx, err)
			continue
		}
		w.latency.RecordValue(max(1, time.Since(start).Microseconds())) //nolint:errcheck // the client ends earlier than the range
		w.statuses[resp.StatusCode()]++
		w.bytes += int64(len(resp.Body()))
	}
}

// fail counts an error and keeps a server that is away from being asked in a
// tight loop.
func (w *worker) fail(ctx context.Context, err error) {
	if w.errors++; w.errors == 1 {
		w.first = err.Error()
	}
	pause := time.NewTimer(10 * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

func sum(l Load, workers []*worker, took time.Duration) LoadResult {
	r := LoadResult{URL: l.URL, Connections: l.Connections, Seconds: took.Seconds(), Statuses: map[string]int{}}
	all := newHistogram()
	for _, w := range workers {
		all.Merge(w.latency)
		for status, n := range w.statuses {
			r.Statuses[strconv.Itoa(status)] += n
			r.Requests += int64(n)
		}
		r.BodyBytes += w.bytes
		r.Errors += w.errors
		if r.FirstError == "" {
			r.FirstError = w.first
		}
	}
	r.PerSecond = float64(r.Requests) / took.Seconds()
	at := func(percent float64) float64 { return float64(all.ValueAtPercentile(percent)) }
	r.Latency = Percentiles{at(50), at(90), at(99), float64(all.Max())}
	return r
}
