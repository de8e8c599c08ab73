package cli

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

// Bounds of one request of a bulk command, below what the API takes so that
// none comes near the time it may last.
const (
	bulkPairs = 1000
	bulkBytes = 8 << 20
	bulkReads = 100
)

type kvBulkCommand struct {
	kvCommand
	namespace namespaceFlags
	force     bool
}

func newKVBulk(k kvCommand) *cobra.Command {
	n := &kvBulkCommand{kvCommand: k}
	parent := group(&cobra.Command{Use: "bulk", Short: "Put, get and delete many keys"})
	n.node.register(parent.PersistentFlags())
	n.namespace.register(parent.PersistentFlags())
	put := &cobra.Command{
		Use:     "put FILE.json",
		Example: "  mayfly kv bulk put pairs.json --binding COUNTER",
		Short:   "Write the pairs in a file", Args: exactly("FILE.json"),
		Long: `Put writes what is in a JSON file; - is standard input:

    [{"key": "a", "value": "b", "expiration_ttl": 60, "metadata": {}, "base64": false}]

or what 'mayfly kv bulk get' prints, {"a": "b"}; keys that are null there are left out.`,
		RunE: func(c *cobra.Command, args []string) error { return n.put(c, args[0]) },
	}
	get := &cobra.Command{
		Use:     "get FILE.json",
		Example: "  mayfly kv bulk get keys.json --binding COUNTER",
		Short:   "Print the values of the keys in a file, as JSON", Args: exactly("FILE.json"),
		Long: `Get reads keys, ["a", "b"] or [{"name": "a"}], from a JSON file and prints an
object of their values; what does not exist is null.`,
		RunE: func(c *cobra.Command, args []string) error { return n.get(c, args[0]) },
	}
	remove := &cobra.Command{
		Use:     "delete FILE.json",
		Example: "  mayfly kv bulk delete keys.json --namespace-id 06779da6940b431db6e566b4846d64db",
		Short:   "Delete the keys in a file", Args: exactly("FILE.json"),
		Long: `Delete removes keys, ["a", "b"] or [{"name": "a"}], that a JSON file lists.`,
		RunE: func(c *cobra.Command, args []string) error { return n.remove(c, args[0]) },
	}
	remove.Flags().BoolVarP(&n.force, "force", "f", false, "do not ask")
	parent.AddCommand(put, get, remove)
	return parent
}

func (n *kvBulkCommand) put(c *cobra.Command, path string) error {
	client, id, err := n.open(c, &n.namespace)
	if err != nil {
		return err
	}
	var pairs bulkPairList
	if err := readJSON(n.stdio, path, "a list of pairs", &pairs); err != nil {
		return err
	}
	line := startProgress(n.stdio, "writing")
	defer line.Done()
	done := 0
	for some := range batches(pairs) {
		if err := client.PutBulk(c.Context(), id, some); err != nil {
			return fmt.Errorf("after %d of %d pairs: %w", done, len(pairs), err)
		}
		done += len(some)
		line.Set("%d of %d pairs", done, len(pairs))
	}
	_, err = fmt.Fprintf(n.stdio.Out, "wrote %d pairs\n", done)
	return err
}

// bulkPairList are the pairs in a file: a list, or an object of texts.
type bulkPairList []api.Pair

// UnmarshalJSON implements json.Unmarshaler.
func (l *bulkPairList) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '{' {
		return json.Unmarshal(data, (*[]api.Pair)(l))
	}
	var values map[string]*string
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if values[key] != nil {
			*l = append(*l, api.Pair{Key: key, Value: *values[key]})
		}
	}
	return nil
}

// batches cuts pairs into requests.
func batches(pairs []api.Pair) iter.Seq[[]api.Pair] {
	return func(yield func([]api.Pair) bool) {
		for len(pairs) > 0 {
			n, size := 1, len(pairs[0].Value)
			for n < min(len(pairs), bulkPairs) && size+len(pairs[n].Value) <= bulkBytes {
				size += len(pairs[n].Value)
				n++
			}
			if !yield(pairs[:n]) {
				return
			}
			pairs = pairs[n:]
		}
	}
}

func (n *kvBulkCommand) get(c *cobra.Command, path string) error {
	client, id, err := n.open(c, &n.namespace)
	if err != nil {
		return err
	}
	keys, err := readKeys(n.stdio, path)
	if err != nil {
		return err
	}
	values := map[string]*string{}
	for some := range slices.Chunk(keys, bulkReads) {
		found, err := client.GetBulk(c.Context(), id, some)
		if err != nil {
			return err
		}
		maps.Copy(values, found)
	}
	return printJSON(n.stdio.Out, values)
}

func (n *kvBulkCommand) remove(c *cobra.Command, path string) error {
	client, id, err := n.open(c, &n.namespace)
	if err != nil {
		return err
	}
	keys, err := readKeys(n.stdio, path)
	if err != nil {
		return err
	}
	if err := confirm(n.stdio, n.force, "Delete %d keys?", len(keys)); err != nil {
		return err
	}
	done := 0
	for some := range slices.Chunk(keys, bulkPairs) {
		if err := client.DeleteBulk(c.Context(), id, some); err != nil {
			return fmt.Errorf("after %d of %d keys: %w", done, len(keys), err)
		}
		done += len(some)
	}
	_, err = fmt.Fprintf(n.stdio.Out, "deleted %d keys\n", done)
	return err
}

// bulkKey is a key in a file: a text, or an entry of a listing.
type bulkKey string

// UnmarshalJSON implements json.Unmarshaler.
func (k *bulkKey) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, (*string)(k))
	}
	var entry struct {
		Name *string `json:"name"`
	}
	if err := json.Unmarshal(data, &entry); err != nil {
		return err
	}
	if entry.Name == nil {
		return fmt.Errorf(`a key is "a" or {"name": "a"}, not %s`, data[:min(len(data), 40)])
	}
	*k = bulkKey(*entry.Name)
	return nil
}

func readKeys(stdio Stdio, path string) ([]string, error) {
	var list []bulkKey
	if err := readJSON(stdio, path, "a list of keys", &list); err != nil {
		return nil, err
	}
	keys := make([]string, len(list))
	for i, k := range list {
		keys[i] = string(k)
	}
	return keys, nil
}
