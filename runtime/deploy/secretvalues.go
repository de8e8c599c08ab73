package deploy

import (
	"maps"
	"slices"

	"github.com/mayfly-run/mayfly/host"
)

// secretValues are the secrets of a Function in the clear, by name. They are not
// changed.
type secretValues map[string]secretValue

type secretValue struct {
	id   string
	text string
	err  error // why it can't be opened
}

// has refuses to delete what is not there.
func (v Version) has(c secretChange) error {
	for _, name := range slices.Sorted(maps.Keys(c.texts)) {
		if _, ok := v.Secrets[name]; !ok && c.texts[name] == nil {
			return host.Errorf(host.CodeNotFound, "there is no secret %q", name)
		}
	}
	return nil
}

// with returns the secrets after a change.
func (v secretValues) with(c secretChange) secretValues {
	all := maps.Clone(v)
	if all == nil {
		all = secretValues{}
	}
	for name, text := range c.texts {
		if text == nil {
			delete(all, name)
			continue
		}
		all[name] = secretValue{id: c.ids[name], text: *text}
	}
	return all
}

// with returns the Version with other secrets. Its residence is the same.
func (a *Active) with(secrets secretValues) *Active {
	next := *a
	next.secrets, next.failure = secrets, nil
	b := *a.setup.Bindings // which has none
	b.Env, b.Environ = maps.Clone(b.Env), slices.Clone(b.Environ)
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		v := secrets[name]
		if v.err != nil {
			next.failure = v.err
			continue
		}
		b.Env[name] = host.EnvValue{Value: v.text, Secret: true}
		b.Environ = append(b.Environ, name+"="+v.text)
		b.Secrets = append(b.Secrets, name)
	}
	if name := a.Version.Settings.VersionMetadata.Binding; name != "" {
		b.Env[name] = a.Version.metadata() // as secrets: not while initialising
		b.Secrets = append(b.Secrets, name)
	}
	next.Bindings = &b
	return &next
}
