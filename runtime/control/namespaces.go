package control

import (
	"cmp"
	"slices"

	"github.com/mayfly-run/mayfly/runtime/deploy"
)

type namespaceJSON struct {
	ID                  string `json:"id"`
	Title               string `json:"title"`
	SupportsURLEncoding bool   `json:"supports_url_encoding"`
}

func namespaceOf(ns deploy.Namespace) namespaceJSON { return namespaceJSON{ns.ID, ns.Title, true} }

func listNamespaces(r *request) error {
	all, err := r.api.registry.Namespaces(r.account())
	if err != nil {
		return err
	}
	list := []namespaceJSON{}
	for _, ns := range all {
		list = append(list, namespaceOf(ns))
	}
	if err := r.sortNamespaces(list); err != nil {
		return err
	}
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(part, info)
}

// sortNamespaces brings them into the order that the query asks for.
func (r *request) sortNamespaces(list []namespaceJSON) error {
	order, direction := r.URL.Query().Get("order"), r.URL.Query().Get("direction")
	if order != "" && order != "id" && order != "title" {
		return badRequest("order is %q; id or title is expected", order)
	}
	if direction != "" && direction != "asc" && direction != "desc" {
		return badRequest("direction is %q; asc or desc is expected", direction)
	}
	slices.SortStableFunc(list, func(a, b namespaceJSON) int {
		if order == "id" {
			return cmp.Compare(a.ID, b.ID)
		}
		return cmp.Compare(a.Title, b.Title)
	})
	if direction == "desc" {
		slices.Reverse(list)
	}
	return nil
}

func getNamespace(r *request) error {
	ns, err := r.api.registry.Namespace(r.account(), r.params["namespace"])
	if err != nil {
		return err
	}
	return r.ok(namespaceOf(ns))
}

// readTitle reads the body of requests that name a namespace.
func (r *request) readTitle() (string, error) {
	var in struct {
		Title string `json:"title"`
	}
	err := r.readJSON(maxJSON, &in)
	return in.Title, err
}

func createNamespace(r *request) error {
	title, err := r.readTitle()
	if err != nil {
		return err
	}
	ns, err := r.api.registry.CreateNamespace(r.Context(), r.account(), title)
	if err != nil {
		return err
	}
	r.note("namespace", ns.ID)
	return r.ok(namespaceOf(ns))
}

func renameNamespace(r *request) error {
	title, err := r.readTitle()
	if err != nil {
		return err
	}
	ns, err := r.api.registry.RenameNamespace(r.Context(), r.account(), r.params["namespace"], title)
	if err != nil {
		return err
	}
	return r.ok(namespaceOf(ns))
}

func deleteNamespace(r *request) error {
	if err := r.api.registry.DeleteNamespace(r.Context(), r.account(), r.params["namespace"]); err != nil {
		return err
	}
	return r.ok(nil)
}
