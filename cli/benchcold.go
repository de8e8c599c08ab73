package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/cli/internal/measure"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/fetch"
	"github.com/mayfly-run/mayfly/host/js"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/memkv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
	"github.com/spf13/cobra"
)

type benchColdCommand struct {
	stdio    Stdio
	requests int
	engine   string
	warmup   []string
	stage    stageFlag
	json     bool
}

const maxColdRequests = 10_000_000 // each keeps 40 bytes until the end

func newBenchCold(stdio Stdio) *cobra.Command {
	b := &benchColdCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "cold FILE.wasm | DIR",
		Example: "  mayfly bench cold hello.wasm\n  mayfly bench cold . --requests 1000 --warmup \"GET /\"",
		Short:   "Time the phases of requests that each start with nothing",
		Long: `Cold compiles the module, which it builds first if given a DIR, and answers GET
requests for "/" one after the other without a network, each in a fresh sandbox:

    compile      make machine code of the module, once
    snapshot     initialise the module and keep its memory, once
    instantiate  get an instance
    initialise   run the module's own initialisation, where there is no snapshot
    call         answer the request
    release      put the instance back into its first state; a client does not
                 wait for it
    total        what a request costs: all but compile and snapshot

--engine simple makes and initialises an instance for each request instead.
--warmup answers a request such as "GET /" before the snapshot is taken, instead
of those in [snapshot] of mayfly.toml; it can be given several times.

Variables are those of mayfly.toml; its KV namespaces are empty and in memory.
Durations are in microseconds. All requests count, the first as well.`,
		Args: exactly("FILE.wasm or DIR"),
		RunE: func(c *cobra.Command, args []string) error { return b.run(c, args[0]) },
	}
	c.Flags().IntVar(&b.requests, "requests", 1000, "how many requests")
	c.Flags().StringVar(&b.engine, "engine", "snapshot", "snapshot or simple")
	c.Flags().StringArrayVar(&b.warmup, "warmup", nil, `a request such as "GET /" to answer before the snapshot is taken`)
	b.stage.register(c.Flags())
	c.Flags().BoolVar(&b.json, "json", false, "print JSON")
	return c
}

func (b *benchColdCommand) run(c *cobra.Command, path string) error {
	if b.requests < 1 || b.requests > maxColdRequests {
		return usagef(c, "--requests wants 1 to %d, not %d", maxColdRequests, b.requests)
	}
	if b.engine != "snapshot" && b.engine != "simple" {
		return usagef(c, "--engine wants snapshot or simple, not %q", b.engine)
	}
	file, m, err := b.moduleAt(c.Context(), path)
	if err != nil {
		return err
	}
	module, err := build.ReadModule(file)
	if err != nil {
		return fmt.Errorf("read module: %w", err)
	}
	result, err := b.measure(c.Context(), module, m)
	if err != nil {
		return err
	}
	if b.json {
		return printJSON(b.stdio.Out, result)
	}
	return b.print(result)
}

// moduleAt is the module at path, built if that is a folder, and its manifest,
// which is empty for a file.
func (b *benchColdCommand) moduleAt(ctx context.Context, path string) (string, *deploy.Manifest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, fmt.Errorf("find module: %w", err)
	}
	if !info.IsDir() {
		return path, &deploy.Manifest{}, nil
	}
	p, file, err := buildProject(ctx, b.stdio, path, b.stage.get())
	if err == nil && file == "" {
		err = errFilesOnly
	}
	if err != nil {
		return "", nil, err
	}
	return file, p.Manifest, nil
}

func (b *benchColdCommand) measure(ctx context.Context, module []byte, m *deploy.Manifest) (result measure.ColdResult, err error) {
	engine, err := runtime.New(ctx, runtime.Config{ABIs: []abi.ABI{js.New(), native.New(), wagi.New()}, Simple: b.engine == "simple"})
	if err != nil {
		return result, fmt.Errorf("start engine: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close(context.Background())) }()
	fetcher, err := fetch.New(fetch.Config{NodeID: "bench"})
	if err != nil {
		return result, fmt.Errorf("start fetcher: %w", err)
	}
	defer fetcher.Close()
	logger := slog.New(slog.NewTextHandler(b.stdio.Err, nil))
	guest := measure.Guest{
		Module: module,
		Services: &host.Services{
			Fetcher: fetcher, Log: telemetry.Log{Logger: slog.New(slog.DiscardHandler)}, Logger: logger,
			Now: time.Now, Random: rand.Reader,
		},
		Bindings: bindingsOf(m),
		Limits:   limitsOf(m),
	}
	if guest.Warmup, err = b.warmups(m); err != nil {
		return result, err
	}
	line := startProgress(b.stdio, "measuring")
	defer line.Done()
	return measure.Cold(ctx, engine, guest, b.requests, func(done int) {
		if done%64 == 0 {
			line.Set("%d of %d requests", done, b.requests)
		}
	})
}

// warmups are the requests to warm up with: those of the flags, or the manifest's.
func (b *benchColdCommand) warmups(m *deploy.Manifest) ([]host.Request, error) {
	options := m.Snapshot
	if len(b.warmup) > 0 {
		options.Warmup = b.warmup
	}
	if b.engine == "simple" {
		options.Warmup = nil // it has no snapshot to warm up
	}
	return options.Requests("localhost")
}

// bindingsOf gives a Function its variables and an empty store for each
// namespace.
func bindingsOf(m *deploy.Manifest) *host.Bindings {
	b := &host.Bindings{
		Account: defaultAccount, Function: firstOf(m.Name, "bench"), Version: "bench",
		Env: map[string]host.EnvValue{}, KV: map[string]kv.Store{},
	}
	for _, name := range slices.Sorted(maps.Keys(m.Vars)) {
		v := m.Vars[name]
		if v.JSON != nil {
			b.Env[name] = host.EnvValue{Value: string(v.JSON)}
			continue
		}
		b.Env[name] = host.EnvValue{Value: v.Text}
		b.Environ = append(b.Environ, name+"="+v.Text)
	}
	for _, ns := range m.KVNamespaces {
		b.KV[ns.Binding] = memkv.New(memkv.Config{})
	}
	return b
}

// limitsOf are the limits that decide whether a Function runs at all.
func limitsOf(m *deploy.Manifest) host.Limits {
	l := host.Limits{
		Memory: m.Limits.MemoryMB << 20,
		Wall:   time.Duration(m.Limits.WallMillis) * time.Millisecond,
	}
	return l.Or(host.DefaultLimits())
}

func (b *benchColdCommand) print(r measure.ColdResult) error {
	rows := []struct {
		name string
		p    measure.Percentiles
	}{
		{"compile", r.Phases.Compile}, {"snapshot", r.Phases.Snapshot}, {"instantiate", r.Phases.Instantiate}, {"initialise", r.Phases.Initialise},
		{"call", r.Phases.Call}, {"release", r.Phases.Release}, {"total", r.Total},
	}
	return table(b.stdio.Out, "microseconds\tp50\tp90\tp99\tmax", len(rows), func(i int) string {
		return rows[i].name + "\t" + columns(rows[i].p)
	})
}

func columns(p measure.Percentiles) string {
	return fmt.Sprintf("%.1f\t%.1f\t%.1f\t%.1f", p.P50, p.P90, p.P99, p.Max)
}
