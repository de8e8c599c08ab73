package deploy

import "github.com/mayfly-run/mayfly/kv"

// NeededBlobs are those without which a node that is cut off could not serve again after
// a restart: the modules of all Versions that serve, and the lists of their static files.
func (r *Registry) NeededBlobs() map[kv.Digest]bool {
	needed := map[kv.Digest]bool{}
	for _, d := range r.current.Load().functions {
		for _, a := range d.actives() {
			needed[a.digest] = true
			if files := a.Version.Settings.Assets; files != nil {
				needed[files.Manifest] = true
			}
		}
	}
	return needed
}
