package control

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/router"
)

// assignedJSON is a Route and whose it is.
type assignedJSON struct {
	ID           string         `json:"id"`
	Pattern      router.Pattern `json:"pattern"`
	Script       string         `json:"script"`
	CustomDomain bool           `json:"custom_domain"`
	Enabled      bool           `json:"enabled"`
}

func assignedOf(route deploy.Route, script string) assignedJSON {
	return assignedJSON{route.ID(), route.Pattern, script, route.CustomDomain, !route.Disabled}
}

// listRoutes are those of an account.
func listRoutes(r *request) error { return r.pageRoutes(r.account()) }

func (r *request) pageRoutes(account string) error {
	held, err := r.api.registry.Routes(account)
	if err != nil {
		return err
	}
	list := []assignedJSON{}
	for _, h := range held {
		list = append(list, assignedOf(h.Route, h.Function))
	}
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(part, info)
}

// getRoutes are those of a Function.
func getRoutes(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	return r.ok(routesJSON(f))
}

func routesJSON(f deploy.Function) []assignedJSON {
	list := []assignedJSON{}
	for _, route := range f.Routes {
		list = append(list, assignedOf(route, f.Name))
	}
	return list
}

// setRoutes takes a list of patterns, or of objects with a pattern as wrangler
// sends them. Custom domains stay.
func setRoutes(r *request) error {
	routes, err := r.readRoutes()
	if err != nil {
		return err
	}
	f, err := r.api.registry.SetRoutes(r.Context(), r.account(), r.params["script"], routes)
	if err != nil {
		return err
	}
	return r.ok(routesJSON(f))
}

func addRoutes(r *request) error {
	routes, err := r.readRoutes()
	if err != nil {
		return err
	}
	f, err := r.api.registry.AddRoutes(r.Context(), r.account(), r.params["script"], routes)
	if err != nil {
		return err
	}
	return r.ok(routesJSON(f))
}

func removeRoute(r *request) error {
	f, _, err := r.function()
	if err != nil {
		return err
	}
	for _, route := range f.Routes {
		if route.ID() == r.params["route"] {
			r.note("pattern", route.Pattern.String())
		}
	}
	if _, err := r.api.registry.RemoveRoute(r.Context(), r.account(), r.params["script"], r.params["route"]); err != nil {
		return err
	}
	return r.ok(map[string]string{"id": r.params["route"]})
}

func (r *request) readRoutes() ([]deploy.Route, error) {
	var in []routeJSON
	if err := r.readJSON(maxJSON, &in); err != nil {
		return nil, err
	}
	routes, err := routesOf(in)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(routes, func(route deploy.Route) bool { return route.CustomDomain }); i >= 0 {
		return nil, badRequest("%q is a custom domain; put it at /workers/domains", routes[i].Host())
	}
	r.note("routes", listOf(routes, func(route deploy.Route) string { return route.Pattern.String() }))
	return append([]deploy.Route{}, routes...), nil
}

// listOf are the texts of some routes, for the audit log.
func listOf(routes []deploy.Route, text func(deploy.Route) string) string {
	var list []string
	for _, route := range routes {
		list = append(list, text(route))
	}
	return strings.Join(list, " ")
}

// domainJSON is a custom domain. A node has no zones: they are the host itself.
type domainJSON struct {
	ID              string `json:"id"`
	Hostname        string `json:"hostname"`
	Service         string `json:"service"`
	Environment     string `json:"environment"`
	ZoneID          string `json:"zone_id"`
	ZoneName        string `json:"zone_name"`
	Enabled         bool   `json:"enabled"`
	PreviewsEnabled bool   `json:"previews_enabled"`
}

func domainOf(route deploy.Route, service string) domainJSON {
	return domainJSON{ID: route.ID(), Hostname: route.Host(), Service: service, Environment: "production",
		ZoneID: route.ID(), ZoneName: route.Host(), Enabled: !route.Disabled}
}

// domains are the custom domains of an account.
func (r *request) domains() ([]deploy.HeldRoute, error) {
	held, err := r.api.registry.Routes(r.account())
	return slices.DeleteFunc(held, func(h deploy.HeldRoute) bool { return !h.CustomDomain }), err
}

func listDomains(r *request) error {
	held, err := r.domains()
	if err != nil {
		return err
	}
	hostname, service := strings.ToLower(r.URL.Query().Get("hostname")), r.URL.Query().Get("service")
	list := []domainJSON{}
	for _, h := range held {
		if (hostname == "" || hostname == h.Host()) && (service == "" || service == h.Function) {
			list = append(list, domainOf(h.Route, h.Function))
		}
	}
	return r.ok(list)
}

// domain finds the one in the path.
func (r *request) domain() (deploy.HeldRoute, error) {
	held, err := r.domains()
	if err != nil {
		return deploy.HeldRoute{}, err
	}
	for _, h := range held {
		if h.ID() == r.params["domain"] {
			return h, nil
		}
	}
	return deploy.HeldRoute{}, host.Errorf(host.CodeNotFound, "domain %q does not exist in account %s", r.params["domain"], r.account())
}

func getDomain(r *request) error {
	h, err := r.domain()
	if err != nil {
		return err
	}
	return r.ok(domainOf(h.Route, h.Function))
}

func putDomain(r *request) error {
	var in struct {
		originJSON
		Service string `json:"service"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	route, err := in.route()
	if err != nil {
		return err
	}
	r.note("script", in.Service)
	r.note("domain", in.Hostname)
	if _, err := r.api.registry.AddRoutes(r.Context(), r.account(), in.Service, []deploy.Route{route}); err != nil {
		return err
	}
	return r.ok(domainOf(route, in.Service))
}

func deleteDomain(r *request) error {
	h, err := r.domain()
	if err != nil {
		return err
	}
	r.note("script", h.Function)
	r.note("hostname", h.Host())
	if _, err := r.api.registry.RemoveRoute(r.Context(), r.account(), h.Function, h.ID()); err != nil {
		return err
	}
	return r.ok(map[string]string{"id": h.ID()})
}

// originJSON is a custom domain as it is asked for.
type originJSON struct {
	Hostname string `json:"hostname"`
	Enabled  *bool  `json:"enabled"` // null is true
}

func (o originJSON) route() (deploy.Route, error) {
	return deploy.DomainRoute(o.Hostname, o.Enabled != nil && !*o.Enabled)
}

func domainRoutes(in []originJSON) ([]deploy.Route, error) {
	routes := []deploy.Route{}
	for _, o := range in {
		route, err := o.route()
		if err != nil {
			return nil, err
		}
		routes = append(routes, route)
	}
	return routes, nil
}

// putDomainRecords replaces the custom domains of a Function, as wrangler does.
func putDomainRecords(r *request) error {
	var in struct {
		Override bool         `json:"override_existing_origin"`
		Origins  []originJSON `json:"origins"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	routes, err := domainRoutes(in.Origins)
	if err != nil {
		return err
	}
	r.note("domains", listOf(routes, deploy.Route.Host))
	r.note("override", strconv.FormatBool(in.Override))
	f, err := r.api.registry.SetDomains(r.Context(), r.account(), r.params["script"], routes, in.Override)
	if err != nil {
		return err
	}
	list := []domainJSON{}
	for _, route := range f.Routes {
		if route.CustomDomain {
			list = append(list, domainOf(route, f.Name))
		}
	}
	return r.ok(list)
}

// changesetJSON says what putDomainRecords would do.
type changesetJSON struct {
	Added       []domainJSON  `json:"added"`
	Removed     []domainJSON  `json:"removed"`
	Updated     []updatedJSON `json:"updated"`
	Conflicting []domainJSON  `json:"conflicting"` // with DNS, of which a node knows nothing
}

type updatedJSON struct {
	domainJSON
	Modified bool `json:"modified"` // it is another Function's
}

func planDomains(r *request) error {
	var in []originJSON
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	wanted, err := domainRoutes(in)
	if err != nil {
		return err
	}
	held, err := r.domains()
	if err != nil {
		return err
	}
	return r.ok(changesetOf(r.params["script"], wanted, held))
}

func changesetOf(script string, wanted []deploy.Route, held []deploy.HeldRoute) changesetJSON {
	c := changesetJSON{[]domainJSON{}, []domainJSON{}, []updatedJSON{}, []domainJSON{}}
	for _, route := range wanted {
		i := slices.IndexFunc(held, func(h deploy.HeldRoute) bool { return h.Pattern == route.Pattern })
		if i < 0 {
			c.Added = append(c.Added, domainOf(route, script))
			continue
		}
		c.Updated = append(c.Updated, updatedJSON{domainOf(route, script), held[i].Function != script})
	}
	for _, h := range held {
		kept := slices.ContainsFunc(wanted, func(route deploy.Route) bool { return route.Pattern == h.Pattern })
		if h.Function == script && !kept {
			c.Removed = append(c.Removed, domainOf(h.Route, script))
		}
	}
	return c
}
