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

// settingsOf are the manifest's, with the variables of .dev.vars over them and
// KV namespaces that exist.
func settingsOf(ctx context.Context, r *deploy.Registry, p *build.Project) (deploy.Settings, error) {
	m := p.Manifest
	s := deploy.Settings{
		CompatibilityDate: m.CompatibilityDate,
		Vars:              maps.Clone(m.Vars),
		Limits:            m.Limits,
		Egress:            m.Egress,
		Snapshot:          m.Snapshot,
	}
	secrets, err := devVars(p.Dir)
	if err != nil {
		return s, err
	}
	if s.Vars == nil {
		s.Vars = map[string]deploy.Var{}
	}
	for name, text := range secrets {
		s.Vars[name] = deploy.Var{Text: text}
	}
	for _, ns := range m.KVNamespaces {
		id, err := namespace(ctx, r, ns)
		if err != nil {
			return s, err
		}
		s.KVNamespaces = append(s.KVNamespaces, deploy.KVNamespace{Binding: ns.Binding, ID: id})
	}
	return s, nil
}

// devVars reads .dev.vars, if there is one.
func devVars(dir string) (map[string]string, error) {
	const name = ".dev.vars"
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read variables: %w", err)
	}
	return deploy.ParseDevVars(name, data)
}

// namespace finds or makes the namespace that stands for one of the manifest
// here. Its title is the id that the manifest has for it, so that bindings with
// the same id share their keys, or else the binding's name.
func namespace(ctx context.Context, r *deploy.Registry, ns deploy.KVNamespace) (id string, err error) {
	title := ns.Binding
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
