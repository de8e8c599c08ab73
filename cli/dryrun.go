package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

// plan is what a deploy would upload. It has no values: they may be secrets of
// whoever's environment they come from.
type plan struct {
	Name     string        `json:"name"`
	Module   string        `json:"module"` // file
	Bytes    int64         `json:"bytes"`
	Routes   []string      `json:"routes"`
	Crons    []string      `json:"crons"`
	KV       []string      `json:"kv_triggers"` // binding or id, and prefix
	Queues   []string      `json:"queues"`      // that it consumes
	Bindings []api.Binding `json:"bindings"`    // name and type
}

// dryRun does what a deploy does before it talks to the node.
func (d *deployCommand) dryRun(c *cobra.Command, path string) error {
	file, m, err := d.prepare(c, path)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("find module: %w", err)
	}
	p := plan{Name: m.Name, Module: file, Bytes: info.Size(), Routes: []string{}, Bindings: []api.Binding{}}
	for _, r := range m.Routes {
		p.Routes = append(p.Routes, r.Pattern.String())
	}
	p.Crons = append([]string{}, m.Triggers.Crons...)
	p.KV = []string{}
	for _, t := range m.Triggers.KV {
		p.KV = append(p.KV, strings.TrimSpace(firstOf(t.Binding, t.NamespaceID)+" "+t.Prefix))
	}
	p.Queues = []string{}
	for _, q := range m.Queues.Consumers {
		p.Queues = append(p.Queues, q.Queue)
	}
	for _, b := range metadataOf(m).Bindings {
		p.Bindings = append(p.Bindings, api.Binding{Type: b.Type, Name: b.Name})
	}
	if d.json {
		return printJSON(d.stdio.Out, p)
	}
	return p.print(d.stdio.Out)
}

func (p plan) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "would deploy %s: %s, %d KiB\n", p.Name, p.Module, (p.Bytes+1023)>>10); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	rows := make([]string, 0, len(p.Routes)+len(p.Crons)+len(p.KV)+len(p.Queues)+len(p.Bindings))
	for _, r := range p.Routes {
		rows = append(rows, "route\t"+r)
	}
	for _, text := range p.Crons {
		rows = append(rows, "cron\t"+text)
	}
	for _, text := range p.KV {
		rows = append(rows, "kv trigger\t"+text)
	}
	for _, text := range p.Queues {
		rows = append(rows, "consumer\t"+text)
	}
	for _, b := range p.Bindings {
		rows = append(rows, b.Type+"\t"+b.Name)
	}
	return table(w, "WHAT\tNAME", len(rows), func(i int) string { return rows[i] })
}
