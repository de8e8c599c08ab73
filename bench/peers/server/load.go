package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/bench/peers/report"
)

// How many requests are under way at any time: where the server is measured, and where
// the program that it runs is, of which each answer takes long.
const (
	Connections    = 32
	FewConnections = 4
)

// Load loads a URL for as long as d says with the program "mayfly bench http",
// a process of its own for each load. Every answer must be a 200 of so many
// bytes as answer has.
func Load(ctx context.Context, mayfly, url, answer string, connections int, d time.Duration) (report.Sample, error) {
	out, err := exec.CommandContext(ctx, mayfly, "bench", "http", url, "--json",
		"--connections", strconv.Itoa(connections), "--duration", d.String()).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return report.Sample{}, fmt.Errorf("load %s: %w\n%s", url, err, exit.Stderr)
	}
	if err != nil {
		return report.Sample{}, fmt.Errorf("load %s: %w", url, err)
	}
	var r result
	if err := json.Unmarshal(out, &r); err != nil {
		return report.Sample{}, fmt.Errorf("read the load's result: %w", err)
	}
	if err := r.check(answer); err != nil {
		return report.Sample{}, fmt.Errorf("load %s: %w", url, err)
	}
	return report.Sample{PerSecond: r.PerSecond, P50: r.Latency.P50, P99: r.Latency.P99}, nil
}

// result is what "mayfly bench http --json" prints, as far as it is used here.
type result struct {
	Requests  int64   `json:"requests"`
	PerSecond float64 `json:"requests_per_second"`
	BodyBytes int64   `json:"body_bytes"`
	Latency   struct {
		P50 float64 `json:"p50_us"`
		P99 float64 `json:"p99_us"`
	} `json:"latency"`
	Statuses   map[string]int64 `json:"statuses"`
	Errors     int              `json:"errors"`
	FirstError string           `json:"first_error"`
}

func (r result) check(answer string) error {
	switch {
	case r.Errors > 0:
		return fmt.Errorf("%d requests had no answer, the first: %s", r.Errors, r.FirstError)
	case r.Requests == 0 || r.Statuses["200"] != r.Requests:
		return fmt.Errorf("of %d answers not all have status 200: %v", r.Requests, r.Statuses)
	case r.BodyBytes != r.Requests*int64(len(answer)):
		return fmt.Errorf("%d answers have %d bytes, want %d each", r.Requests, r.BodyBytes, len(answer))
	}
	return nil
}

// Check asks a URL once and compares the answer.
func Check(ctx context.Context, address, answer string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	// Not every resolver knows that names below localhost are this machine.
	host := u.Host
	if strings.HasSuffix(u.Hostname(), ".localhost") {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(body) != answer {
		return fmt.Errorf("check %s: the answer is %d %q, want 200 %q: %w", address, resp.StatusCode, body, answer, err)
	}
	return nil
}
