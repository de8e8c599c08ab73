package control

import (
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Types of bindings, as wrangler sends them.
const (
	serviceType         = "service"
	rateLimitType       = "ratelimit"
	queueType           = "queue"
	versionMetadataType = "version_metadata"
)

// intoServices adds a service binding. A Function has one entry point and no
// environments of its own: those are other Functions.
func (b *bindingJSON) intoServices(s *deploy.Settings) error {
	if b.Entrypoint != "" && b.Entrypoint != "default" {
		return badRequest("service binding %q: entrypoint %q is not offered; a Function has only the default one", b.Name, b.Entrypoint)
	}
	if b.Environment != "" && b.Environment != "production" {
		return badRequest("service binding %q: environment %q is not offered; bind the Function of that stage by its name", b.Name, b.Environment)
	}
	s.Services = append(s.Services, deploy.Service{Binding: b.Name, Service: b.Service})
	return nil
}

// namedBindings are those beside variables, KV and secrets.
func namedBindings(s deploy.Settings) (list []bindingJSON) {
	for _, b := range s.Services {
		list = append(list, bindingJSON{Type: serviceType, Name: b.Binding, Service: b.Service})
	}
	for _, l := range s.RateLimits {
		list = append(list, bindingJSON{Type: rateLimitType, Name: l.Name, NamespaceID: l.NamespaceID, Simple: &l.Simple})
	}
	for _, p := range s.Queues {
		list = append(list, bindingJSON{Type: queueType, Name: p.Binding, QueueName: p.Queue, DeliveryDelay: p.DeliveryDelay})
	}
	if name := s.VersionMetadata.Binding; name != "" {
		list = append(list, bindingJSON{Type: versionMetadataType, Name: name})
	}
	return list
}

type referenceJSON struct {
	Service     string `json:"service"`
	Environment string `json:"environment"`
	Name        string `json:"name"` // of the binding
}

// getReferences is what clients ask before they delete a Function.
func getReferences(r *request) error {
	f, v, err := r.function()
	if err != nil {
		return err
	}
	references, err := r.api.registry.References(f.Account, f.Name)
	if err != nil {
		return err
	}
	incoming, outgoing := []referenceJSON{}, []referenceJSON{}
	for _, in := range references {
		incoming = append(incoming, referenceJSON{in.Function, "production", in.Binding})
	}
	for _, out := range v.Settings.Services {
		outgoing = append(outgoing, referenceJSON{out.Service, "production", out.Binding})
	}
	return r.ok(map[string]any{
		"services":           map[string]any{"incoming": incoming, "outgoing": outgoing},
		"durable_objects":    []any{},
		"dispatch_outbounds": []any{},
	})
}
