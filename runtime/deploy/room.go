package deploy

import (
	"cmp"
	"context"
	"runtime/debug"
	"slices"
	"time"
)

// trimInterval is how often Instances that nobody needs are looked for.
const trimInterval = 10 * time.Second

// CodeBytes is how much of Config.CodeMemory is taken.
func (r *Registry) CodeBytes() int64 { return r.cfg.Runtime.Bytes() }

// RunningBytes is how much of Config.Memory is taken.
func (r *Registry) RunningBytes() int64 { return r.shares.memory.Used() }

// Running is how many requests and events are under way.
func (r *Registry) Running() (n int64) {
	r.shares.mu.Lock()
	defer r.shares.mu.Unlock()
	for _, a := range r.shares.accounts {
		n += a.places.all.Running()
	}
	return n
}

// wantRoom has makeRoom look at what is loaded. It does not wait.
func (r *Registry) wantRoom() {
	select {
	case r.crowded <- struct{}{}:
	default:
	}
}

// keepRoom keeps what is loaded within Config.CodeMemory.
func (r *Registry) keepRoom(ctx context.Context) {
	trim := time.NewTicker(trimInterval)
	defer trim.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.crowded:
		case <-trim.C:
			for _, a := range r.loaded() {
				if s := a.ready.Load(); s != nil {
					s.Trim()
				}
			}
		}
		r.makeRoom()
	}
}

// makeRoom unloads what was not used for longest while there is more than there
// may be. What it unloads comes back from disk when it is used. What takes next to
// nothing without Instances stays without them at first.
func (r *Registry) makeRoom() {
	most := r.cfg.CodeMemory
	if r.cfg.Runtime.Bytes() <= most {
		return
	}
	most -= most / 16 // so that the next Instance does not begin this again
	loaded := r.loaded()
	slices.SortFunc(loaded, func(a, b *Active) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, all := range []bool{false, true} {
		for _, a := range loaded {
			before := r.cfg.Runtime.Bytes()
			if before <= most {
				break
			}
			unloaded, err := a.makeRoom(all)
			if err != nil {
				r.cfg.Logger.Error("make room", "account", a.Account, "function", a.Function, "err", err)
			}
			if unloaded {
				r.freed += before - r.cfg.Runtime.Bytes()
			}
		}
	}
	r.collectGarbage()
}

// collectGarbage frees machine code: the engine unmaps it only when the garbage
// collector finds that nobody has it any more, and knows nothing of its size.
func (r *Registry) collectGarbage() {
	if r.freed >= r.cfg.CodeMemory/16 {
		r.freed = 0
		debug.FreeOSMemory()
	}
}

// loaded are the Actives that have a Snapshot in memory.
func (r *Registry) loaded() (list []*Active) {
	for _, d := range r.current.Load().functions {
		for _, a := range append(d.actives(), d.previews.all()...) {
			if a.ready.Load() != nil {
				list = append(list, a)
			}
		}
	}
	return list
}
