package deploy

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/mayfly-run/mayfly/host"
)

// previews are the Versions of one Function that were asked for by a host of their
// own and don't serve otherwise.
type previews struct {
	mu      sync.Mutex // guards what follows
	actives map[string]*Active
	shut    bool // the Function is gone
}

func newPreviews() *previews { return &previews{actives: map[string]*Active{}} }

// all are the previews in use.
func (p *previews) all() (list []*Active) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.actives {
		list = append(list, a)
	}
	return list
}

// retire gives back those that keep does not want; all, for ever, if it is nil.
func (p *previews) retire(keep func(*Active) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = p.shut || keep == nil
	for id, a := range p.actives {
		if keep == nil || !keep(a) {
			a.retire()
			delete(p.actives, id)
		}
	}
}

// retireBound gives back the previews that are bound to a namespace which is deleted.
func (r *Registry) retireBound(ns Namespace) {
	for id, d := range r.current.Load().functions {
		if id.account == ns.Account {
			d.previews.retire(func(a *Active) bool { return !a.Version.Settings.binds(ns.ID) })
		}
	}
}

// previewPrefix is how many characters of a Version's id its host begins with.
const previewPrefix = 8

// PreviewHost is where a Version of a Function answers that need not serve
// otherwise. name is an alias, or empty for the beginning of the Version's id.
// https://developers.cloudflare.com/workers/configuration/previews/
func (r *Registry) PreviewHost(account, function, version, name string) string {
	if name == "" {
		name = version[:previewPrefix]
	}
	return name + "-" + r.Host(account, function)
}

// preview finds the Version that a host names which is nobody's otherwise. It
// reads the store at the first request for a Version.
func (r *Registry) preview(s *snapshot, hostname []byte) *Serving {
	d, version := s.previewed(r.cfg.Domain, hostname)
	if d == nil {
		return nil
	}
	a := d.serving.find(version)
	if a == nil {
		var err error
		if a, err = r.openPreview(context.Background(), d, version); err != nil {
			level := slog.LevelError
			if _, ours := errors.AsType[*host.Error](err); ours { // of its account, and every request may find it again
				level = slog.LevelDebug
			}
			r.cfg.Logger.Log(context.Background(), level, "open preview", "account", d.Account, "function", d.Name, "version", version, "err", err)
			return nil
		}
	}
	return &Serving{function: d.Name, versions: []servingVersion{{a, 100}}}
}

// openPreview goes by what is current once it has p.mu: what was removed since the
// lookup stays removed.
func (r *Registry) openPreview(ctx context.Context, d *deployed, version string) (*Active, error) {
	p := d.previews
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.actives[version]; a != nil {
		return a, nil
	}
	if p.shut {
		return nil, host.Errorf(host.CodeNotFound, "the Function was deleted")
	}
	s := r.current.Load()
	now := s.functions[d.id()]
	if now == nil || !slices.Contains(now.Versions, version) {
		return nil, errNoVersion(d.Name, version)
	}
	if a := now.serving.find(version); a != nil {
		return a, nil
	}
	a, err := r.activateStored(ctx, s, now.Function, version)
	if err == nil {
		p.actives[version] = a
	}
	return a, err
}

// previewed finds the Function and the Version of a host such as
// 0a1b2c3d-hello.example.com, or alias-hello.account.example.com.
func (s *snapshot) previewed(domain string, hostname []byte) (d *deployed, version string) {
	name := strings.ToLower(strings.TrimSuffix(string(withoutPort(hostname)), "."))
	name, ok := strings.CutSuffix(name, "."+domain)
	if !ok {
		return nil, ""
	}
	label, account, other := strings.Cut(name, ".")
	if !other {
		account = Local
	}
	for i, c := range label {
		if c != '-' {
			continue
		}
		d := s.functions[functionID{account, label[i+1:]}]
		if d == nil || d.NoPreviews {
			continue
		}
		if version := d.named(label[:i]); version != "" {
			return d, version
		}
	}
	return nil, ""
}

// named is the id of the Version with an alias, or whose id begins so.
func (f Function) named(name string) string {
	if version, ok := f.Aliases[name]; ok {
		return version
	}
	if len(name) != previewPrefix {
		return ""
	}
	i := slices.IndexFunc(f.Versions, func(id string) bool { return strings.HasPrefix(id, name) })
	if i < 0 {
		return ""
	}
	return f.Versions[i]
}

func withoutPort(hostname []byte) []byte {
	if i := bytes.LastIndexByte(hostname, ':'); i >= 0 {
		return hostname[:i]
	}
	return hostname
}
