package deploy

import (
	"context"
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
		for _, account := range r.files.due(r.cfg.Now()) {
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

// due ends sessions that are over, and returns the accounts to be swept.
func (s *assetStore) due(now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, session := range s.sessions {
		if now.After(session.expires) {
			s.end(key)
		}
	}
	accounts := slices.Sorted(maps.Keys(s.unswept))
	clear(s.unswept)
	return accounts
}

// sweepAssets removes what an account has of static files that no Version and no
// session has. It holds r.mu, so that no Version is made of them meanwhile.
func (r *Registry) sweepAssets(ctx context.Context, account string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	used, err := r.usedManifests(ctx, account)
	if err != nil {
		return err
	}
	if err := r.removeUnused(ctx, manifestRecords, account, func(_ string, f assets.File) bool { return used[f.Digest] }); err != nil {
		return err
	}
	files := map[kv.Digest]bool{}
	for d := range used {
		m, err := r.cfg.Assets.Manifest(ctx, d)
		if err != nil {
			return err
		}
		for _, f := range m {
			files[f.Digest] = true
		}
	}
	announced := r.files.announced(account)
	return r.removeUnused(ctx, assetRecords, account, func(hash string, f assets.File) bool { return files[f.Digest] || announced[hash] })
}

// usedManifests are those of Versions and of sessions. It needs r.mu.
func (r *Registry) usedManifests(ctx context.Context, account string) (map[kv.Digest]bool, error) {
	used := map[kv.Digest]bool{}
	s := r.current.Load()
	err := records(ctx, r.cfg.Store, versionRecords+account+"/", func(v Version, _ uint64) error {
		if v.Settings.Assets != nil {
			used[v.Settings.Assets.Manifest] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for id, f := range s.functions {
		for _, a := range f.serving.actives() {
			if id.account == account && a.Version.Settings.Assets != nil {
				used[a.Version.Settings.Assets.Manifest] = true
			}
		}
	}
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	for _, session := range r.files.sessions {
		if session.account != account {
			continue
		}
		for _, d := range session.manifests {
			used[d] = true
		}
	}
	return used, nil
}

// announced are the hashes of the files of an account's sessions.
func (s *assetStore) announced(account string) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	hashes := map[string]bool{}
	for _, session := range s.sessions {
		if session.account != account {
			continue
		}
		for _, f := range session.files {
			hashes[f.Hash] = true
		}
	}
	return hashes
}

// removeUnused needs r.mu.
func (r *Registry) removeUnused(ctx context.Context, records, account string, used func(name string, f assets.File) bool) error {
	r.files.mu.Lock()
	var unused []assetID
	for id, f := range r.files.of(records) {
		if id.account == account && !used(id.name, f) {
			unused = append(unused, id)
		}
	}
	r.files.mu.Unlock()
	for _, id := range unused {
		if err := r.removeAsset(ctx, records, id); err != nil {
			return fmt.Errorf("remove %s%s: %w", strings.TrimPrefix(records, "node/"), id.key(), err)
		}
	}
	return nil
}

func (r *Registry) removeAsset(ctx context.Context, records string, id assetID) error {
	if err := r.cfg.Store.Delete(ctx, records+id.key(), kv.DeleteOptions{}); err != nil {
		return err
	}
	r.files.mu.Lock()
	f := r.files.of(records)[id]
	delete(r.files.of(records), id)
	r.files.mu.Unlock()
	return r.releaseEach(ctx, blobsOf(f))
}
