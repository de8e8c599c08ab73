package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// provision gives each KV binding without an id the namespace that is named
// after the Function and the binding, and makes it if it is not there yet. So a
// project can be deployed to any node as it is.
func (d *deployCommand) provision(ctx context.Context, client *api.Client, m *deploy.Manifest) error {
	var known map[string]string // ids by title; asked for once it is needed
	for i := range m.KVNamespaces {
		ns := &m.KVNamespaces[i]
		if ns.ID != "" {
			continue
		}
		if known == nil {
			var err error
			if known, err = namespaceIDs(ctx, client); err != nil {
				return err
			}
		}
		title := provisionedTitle(m, ns.Binding)
		if ns.ID = known[title]; ns.ID != "" {
			continue
		}
		made, err := client.CreateNamespace(ctx, title)
		if err != nil {
			return err
		}
		ns.ID = made.ID
		fmt.Fprintf(d.stdio.Err, "created the KV namespace %s for %s\n", title, ns.Binding)
	}
	return nil
}

// provisionedTitle is the title of a binding's own namespace.
func provisionedTitle(m *deploy.Manifest, binding string) string {
	return m.Name + "-" + strings.ToLower(binding)
}

func namespaceIDs(ctx context.Context, client *api.Client) (map[string]string, error) {
	all, err := client.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(all))
	for _, ns := range all {
		ids[ns.Title] = ns.ID
	}
	return ids, nil
}
