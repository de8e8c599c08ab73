package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
)

// heldKVTrigger is a KV trigger with the Function that has it.
type heldKVTrigger struct {
	Script string `json:"script"`
	api.KVTrigger
}

func kvTriggersOf(ctx context.Context, client *api.Client, names []string) (all []heldKVTrigger, err error) {
	for _, n := range names {
		list, err := client.KVTriggers(ctx, n)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			all = append(all, heldKVTrigger{n, t})
		}
	}
	return all, nil
}

// listKV prints KV triggers, if there are any, with what waits for them.
func (t *triggersCommand) listKV(all []heldKVTrigger) error {
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(t.stdio.Out)
	return table(t.stdio.Out, "KV NAMESPACE\tPREFIX\tFUNCTION\tSINCE\tWAITING\tOLDEST\tRETRIED\tERROR", len(all), func(i int) string {
		k := all[i]
		waiting, oldest := strconv.Itoa(k.Waiting), "-"
		if k.Waiting >= api.MostWaiting {
			waiting += " or more"
		}
		if k.Oldest != nil {
			oldest = date(*k.Oldest)
		}
		reason, _, _ := strings.Cut(printable(k.Error), "\n")
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s", k.NamespaceID, firstOf(printable(k.Prefix), "-"), k.Script, date(k.CreatedOn), waiting, oldest, k.Retrying, firstOf(reason, "-"))
	})
}
