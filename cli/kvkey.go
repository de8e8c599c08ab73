package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type kvKeyCommand struct {
	kvCommand
	namespace       namespaceFlags
	ttl, expiration int64
	metadata, path  string
	prefix          string
}

func newKVKey(k kvCommand) *cobra.Command {
	n := &kvKeyCommand{kvCommand: k}
	parent := group(&cobra.Command{Use: "key", Short: "Put, get, list and delete keys"})
	n.node.register(parent.PersistentFlags())
	n.namespace.register(parent.PersistentFlags())
	put := &cobra.Command{
		Use:     "put KEY [VALUE]",
		Example: "  mayfly kv key put greeting hello --binding TEXTS --ttl 3600\n  mayfly kv key put logo --path logo.png --binding TEXTS --metadata '{\"type\":\"image/png\"}'",
		Short:   "Write a key",
		Args:    func(c *cobra.Command, args []string) error { return n.checkPut(c, args) },
		RunE:    func(c *cobra.Command, args []string) error { return n.put(c, args) },
	}
	f := put.Flags()
	f.StringVar(&n.path, "path", "", "read the value from this file; - is standard input")
	f.Int64Var(&n.ttl, "ttl", 0, "seconds until the key goes away, 60 at least")
	f.Int64Var(&n.expiration, "expiration", 0, "when the key goes away, in seconds since 1970")
	f.StringVar(&n.metadata, "metadata", "", "JSON kept beside the value")
	get := &cobra.Command{
		Use:     "get KEY",
		Example: "  mayfly kv key get greeting --binding TEXTS",
		Short:   "Write the value of a key to standard output", Args: exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error { return n.get(c, args[0]) },
	}
	list := &cobra.Command{
		Use:     "list",
		Example: "  mayfly kv key list --binding TEXTS --prefix user/\n  mayfly kv key list --binding TEXTS --env staging --json",
		Short:   "List the keys", Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error { return n.list(c) },
	}
	list.Flags().StringVar(&n.prefix, "prefix", "", "only keys that begin with this")
	list.Flags().BoolVar(&n.json, "json", false, "print JSON, with expiration and metadata")
	remove := &cobra.Command{
		Use:     "delete KEY",
		Example: "  mayfly kv key delete greeting --binding TEXTS",
		Short:   "Delete a key", Args: exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error { return n.remove(c, args[0]) },
	}
	parent.AddCommand(put, get, list, remove)
	return parent
}

func (n *kvKeyCommand) checkPut(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usagef(c, "KEY is missing")
	case len(args) == 1 && n.path == "":
		return usagef(c, "VALUE is missing; give it as an argument or with --path")
	case len(args) == 2 && n.path != "":
		return usagef(c, "VALUE and --path exclude each other")
	case n.ttl != 0 && n.expiration != 0:
		return usagef(c, "--ttl and --expiration exclude each other")
	case n.metadata != "" && !json.Valid([]byte(n.metadata)):
		return usagef(c, "--metadata wants JSON, such as '{\"a\":1}'")
	}
	return atMost(2)(c, args)
}

func (n *kvKeyCommand) put(c *cobra.Command, args []string) error {
	client, id, err := n.open(c, &n.namespace)
	if err != nil {
		return err
	}
	value := []byte(argument(args, 1, ""))
	if n.path != "" {
		if value, err = readInput(n.stdio, n.path); err != nil {
			return err
		}
	}
	opts := api.PutOptions{Expiration: n.expiration, ExpirationTTL: n.ttl}
	if n.metadata != "" {
		opts.Metadata = json.RawMessage(n.metadata)
	}
	return client.PutValue(c.Context(), id, args[0], value, opts)
}

func (n *kvKeyCommand) get(c *cobra.Command, key string) error {
	client, id, err := n.open(c, &n.namespace)
	if err != nil {
		return err
	}
	value, err := client.Value(c.Context(), id, key)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Has(api.CodeNoKey) {
		return notThere("there is no key %q in the namespace %s", key, id)
	}
	if err != nil {
		return err
	}
	if _, err := n.stdio.Out.Write(value); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func (n *kvKeyCommand) list(c *cobra.Command) error {
	client, id, err := n.open(c, &n.namespace)
	if err != nil {
		return err
	}
	all := []api.Key{}
	for key, err := range client.Keys(c.Context(), id, n.prefix) {
		if err != nil {
			return err
		}
		if n.json {
			all = append(all, key)
			continue
		}
		if _, err := fmt.Fprintln(n.stdio.Out, key.Name); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if n.json {
		return printJSON(n.stdio.Out, all)
	}
	return nil
}

func (n *kvKeyCommand) remove(c *cobra.Command, key string) error {
	client, id, err := n.open(c, &n.namespace)
	if err != nil {
		return err
	}
	return client.DeleteValue(c.Context(), id, key)
}
