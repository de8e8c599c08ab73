package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/bench/peers/report"
	"github.com/mayfly-run/mayfly/bench/peers/server"
)

// footnotes say what a reader of the table must know.
const footnotes = `* is the reference of its group. Each number is the median of the rounds, the ratio that of the ratios within rounds.
Without HTTP: one request after the other, each with an instance in its first-ever state that is reset or freed
afterwards. The time is all that took, divided by the requests; p50 and p99 are of single requests. wasmtime is driven
from Go through cgo and has its defaults: instances allocated on demand, memory copy-on-write. Its pooling allocator is
not offered to Go. "epochs" makes its guests interruptible, as Mayfly's always are. "pre-initialised" is the module as
wizer leaves it; without, the guest initialises itself in each request.
HTTP: a process for each server, and one for the load, on the same cores. workerd answers from JavaScript on one thread
and keeps its isolate from request to request; the rows with one processor are for comparison with it. Of the rows with
JavaScript both run the same bundle, asked on 32 connections for hello and on 4 for those that compute: workerd compiles
it to machine code, Mayfly interprets it, in a state that is fresh for each request.
`

// head says what was measured, with what and where.
func (b *bench) head(ctx context.Context, w io.Writer) error {
	versions, err := b.versions(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "machine: %s\ncommit: %s\nversions: %s\nrounds: %d, each %v for an engine and %v for a server with %d connections\n\n",
		report.Machine(), b.commit, strings.Join(versions, ", "), b.rounds, b.engineTime(), b.serverTime(), server.Connections)
	return err
}

// versions are those of all that is measured, as built or installed.
func (b *bench) versions(ctx context.Context) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	var modules []string
	for _, program := range []string{self, b.mayfly, b.bare} {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("read versions: %w", err)
		}
		modules = append(modules, dependencies(info)...)
	}
	slices.Sort(modules)
	list := append([]string{goruntime.Version()}, slices.Compact(modules)...)
	for _, program := range []string{b.workerd, b.wizer} {
		out, err := exec.CommandContext(ctx, program, "--version").Output()
		if err != nil {
			return nil, fmt.Errorf("ask %s for its version: %w", program, err)
		}
		list = append(list, strings.TrimSpace(string(out)))
	}
	return list, nil
}

// dependencies are the modules that matter to the figures, with their versions.
func dependencies(info *buildinfo.BuildInfo) (list []string) {
	for _, m := range info.Deps {
		name := strings.TrimPrefix(m.Path, "github.com/")
		for _, shown := range []string{"tetratelabs/wazero", "bytecodealliance/wasmtime-go", "valyala/fasthttp"} {
			if strings.HasPrefix(name, shown) {
				list = append(list, name+" "+m.Version)
			}
		}
	}
	return list
}
