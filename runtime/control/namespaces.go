package control

import "github.com/mayfly-run/mayfly/runtime/deploy"

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
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(part, info)
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
