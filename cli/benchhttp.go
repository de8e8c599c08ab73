package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/cli/internal/measure"
	"github.com/spf13/cobra"
)

type benchHTTPCommand struct {
	stdio       Stdio
	connections int
	duration    time.Duration
	json        bool
}

const (
	maxDuration    = 5 * time.Minute
	maxConnections = 2048
)

func newBenchHTTP(stdio Stdio) *cobra.Command {
	b := &benchHTTPCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "http URL",
		Example: "  mayfly bench http http://hello.localhost:8080/ --duration 10s",
		Short:   "Load a URL and tell how fast it answers",
		Long: `Http sends GET requests over a number of connections, each its next one as soon
as the last was answered, and tells requests per second, latencies (to 1 %),
statuses and errors. Use it on servers of your own only.`,
		Args: exactly("URL"),
		RunE: func(c *cobra.Command, args []string) error { return b.run(c, args[0]) },
	}
	c.Flags().IntVarP(&b.connections, "connections", "c", 16, "connections at the same time")
	c.Flags().DurationVarP(&b.duration, "duration", "d", 10*time.Second, "how long, 5m at most")
	c.Flags().BoolVar(&b.json, "json", false, "print JSON")
	return c
}

func (b *benchHTTPCommand) run(c *cobra.Command, url string) error {
	switch {
	case b.connections < 1 || b.connections > maxConnections:
		return usagef(c, "--connections wants 1 to %d, not %d", maxConnections, b.connections)
	case b.duration <= 0 || b.duration > maxDuration:
		return usagef(c, "--duration wants more than 0 and at most %v, not %v", maxDuration, b.duration)
	}
	line := startProgress(b.stdio, fmt.Sprintf("loading %s for %v", url, b.duration))
	result, err := measure.HTTP(c.Context(), measure.Load{URL: url, Connections: b.connections, Duration: b.duration})
	line.Done()
	if err != nil {
		return usagef(c, "%v", err)
	}
	if b.json {
		err = printJSON(b.stdio.Out, result)
	} else {
		err = printLoad(b.stdio.Out, result)
	}
	if err == nil && result.Requests == 0 {
		err = fmt.Errorf("no request was answered: %s", result.FirstError)
	}
	return err
}

func printLoad(w io.Writer, r measure.LoadResult) error {
	var statuses []string
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		statuses = append(statuses, fmt.Sprintf("%s: %d", status, r.Statuses[status]))
	}
	fmt.Fprintf(w, "%d requests in %.1f s over %d connections: %.0f requests/s\n", r.Requests, r.Seconds, r.Connections, r.PerSecond)
	fmt.Fprintf(w, "statuses %s; %d errors", firstOf(strings.Join(statuses, ", "), "none"), r.Errors)
	if r.FirstError != "" {
		fmt.Fprintf(w, ", the first: %s", r.FirstError)
	}
	fmt.Fprintln(w)
	return table(w, "microseconds\tp50\tp90\tp99\tmax", 1, func(int) string { return "latency\t" + columns(r.Latency) })
}
