package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type tailCommand struct {
	stdio                           Stdio
	node                            nodeFlags
	stage                           stageFlag
	format, header, search, version string
	status, methods, ips            []string
	sampling                        float64
}

func newTail(stdio Stdio) *cobra.Command {
	t := &tailCommand{stdio: stdio}
	c := &cobra.Command{
		Use:   "tail [NAME]",
		Short: "Watch the requests of a Function, what it logs and what goes wrong",
		Long: `Tail shows each request of a Function (default: that of mayfly.toml here) when it has
ended, until it is interrupted: its outcome, what was logged, and where it failed.
Values that may be secret are replaced with REDACTED. More than a hundred in a second
are not shown. In a cluster those of all nodes are shown.`,
		Example:           "  mayfly tail\n  mayfly tail shop\n  mayfly tail shop --status error --format json",
		Args:              atMost(1),
		RunE:              func(c *cobra.Command, args []string) error { return t.run(c, argument(args, 0, "")) },
		ValidArgsFunction: completeScripts(&t.node),
	}
	f := c.Flags()
	t.node.register(f)
	t.stage.register(f)
	f.StringVar(&t.format, "format", "", "pretty or json (default pretty on a terminal, json elsewhere)")
	f.StringSliceVar(&t.status, "status", nil, "only those that were ok, error or canceled")
	f.StringSliceVar(&t.methods, "method", nil, "only those of these methods")
	f.StringVar(&t.header, "header", "", "only those with this header, NAME or NAME:TEXT")
	f.StringVar(&t.search, "search", "", "only those with this text in what they logged, or in their error")
	f.StringSliceVar(&t.ips, "ip", nil, `only those of these addresses; "self" is yours`)
	f.Float64Var(&t.sampling, "sampling-rate", 0, "only this part of them, such as 0.25")
	f.StringVar(&t.version, "version-id", "", "only those of this version")
	return c
}

func (t *tailCommand) run(c *cobra.Command, name string) error {
	filters, err := t.filters(c)
	if err != nil {
		return err
	}
	show, err := t.printer(c)
	if err != nil {
		return err
	}
	client, name, err := openNamed(c, &t.node, &t.stage, name)
	if err != nil {
		return err
	}
	tail, err := client.CreateTail(c.Context(), name, filters)
	if err != nil {
		return err
	}
	defer func() { // also after an interrupt
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), completionTime)
		defer cancel()
		client.DeleteTail(ctx, name, tail.ID) //nolint:errcheck // it ends with the connection anyway
	}()
	conn, err := client.OpenTail(c.Context(), tail)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(t.stdio.Err, "Connected to %s, waiting for requests; the tail ends at %s\n", name, date(tail.ExpiresAt))
	return follow(c.Context(), conn, show)
}

// follow shows events until ctx or the tail ends.
func follow(ctx context.Context, conn *api.TailConn, show func(json.RawMessage) error) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for {
		event, err := conn.Next()
		switch {
		case ctx.Err() != nil, errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := show(event); err != nil {
			return err
		}
	}
}

// outcomes are those that a status stands for.
var outcomes = map[string][]string{
	"ok":       {"ok"},
	"canceled": {"canceled"},
	"error":    {"exception", "exceededCpu", "exceededMemory", "exceededWallTime", "internalError", "loadShed"},
}

func (t *tailCommand) filters(c *cobra.Command) (all []api.TailFilter, err error) {
	if c.Flags().Changed("sampling-rate") {
		if t.sampling <= 0 || t.sampling >= 1 {
			return nil, usagef(c, "--sampling-rate wants a number above 0 and below 1, not %v", t.sampling)
		}
		all = append(all, api.TailFilter{SamplingRate: t.sampling})
	}
	var wanted []string
	for _, s := range t.status {
		if outcomes[s] == nil {
			return nil, usagef(c, "--status wants ok, error or canceled, not %q", s)
		}
		wanted = append(wanted, outcomes[s]...)
	}
	all = append(all, api.TailFilter{Outcome: wanted}, api.TailFilter{Method: t.methods}, api.TailFilter{ClientIP: t.ips},
		api.TailFilter{Query: t.search}, api.TailFilter{ScriptVersion: t.version})
	if t.header != "" {
		key, query, _ := strings.Cut(t.header, ":")
		all = append(all, api.TailFilter{Header: &api.HeaderFilter{Key: strings.TrimSpace(key), Query: strings.TrimSpace(query)}})
	}
	return slices.DeleteFunc(all, api.TailFilter.Empty), nil
}

func (t *tailCommand) printer(c *cobra.Command) (func(json.RawMessage) error, error) {
	otherwise := "json"
	if isTerminal(t.stdio.Out) {
		otherwise = "pretty"
	}
	switch cmp.Or(t.format, otherwise) {
	case "json":
		return func(event json.RawMessage) error { return printJSON(t.stdio.Out, event) }, nil
	case "pretty":
		return t.pretty, nil
	}
	return nil, usagef(c, "--format wants pretty or json, not %q", t.format)
}

// tailEvent is what is shown of an event.
type tailEvent struct {
	Outcome        string `json:"outcome"`
	RequestID      string `json:"requestId"`
	EventTimestamp int64  `json:"eventTimestamp"`
	Event          struct {
		Request *struct {
			Method string `json:"method"`
			URL    string `json:"url"`
		} `json:"request"`
		Response struct {
			Status int `json:"status"`
		} `json:"response"`
		Cron    string `json:"cron"` // of a cron trigger
		Key     string `json:"key"`  // of a KV trigger, as is Deleted
		Deleted bool   `json:"deleted"`
		Queue   string `json:"queue"` // of a batch, as is Batch
		Batch   int    `json:"batchSize"`
		Message string `json:"message"` // about the tail itself
	} `json:"event"`
	Logs []struct {
		Level   string   `json:"level"`
		Message []string `json:"message"`
	} `json:"logs"`
	Exceptions []struct {
		Name    string `json:"name"`
		Message string `json:"message"`
		Stack   string `json:"stack"`
	} `json:"exceptions"`
	CPUTime  float64 `json:"cpuTime"`
	WallTime float64 `json:"wallTime"`
	Node     string  `json:"node"` // in a cluster
}

// how ends the first line of an event.
func (e *tailEvent) how() string {
	node := ""
	if e.Node != "" {
		node = ", node " + printable(e.Node)
	}
	return fmt.Sprintf("@ %s (cpu %.1f ms, wall %.1f ms, request %s%s)", time.UnixMilli(e.EventTimestamp).Format(time.DateTime), e.CPUTime, e.WallTime, e.RequestID, node)
}

func (t *tailCommand) pretty(text json.RawMessage) error {
	var e tailEvent
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("read event: %w", err)
	}
	var b strings.Builder
	switch {
	case e.Event.Cron != "":
		fmt.Fprintf(&b, "%q - %s %s\n", printable(e.Event.Cron), e.Outcome, e.how())
	case e.Event.Key != "":
		what := map[bool]string{false: "put", true: "delete"}[e.Event.Deleted]
		fmt.Fprintf(&b, "KV %s %q - %s %s\n", what, printable(e.Event.Key), e.Outcome, e.how())
	case e.Event.Queue != "":
		fmt.Fprintf(&b, "queue %s (%d messages) - %s %s\n", printable(e.Event.Queue), e.Event.Batch, e.Outcome, e.how())
	case e.Event.Request == nil:
		fmt.Fprintln(&b, printable(e.Event.Message))
	default:
		fmt.Fprintf(&b, "%s %s - %s %d %s\n", printable(e.Event.Request.Method), printable(e.Event.Request.URL), e.Outcome, e.Event.Response.Status, e.how())
	}
	for _, l := range e.Logs {
		fmt.Fprintf(&b, "  (%s) %s\n", l.Level, printable(strings.Join(l.Message, " ")))
	}
	for _, x := range e.Exceptions {
		fmt.Fprintf(&b, "  %s: %s\n", x.Name, printable(x.Message))
		if x.Stack != "" {
			fmt.Fprintln(&b, printable(x.Stack))
		}
	}
	if _, err := io.WriteString(t.stdio.Out, b.String()); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// printable takes from a text what would do something to a terminal: guests and
// clients of theirs wrote it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			return r
		}
		return '\uFFFD'
	}, s)
}
