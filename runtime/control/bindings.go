package control

import (
	"encoding/json"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// bindingJSON is a capability by name.
type bindingJSON struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Text        *string         `json:"text,omitempty"`
	JSON        json.RawMessage `json:"json,omitempty"`
	NamespaceID string          `json:"namespace_id,omitempty"` // of KV, or of a rate limit

	Service     string              `json:"service,omitempty"` // a Function's name
	Environment string              `json:"environment,omitempty"`
	Entrypoint  string              `json:"entrypoint,omitempty"`
	Simple      *deploy.SimpleLimit `json:"simple,omitempty"` // of a rate limit

	QueueName     string `json:"queue_name,omitempty"`
	DeliveryDelay *int64 `json:"delivery_delay,omitempty"` // of a queue
}

// into adds the binding to an upload. Whether two of them have the same name is
// lost in a map, hence the look at it here.
func (b *bindingJSON) into(up *deploy.Upload) error {
	s := &up.Settings
	_, variable := s.Vars[b.Name]
	if _, secret := up.Secrets[b.Name]; variable || secret {
		return badRequest("binding %q is given twice", b.Name)
	}
	switch b.Type {
	case "plain_text", "json":
		return b.intoVars(s)
	case "kv_namespace":
		s.KVNamespaces = append(s.KVNamespaces, deploy.KVNamespace{Binding: b.Name, ID: b.NamespaceID})
	case serviceType:
		return b.intoServices(s)
	case queueType:
		s.Queues = append(s.Queues, deploy.QueueProducer{Binding: b.Name, Queue: b.QueueName, DeliveryDelay: b.DeliveryDelay})
	case rateLimitType:
		if b.Simple == nil {
			return badRequest("rate limit %q has no simple limit: {\"limit\": 100, \"period\": 60}", b.Name)
		}
		s.RateLimits = append(s.RateLimits, deploy.RateLimit{Name: b.Name, NamespaceID: b.NamespaceID, Simple: *b.Simple})
	case secretType:
		if b.Text == nil {
			return badRequest("secret %q has no text; one that is there stays without being given", b.Name)
		}
		up.Secrets[b.Name] = b.Text
	case versionMetadataType, assetsType:
		return b.intoOnly(s)
	case "inherit": // see request.inherit
	default:
		return host.Errorf(host.CodeUnsupported, "binding %q: the type %q is not offered yet", b.Name, b.Type)
	}
	return nil
}

// intoVars adds a variable.
func (b *bindingJSON) intoVars(s *deploy.Settings) error {
	switch {
	case b.Type == "json" && b.JSON == nil:
		return badRequest("binding %q has no json", b.Name)
	case b.Type == "json":
		s.Vars[b.Name] = deploy.Var{JSON: b.JSON}
	case b.Text == nil:
		return badRequest("binding %q has no text", b.Name)
	default:
		s.Vars[b.Name] = deploy.Var{Text: *b.Text}
	}
	return nil
}

// intoOnly adds a binding of which a Function has one at most.
func (b *bindingJSON) intoOnly(s *deploy.Settings) error {
	switch {
	case b.Type == assetsType && s.Assets != nil:
		return badRequest("there are two bindings of static files, %q and %q", s.Assets.Binding, b.Name)
	case b.Type == assetsType:
		s.Assets = &deploy.Assets{Binding: b.Name}
	case s.VersionMetadata.Binding != "":
		return badRequest("version metadata is bound twice, to %q and %q", s.VersionMetadata.Binding, b.Name)
	case b.Name == "":
		return badRequest("the binding of the version metadata has no name")
	default:
		s.VersionMetadata.Binding = b.Name
	}
	return nil
}
