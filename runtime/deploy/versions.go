package deploy

import (
	"context"
	"slices"

	"github.com/mayfly-run/mayfly/host"
)

// Versions returns the Versions of a Function that are kept, newest first.
func (r *Registry) Versions(ctx context.Context, account, name string) ([]Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return nil, err
	}
	var list []Version
	for _, id := range slices.Backward(d.Versions) {
		v, err := r.version(ctx, d, id)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// Version returns one Version of a Function.
func (r *Registry) Version(ctx context.Context, account, name, id string) (Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return Version{}, err
	}
	return r.version(ctx, d, id)
}

func (r *Registry) version(ctx context.Context, d *deployed, id string) (Version, error) {
	if a := d.serving.find(id); a != nil {
		return a.Version, nil
	}
	if !slices.Contains(d.Versions, id) {
		return Version{}, errNoVersion(d.Name, id)
	}
	v, _, err := read[Version](ctx, r.cfg.Store, versionRecord(d.id(), id))
	return v, err
}

func errNoVersion(function, id string) error {
	return host.Errorf(host.CodeNotFound, "Function %s has no version %q; mayfly versions list shows those that are kept", function, id)
}

// Newest returns the Version that was made last, whether it serves or not.
func (r *Registry) Newest(ctx context.Context, account, name string) (Version, error) {
	d, err := r.current.Load().function(account, name)
	if err != nil {
		return Version{}, err
	}
	return r.version(ctx, d, d.newest())
}

// NewDeployment is what CreateDeployment makes.
type NewDeployment struct {
	Versions []Share // one or two, 100 percent together
	Author   string
	Message  string
	Rollout  *Rollout // nil if it stays as it is
}

// CreateDeployment lets Versions that are stored serve from now on. They are loaded
// before, so that no request has to wait; whatever happens meanwhile, each request
// is answered by a Version of the Deployment before or of this one.
func (r *Registry) CreateDeployment(ctx context.Context, account, name string, n NewDeployment) (Deployment, error) {
	d := Deployment{ID: newUUID(), Created: r.now(), Author: n.Author, Message: n.Message, Versions: sorted(n.Versions), Rollout: n.Rollout}
	if err := d.check(); err != nil {
		return Deployment{}, err
	}
	fresh, err := r.loadVersions(ctx, functionID{account, name}, d.Versions)
	if err == nil {
		_, err = r.redeploy(ctx, account, name, d, "", fresh)
	}
	if err != nil {
		for _, a := range fresh {
			a.retire()
		}
		return Deployment{}, err
	}
	r.wake()
	return d, nil
}

// redeploy writes a Deployment of Versions of which more are loaded already. If
// after is not empty it has to be the id of the Deployment that serves now; else
// the error is errSuperseded.
func (r *Registry) redeploy(ctx context.Context, account, name string, d Deployment, after string, more []*Active) (Function, error) {
	var changed Function
	err := r.change(ctx, functionID{account, name}, func(ctx context.Context, s *snapshot) error {
		old, err := s.function(account, name)
		if err != nil {
			return err
		}
		if after != "" && old.Deployments[0].ID != after {
			return errSuperseded
		}
		if err := old.hasAll(d.Versions); err != nil {
			return err
		}
		next, err := r.serve(ctx, s, old.deployedAs(d), old, more...)
		if err != nil {
			return err
		}
		for _, a := range next.serving.actives() {
			if err := r.checkVersion(s, next.Function, a.Version); err != nil {
				return err
			}
			if err := s.checkHandlers(next.Function, a.Version); err != nil {
				return err
			}
		}
		changed = next.Function
		next.live = next.serving // all is loaded
		if err := r.put(ctx, s, next); err != nil {
			return err
		}
		next.serving.watch(d.Rollout != nil)
		return nil
	})
	return changed, err
}

// hasAll refuses Versions that are not kept.
func (f Function) hasAll(shares []Share) error {
	for _, share := range shares {
		if !slices.Contains(f.Versions, share.Version) {
			return errNoVersion(f.Name, share.Version)
		}
	}
	return nil
}

// loadVersions loads those that don't serve yet.
func (r *Registry) loadVersions(ctx context.Context, id functionID, shares []Share) (fresh []*Active, err error) {
	var s *snapshot
	var d *deployed
	err = r.checkUpToDate(ctx, func(_ context.Context, now *snapshot) (err error) {
		s = now
		if d, err = s.function(id.account, id.name); err != nil {
			return err
		}
		return d.hasAll(shares)
	})
	if err != nil {
		return nil, err
	}
	for _, share := range shares {
		if a := d.serving.find(share.Version); a != nil && (d.live == d.serving || d.live.find(share.Version) != nil) {
			continue
		}
		a, err := r.activateStored(ctx, s, d.Function, share.Version)
		if err != nil {
			return fresh, err
		}
		fresh = append(fresh, a)
		if _, err := a.Snapshot(ctx, r.cfg.Now()); err != nil {
			return fresh, err
		}
	}
	return fresh, nil
}

// sorted puts the Version with the most percent first.
func sorted(shares []Share) []Share {
	shares = slices.Clone(shares)
	slices.SortStableFunc(shares, func(a, b Share) int { return b.Percentage - a.Percentage })
	return shares
}

func (d Deployment) check() error {
	if n := len(d.Versions); n == 0 || n > 2 {
		return invalid("a deployment has one version or two, not %d", n)
	}
	sum := 0
	for _, share := range d.Versions {
		if share.Percentage < 0 || share.Percentage > 100 {
			return invalid("version %s would get %d percent; 0 to 100 are possible", share.Version, share.Percentage)
		}
		sum += share.Percentage
	}
	switch {
	case sum != 100:
		return invalid("the percentages of a deployment are 100 together, not %d", sum)
	case len(d.Versions) == 2 && d.Versions[0].Version == d.Versions[1].Version:
		return invalid("version %s is given twice", d.Versions[0].Version)
	case len(d.Message) > maxMessage:
		return invalid("the message of a deployment has at most %d bytes", maxMessage)
	case d.Rollout != nil:
		return d.Rollout.check(d)
	}
	return nil
}

// PruneVersions removes all but the newest Versions of a Function, and those that
// serve. It returns the ids of what it removed.
func (r *Registry) PruneVersions(ctx context.Context, account, name string, keep int) (removed []string, err error) {
	if keep < 1 {
		return nil, invalid("%d versions can't be kept; 1 is the least", keep)
	}
	_, err = r.update(ctx, account, name, func(_ *snapshot, f *Function) error {
		before := f.Versions
		*f = f.keeping(keep)
		removed = slices.DeleteFunc(slices.Clone(before), func(id string) bool { return slices.Contains(f.Versions, id) })
		return nil
	})
	return removed, err
}

// maxLabel is how long a label of a host may be (RFC 1035), in bytes.
const maxLabel = 63

// withAlias returns f with an alias for a Version.
func (f Function) withAlias(alias, version string) (Function, error) {
	if err := checkAlias(alias, f.Name); err != nil {
		return f, err
	}
	aliases := map[string]string{alias: version}
	for name, id := range f.Aliases {
		if name != alias {
			aliases[name] = id
		}
	}
	if len(aliases) > maxAliases {
		return f, invalid("Function %s would have more than %d aliases", f.Name, maxAliases)
	}
	f.Aliases = aliases
	return f, nil
}

func checkAlias(alias, function string) error {
	if err := CheckName(alias); err != nil {
		return invalid("alias: %v", err)
	}
	if n := len(alias) + 1 + len(function); n > maxLabel {
		return invalid("alias %q and the name of Function %s have %d bytes together; a host allows %d", alias, function, n, maxLabel)
	}
	return nil
}
