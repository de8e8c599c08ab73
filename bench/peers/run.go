package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/bench/peers/report"
)

// run measures and writes the table. Servers, engines and files of its own are
// gone when it returns.
func run(ctx context.Context, o options) (err error) {
	if o.rounds < 1 || o.seconds <= 0 {
		return fmt.Errorf("rounds must be 1 at least and seconds more than 0")
	}
	dir, err := os.MkdirTemp("", "mayfly-peers-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir, guests: guests.All("../..")}
	defer b.close()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	rows, err := report.Run(ctx, b.subjects, o.rounds, os.Stderr)
	if err != nil {
		return err
	}
	return b.write(ctx, rows)
}

// bench is what is measured and what has to be closed afterwards.
type bench struct {
	options
	dir      string // for files that live as long as the run
	guests   []guests.Guest
	subjects []report.Subject
	closers  []io.Closer
}

func (b *bench) prepare(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "preparing engines")
	if err := b.addEngines(ctx); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "starting servers")
	return b.addServers(ctx)
}

// later closes c at the end, before what was added earlier.
func (b *bench) later(c io.Closer) { b.closers = append(b.closers, c) }

func (b *bench) close() {
	for i := len(b.closers) - 1; i >= 0; i-- {
		if err := b.closers[i].Close(); err != nil {
			fmt.Fprintln(os.Stderr, "peers: close:", err)
		}
	}
}

// write prints the table and keeps it in the file.
func (b *bench) write(ctx context.Context, rows []report.Row) error {
	var text strings.Builder
	if err := b.head(ctx, &text); err != nil {
		return err
	}
	if err := report.Table(&text, rows); err != nil {
		return err
	}
	text.WriteString("\n" + footnotes)
	fmt.Print(text.String())
	if err := os.WriteFile(b.out, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("keep the table: %w", err)
	}
	return nil
}
