package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/assets"
)

// sweepInterval is how often sessions that are over are looked for.
const sweepInterval = time.Minute

// unsweep has the static files of an account looked through soon.
func (s *assetStore) unsweep(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[account] {
		s.unswept[account] = true
		s.wakeUp()
	}
}

// sweep removes static files that nobody has any more, until ctx ends.
func (r *Registry) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		for _, account := range r.dueAccounts() {
			if err := r.sweepAssets(ctx, account); err != nil && ctx.Err() == nil {
				r.cfg.Logger.Error("remove old static files", "account", account, "err", err)
				r.files.again(account)
			}
		}
		select {
		case <-r.files.wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// again has an account swept at the next interval.
func (s *assetStore) again(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unswept[account] = true
}

// dueAccounts ends sessions that are over, and returns the accounts that this node is
// to sweep.
func (r *Registry) dueAccounts() []string {
	r.files.endOver(r.cfg.Now())
	if !r.leads() {
		return nil
	}
	return r.files.due()
}

// endOver ends sessions that are over. Their records expire.
func (s *assetStore) endOver(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, session := range s.sessions {
		if now.After(session.expires) && session.using == 0 {
			s.end(key)
		}
	}
}

// due are the accounts to be swept.
func (s *assetStore) due() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	accounts := slices.Sorted(maps.Keys(s.unswept))
	clear(s.unswept)
	return accounts
}

// sweepBatch is how many records are removed before others may change something.
const sweepBatch = 50

// sweepAssets removes what an account has of static files that no Version and no
// session has: lists before files, so that a Version whose list is there has its files.
func (r *Registry) sweepAssets(ctx context.Context, account string) error {
	found, err := r.unusedAssets(ctx, account)
	for err == nil && len(found.ids) > 0 && ctx.Err() == nil {
		err = r.removeBatch(ctx, found)
	}
	return err
}

// unused is what can be removed, while nothing was deployed since.
type unused struct {
	generation int
	ids        []unusedAsset
}

type unusedAsset struct {
	records string
	id      assetID
}

// unusedAssets looks for what can be removed, while others go on: what they begin to
// use meanwhile is of another generation.
func (r *Registry) unusedAssets(ctx context.Context, account string) (*unused, error) {
	generation, s := r.nothingUnderWay()
	manifests, err := r.usedManifests(ctx, s, account)
	if err != nil {
		return nil, err
	}
	files := map[kv.Digest]bool{}
	for d := range manifests {
		m, err := r.cfg.Assets.Manifest(ctx, d)
		if err != nil {
			return nil, err
		}
		for _, f := range m {
			files[f.Digest] = true
		}
	}
	st := r.files
	st.mu.Lock()
	defer st.mu.Unlock()
	found := &unused{generation: generation}
	for id, f := range st.manifests {
		if id.account == account && !manifests[f.Digest] && !st.kept(account, f.Digest) {
			found.ids = append(found.ids, unusedAsset{manifestRecords, id})
		}
	}
	for id, f := range st.files {
		if id.account == account && !files[f.Digest] && !st.announced(id) {
			found.ids = append(found.ids, unusedAsset{assetRecords, id})
		}
	}
	return found, nil
}

// nothingUnderWay is the generation, and what is deployed, between two changes: one
// that has begun to use something, and is not in the snapshot yet, would be missed.
func (r *Registry) nothingUnderWay() (generation int, s *snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.files.now(), r.current.Load()
}

// now is the generation.
func (s *assetStore) now() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// removeBatch removes some of what was found. A Version may have been deployed since
// with files that were unused then; all is looked at again in that case.
func (r *Registry) removeBatch(ctx context.Context, found *unused) error {
	batch := found.ids[:min(sweepBatch, len(found.ids))]
	found.ids = found.ids[len(batch):]
	return r.exclusively(ctx, func(ctx context.Context) error { return r.removeUnused(ctx, found, batch) })
}

// removeUnused needs r.mu.
func (r *Registry) removeUnused(ctx context.Context, found *unused, batch []unusedAsset) error {
	for _, u := range batch {
		f, remove := r.files.stillUnused(found.generation, u)
		if !remove {
			continue
		}
		if err := r.removeAsset(ctx, u, f); err != nil {
			return fmt.Errorf("remove %s%s: %w", strings.TrimPrefix(u.records, "node/"), u.id.key(), err)
		}
	}
	return nil
}

// stillUnused says whether nobody has begun to use what was found.
func (s *assetStore) stillUnused(generation int, u unusedAsset) (f assets.File, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation {
		s.unswept[u.id.account] = true
		s.wakeUp()
		return f, false
	}
	f, ok = s.of(u.records)[u.id]
	if u.records == manifestRecords {
		return f, ok && !s.kept(u.id.account, f.Digest)
	}
	return f, ok && !s.announced(u.id)
}

// usedManifests are those of the Versions that Functions have, or serve still.
func (r *Registry) usedManifests(ctx context.Context, s *snapshot, account string) (map[kv.Digest]bool, error) {
	used := map[kv.Digest]bool{}
	use := func(v Version) {
		if v.Settings.Assets != nil {
			used[v.Settings.Assets.Manifest] = true
		}
	}
	for id, d := range s.functions {
		if id.account != account {
			continue
		}
		for _, a := range d.actives() {
			use(a.Version)
		}
		for _, version := range d.Versions {
			v, err := r.version(ctx, d, version)
			if err != nil && !errors.Is(err, kv.ErrNotFound) { // it was removed since
				return nil, err
			}
			use(v)
		}
	}
	return used, nil
}

// announced says whether a session has a file. It needs s.mu.
func (s *assetStore) announced(id assetID) bool {
	for _, session := range s.sessions {
		if _, ok := session.sizes[id.name]; ok && session.account == id.account {
			return true
		}
	}
	return false
}

// kept says whether a session has a manifest, or may have it on another node. It needs
// s.mu.
func (s *assetStore) kept(account string, manifest kv.Digest) bool {
	for _, session := range s.sessions {
		if session.account == account && (s.shared || slices.Contains(session.manifests, manifest)) {
			return true
		}
	}
	return false
}

// removeAsset needs r.mu.
func (r *Registry) removeAsset(ctx context.Context, u unusedAsset, f assets.File) error {
	if err := r.cfg.Store.Delete(ctx, u.records+u.id.key(), kv.DeleteOptions{}); err != nil {
		return err
	}
	r.files.mu.Lock()
	delete(r.files.of(u.records), u.id)
	r.files.mu.Unlock()
	return r.releaseEach(ctx, blobsOf(f))
}
