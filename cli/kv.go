package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// kvCommand is what all commands below "kv" share.
type kvCommand struct {
	stdio Stdio
	node  nodeFlags
	json  bool
}

func newKV(stdio Stdio) *cobra.Command {
	k := kvCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "kv",
		Short: "Work with KV namespaces and their keys",
	})
	parent.AddCommand(newKVNamespace(k), newKVKey(k), newKVBulk(k))
	return parent
}

// open makes the client and finds the namespace that the flags mean.
func (k *kvCommand) open(c *cobra.Command, namespace *namespaceFlags) (*api.Client, string, error) {
	if err := namespace.check(c); err != nil {
		return nil, "", err
	}
	client, err := k.node.client(c)
	if err != nil {
		return nil, "", err
	}
	id, err := namespace.find(c, client)
	return client, id, err
}

// namespaceFlags say which namespace a command works with.
type namespaceFlags struct {
	id, binding string
	stage       stageFlag
}

func (n *namespaceFlags) register(f *pflag.FlagSet) {
	f.StringVar(&n.id, "namespace-id", "", "id of the namespace")
	f.StringVar(&n.binding, "binding", "", "the namespace that mayfly.toml binds to this name")
	n.stage.register(f)
	// wrangler has keys of its own machine as well, and wants this for others.
	var remote bool
	f.BoolVar(&remote, "remote", true, "has no effect: keys are always those of the node")
	f.MarkHidden("remote")
}

// check wants one of the flags.
func (n *namespaceFlags) check(c *cobra.Command) error {
	switch {
	case n.id != "" && n.binding != "":
		return usagef(c, "--namespace-id and --binding exclude each other")
	case n.id == "" && n.binding == "":
		return usagef(c, "say which namespace: --namespace-id ID, or --binding NAME with a mayfly.toml here")
	}
	return nil
}

// find is the id of the namespace that the flags mean. A binding without an id
// means the one that deploy gave it.
func (n *namespaceFlags) find(c *cobra.Command, client *api.Client) (string, error) {
	if err := n.check(c); err != nil || n.id != "" {
		return n.id, err
	}
	p, err := build.OpenNames(".", n.stage.get())
	if err != nil {
		return "", err
	}
	var bound []string
	for _, ns := range p.Manifest.KVNamespaces {
		switch {
		case ns.Binding != n.binding:
			bound = append(bound, ns.Binding)
		case ns.ID != "":
			return ns.ID, nil
		default:
			return byTitle(c.Context(), client, provisionedTitle(p.Manifest, ns.Binding))
		}
	}
	if len(bound) == 0 {
		return "", usagef(c, "mayfly.toml binds no KV namespace here")
	}
	return "", usagef(c, "mayfly.toml has no KV binding %s; it has %s", n.binding, strings.Join(bound, ", "))
}

// byTitle is the id of the namespace with this title.
func byTitle(ctx context.Context, client *api.Client, title string) (string, error) {
	all, err := client.Namespaces(ctx)
	if err != nil {
		return "", err
	}
	for _, ns := range all {
		if ns.Title == title {
			return ns.ID, nil
		}
	}
	return "", notThere("there is no KV namespace with the title %q; 'mayfly kv namespace list' shows those there are, and --namespace-id takes an id", title)
}

// readInput reads a file that the user names; "-" is standard input.
func readInput(stdio Stdio, path string) (data []byte, err error) {
	if path == "-" {
		data, err = io.ReadAll(stdio.In)
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read input: %w", err)
	}
	return data, nil
}

// readJSON decodes a file that the user names, which holds what is described.
func readJSON(stdio Stdio, path, what string, into any) error {
	data, err := readInput(stdio, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is not %s: %w", path, what, err)
	}
	return nil
}
