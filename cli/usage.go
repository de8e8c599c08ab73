package cli

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/cli/internal/prices"
	"github.com/spf13/cobra"
)

type usageCommand struct {
	stdio                   Stdio
	node                    nodeFlags
	from, to, group, prices string
	csv, json               bool
}

func newUsage(stdio Stdio) *cobra.Command {
	u := &usageCommand{stdio: stdio}
	c := &cobra.Command{
		Use:   "usage",
		Short: "Show what an account used, and what that would cost elsewhere",
		Long: `Usage sums up requests, CPU and wall time, memory, bytes and operations, counted
exactly and kept by hour: of this month unless times are given. Costs are examples,
by list prices of the days that are named; a file of your own can replace them.`,
		Example: "  mayfly usage\n  mayfly usage --from 2031-05-01 --to 2031-05-31 --group day,version --csv",
		Args:    atMost(0),
		RunE:    func(c *cobra.Command, _ []string) error { return u.run(c) },
	}
	f := c.Flags()
	u.node.register(f)
	f.StringVar(&u.from, "from", "", "first day or hour, such as 2031-05-01 or 2031-05-01T07:00:00Z (default: the first of this month)")
	f.StringVar(&u.to, "to", "", "last day, or the time up to which (default: now)")
	f.StringVar(&u.group, "group", "", "what to tell apart: function, version, trigger, hour, day, or several with commas (default function)")
	f.StringVar(&u.prices, "prices", "", "file of prices (TOML) instead of those of Cloudflare, Lambda and Fastly")
	f.BoolVar(&u.csv, "csv", false, "print CSV")
	f.BoolVar(&u.json, "json", false, "print JSON")
	return c
}

// costed is what somebody else would charge.
type costed struct {
	Provider string  `json:"provider"`
	Source   string  `json:"source,omitempty"`
	AsOf     string  `json:"as_of,omitempty"`
	Dollars  float64 `json:"usd"`
}

func (u *usageCommand) run(c *cobra.Command) error {
	if u.csv && u.json {
		return usagef(c, "--csv and --json exclude each other")
	}
	providers := prices.Default()
	if u.prices != "" {
		text, err := os.ReadFile(u.prices)
		if err != nil {
			return fmt.Errorf("read prices: %w", err)
		}
		if providers, err = prices.Parse(u.prices, text); err != nil {
			return err
		}
	}
	client, err := u.node.client(c)
	if err != nil {
		return err
	}
	report, err := client.Usage(c.Context(), u.from, u.to, u.group)
	if err != nil {
		return err
	}
	costs := costsOf(providers, report)
	switch {
	case u.json:
		return printJSON(u.stdio.Out, struct {
			api.UsageReport
			Costs []costed `json:"costs"`
		}{report, costs})
	case u.csv:
		return u.printCSV(report)
	}
	return u.printTable(report, costs)
}

func costsOf(providers []prices.Provider, r api.UsageReport) []costed {
	use := prices.Use{
		Requests: float64(r.Total.Requests), CPUMillis: r.Total.CPU, WallMillis: r.Total.Wall,
		MemoryGiBSeconds: r.Total.Memory, KVOperations: float64(r.Total.KV), Fetches: float64(r.Total.Fetches),
	}
	all := []costed{}
	for _, p := range providers {
		all = append(all, costed{p.Name, p.Source, p.AsOf, p.Cost(use, prices.Months(r.From, r.To))})
	}
	return all
}

func (u *usageCommand) printTable(r api.UsageReport, costs []costed) error {
	rows := append(r.Usage, r.Total)
	rows[len(rows)-1].Function = "total"
	triggered := func(string) string { return "" }
	if strings.Contains(u.group, "trigger") {
		triggered = func(text string) string { return cmp.Or(text, "-") + "\t" }
	}
	err := table(u.stdio.Out, "FROM\tFUNCTION\tVERSION\t"+triggered("TRIGGER")+"REQUESTS\tFAILED\tCPU\tWALL\tMEMORY\tIN\tOUT\tFETCHES\tKV", len(rows), func(i int) string {
		x := rows[i]
		return fmt.Sprintf("%s\t%s\t%.8s\t%s%d\t%d\t%s\t%s\t%.3g GiB s\t%s\t%s\t%d\t%d", date(x.From), cmp.Or(x.Function, "-"), cmp.Or(x.Version, "-"), triggered(x.Trigger),
			x.Requests, failedOf(x), seconds(x.CPU), seconds(x.Wall), x.Memory, size(x.BytesIn), size(x.BytesOut), x.Fetches, x.KV)
	})
	if err != nil {
		return err
	}
	by := "As examples, by list prices of the days below (give yours with --prices),"
	if u.prices != "" {
		by = "By the prices of " + u.prices
	}
	fmt.Fprintf(u.stdio.Out, "\nFrom %s to %s. %s the same would cost:\n", date(r.From), date(r.To), by)
	return table(u.stdio.Out, "PROVIDER\tUSD\tPRICES OF", len(costs), func(i int) string {
		return fmt.Sprintf("%s\t%.2f\t%s", costs[i].Provider, costs[i].Dollars, cmp.Or(costs[i].AsOf, "-"))
	})
}

// failedOf are the requests that were not answered as the Function wanted.
func failedOf(u api.Usage) int64 { return u.Requests - u.Outcomes["ok"] - u.Outcomes["canceled"] }

// seconds is a time for people, of milliseconds.
func seconds(ms float64) string {
	if ms < 1000 {
		return fmt.Sprintf("%.3g ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// size is a number of bytes for people.
func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// printCSV writes a line for each row, without the total.
func (u *usageCommand) printCSV(r api.UsageReport) error {
	w := csv.NewWriter(u.stdio.Out)
	w.Write(strings.Split("from,function,version,requests,ok,failed,canceled,cpu_units,cpu_ms,wall_ms,memory_gib_s,bytes_in,bytes_out,fetches,kv_operations,trigger", ","))
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	fraction := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	for _, x := range r.Usage {
		from := ""
		if !x.From.IsZero() {
			from = x.From.UTC().Format(time.RFC3339)
		}
		w.Write([]string{from, x.Function, x.Version, number(x.Requests), number(x.Outcomes["ok"]), number(failedOf(x)), number(x.Outcomes["canceled"]),
			number(x.Units), fraction(x.CPU), fraction(x.Wall), fraction(x.Memory), number(x.BytesIn), number(x.BytesOut), number(x.Fetches), number(x.KV), x.Trigger})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
