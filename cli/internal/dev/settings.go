package dev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// upload is what the manifest says, with KV namespaces that exist. What .dev.vars
// has goes over variables of the manifest, or else is a secret, as it will be on a
// node; one without a text is a variable, because no secret is empty.
func (s *Session) upload(ctx context.Context, r *deploy.Registry, p *build.Project) (up deploy.Upload, err error) {
	m := p.Manifest
	if err := checkServices(r, m); err != nil {
		return up, err
	}
	up.Settings = deploy.Settings{
		CompatibilityDate: m.CompatibilityDate,
		Vars:              maps.Clone(m.Vars),
		Services:          m.Services,
		RateLimits:        m.RateLimits,
		VersionMetadata:   m.VersionMetadata,
		Limits:            m.Limits,
		Egress:            m.Egress,
		Snapshot:          m.Snapshot,
	}
	if up.Settings.Vars == nil {
		up.Settings.Vars = map[string]deploy.Var{}
	}
	texts, err := Variables(p.Dir, m.Stage)
	if err != nil {
		return up, err
	}
	up.Secrets = forgotten(r, m.Name)
	for name, text := range texts {
		if _, variable := m.Vars[name]; variable || text == "" {
			up.Settings.Vars[name] = deploy.Var{Text: text}
			continue
		}
		up.Secrets[name] = &text
	}
	if up.Settings.Queues, err = s.queues(ctx, r, m.Queues); err != nil {
		return up, err
	}
	for _, ns := range m.KVNamespaces {
		id, err := s.namespace(ctx, r, ns)
		if err != nil {
			return up, err
		}
		up.Settings.KVNamespaces = append(up.Settings.KVNamespaces, deploy.KVNamespace{Binding: ns.Binding, ID: id})
	}
	return up, nil
}

// checkServices tells how to have a service that is not there.
func checkServices(r *deploy.Registry, m *deploy.Manifest) error {
	for _, b := range m.Services {
		if _, _, err := r.Function(deploy.Local, b.Service); err != nil && b.Service != m.Name {
			return fmt.Errorf("service binding %s: there is no Function %s here; start 'mayfly dev' with --service and the folder of its project", b.Binding, b.Service)
		}
	}
	return nil
}

// forgotten deletes all secrets that the Function has from before.
func forgotten(r *deploy.Registry, name string) map[string]*string {
	texts := map[string]*string{}
	_, v, err := r.Function(deploy.Local, name)
	if err != nil { // it is not there yet
		return texts
	}
	for _, secret := range v.SecretNames() {
		texts[secret] = nil
	}
	return texts
}

// Variables reads .dev.vars.STAGE, or .dev.vars if there is none, as wrangler does;
// without either there are no variables.
func Variables(dir, stage string) (map[string]string, error) {
	names := []string{".dev.vars"}
	if stage != "" && filepath.Base(stage) == stage {
		names = []string{".dev.vars." + stage, ".dev.vars"}
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read variables: %w", err)
		}
		return deploy.ParseDevVars(name, data)
	}
	return nil, nil
}

// namespace finds or makes the namespace that stands for one of the manifest
// here. Its title is the id that the manifest has for it, so that bindings with
// the same id share their keys, or else the binding's name, with that of the
// Function in front for a service.
func (s *Session) namespace(ctx context.Context, r *deploy.Registry, ns deploy.KVNamespace) (id string, err error) {
	title := ns.Binding
	if len(s.callers) > 0 {
		title = s.name + "-" + title
	}
	if ns.PreviewID != "" {
		title = ns.PreviewID
	} else if ns.ID != "" {
		title = ns.ID
	}
	all, err := r.Namespaces(deploy.Local)
	if err != nil {
		return "", fmt.Errorf("list KV namespaces: %w", err)
	}
	for _, n := range all {
		if n.Title == title {
			return n.ID, nil
		}
	}
	made, err := r.CreateNamespace(ctx, deploy.Local, title)
	if err != nil {
		return "", fmt.Errorf("make KV namespace %s: %w", title, err)
	}
	return made.ID, nil
}
