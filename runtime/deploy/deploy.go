package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
)

// Upload is what becomes a new Version.
type Upload struct {
	Module   []byte // not kept
	Settings Settings
	// Assets are static files; nil if there are none.
	Assets *UploadAssets
	// Routes replace those of the Function; nil leaves them as they are.
	Routes []Route
	// Secrets are put beside those that the newest Version has. A nil text deletes
	// one.
	Secrets map[string]*string
	Author  string // whom the records name; may be empty
	Note
	// Handlers are kinds of events that the module has to handle.
	Handlers []string
	// Alias becomes a name of the Version in the host of its preview.
	Alias string
	// Idle stores the Version, and leaves what serves as it is. The Function has to
	// be there.
	Idle bool
}

// deployFactor is how much disk a deploy takes, in modules: the module twice, its
// machine code, its Snapshot, and some to spare.
const deployFactor = 8

// attempts bounds how often a change is tried again that another node was
// faster with.
const attempts = 5

// Deploy stores a module as a new Version of a Function, which it creates if it
// is new, and lets the Version serve from then on. It compiles, initialises and
// checks everything before it changes anything; whatever happens meanwhile, the
// Function serves its old Version or the new one. An upload that can't be
// served is an *host.Error that says why.
func (r *Registry) Deploy(ctx context.Context, account, name string, up Upload) (Version, error) {
	if err := r.resolveAssets(ctx, account, name, &up); err != nil {
		return Version{}, err
	}
	v, err := r.deploy(ctx, account, name, up)
	r.finishAssets(ctx, up.Assets, err == nil)
	return v, err
}

func (r *Registry) deploy(ctx context.Context, account, name string, up Upload) (Version, error) {
	if err := r.cfg.Room(deployFactor * int64(len(up.Module))); err != nil {
		return Version{}, err
	}
	v := Version{
		ID: newUUID(), Created: r.now(), Author: up.Author, Note: up.Note, Trigger: TriggerUpload,
		Digest: kv.DigestOf(up.Module).String(), Size: int64(len(up.Module)), Settings: up.Settings,
	}
	id := functionID{account, name}
	secrets, err := r.newSecretChange(up.Secrets)
	if err != nil {
		return Version{}, err
	}
	d := &draft{upload: up, version: &v, secrets: secrets}
	var s *snapshot
	var f Function
	err = r.checkUpToDate(ctx, func(ctx context.Context, now *snapshot) (err error) {
		s = now
		if f, err = r.plan(ctx, s, id, d); err != nil {
			return err
		}
		return r.checkVersion(s, f, v)
	})
	if err != nil {
		return Version{}, err // before the work of compiling
	}
	if err := r.announce(ctx, up.Module); err != nil {
		return Version{}, err
	}
	if err := r.prepare(ctx, s, f, d); err != nil {
		return Version{}, err
	}
	err = r.change(ctx, id, func(ctx context.Context, s *snapshot) error { return r.commit(ctx, s, id, d) })
	if err != nil || up.Idle {
		err = errors.Join(err, d.snapshot.Close())
	}
	if err != nil {
		return Version{}, err
	}
	return v, nil
}

// draft is a Version on its way.
type draft struct {
	upload   Upload
	version  *Version
	secrets  secretChange
	snapshot *runtime.Snapshot
	encoded  []byte // the snapshot; nil if it need not be kept
	stored   bool   // all but the Function's record
}

// prepare compiles the module of a draft and takes its Snapshot.
func (r *Registry) prepare(ctx context.Context, s *snapshot, f Function, d *draft) error {
	setup, err := r.setup(s, f, *d.version)
	if err != nil {
		return err
	}
	m, err := r.cfg.Runtime.Load(ctx, d.upload.Module)
	if err != nil {
		return fmt.Errorf("load module: %w", err)
	}
	defer m.Close()
	if err := checkMemory(m.MinMemory, setup.Limits.Memory); err != nil {
		return err
	}
	if d.snapshot, err = m.Prepare(ctx, setup); err != nil {
		return fmt.Errorf("prepare %s/%s: %w", f.Account, f.Name, err)
	}
	d.version.Handlers = d.snapshot.Handles().Names()
	if err := d.version.needsHandlers(d.upload.Handlers); err != nil {
		return errors.Join(err, d.snapshot.Close())
	}
	if !r.cfg.Runtime.Restores() {
		return nil
	}
	if d.encoded, err = d.snapshot.Encode(); err != nil {
		return errors.Join(err, d.snapshot.Close())
	}
	return nil
}

// plan is the Function as it would be with a draft, whose Version gets its number
// and secrets.
func (r *Registry) plan(ctx context.Context, s *snapshot, id functionID, d *draft) (Function, error) {
	f, v := Function{Account: id.account, Name: id.name}, d.version
	base := Version{}
	if now := s.functions[id]; now != nil {
		f = now.Function
		var err error
		if base, err = r.version(ctx, now, f.newest()); err != nil {
			return f, err
		}
	} else if d.upload.Idle {
		_, err := s.function(id.account, id.name)
		return f, err
	}
	v.Secrets = d.secrets.appliedTo(base.Secrets)
	if f = f.with(v); !d.upload.Idle {
		f = f.deployedAs(Deployment{ID: newUUID(), Created: v.Created, Author: v.Author, Message: v.Message, Versions: []Share{{v.ID, 100}}})
	}
	if d.upload.Routes != nil {
		f.Routes = d.upload.Routes
	}
	if d.upload.Alias != "" {
		var err error
		if f, err = f.withAlias(d.upload.Alias, v.ID); err != nil {
			return f, err
		}
	}
	return f.keeping(r.cfg.KeepVersions), nil
}

// change lets do write one change of a Function and put it into a copy of the
// snapshot, publishes that, and removes what the Function no longer has. A change
// that has begun is not interrupted when ctx ends.
func (r *Registry) change(ctx context.Context, id functionID, do func(context.Context, *snapshot) error) error {
	return r.exclusively(ctx, func(ctx context.Context) error { return r.attempt(ctx, id, do) })
}

// attempt needs r.mu.
func (r *Registry) attempt(ctx context.Context, id functionID, do func(context.Context, *snapshot) error) error {
	for range attempts {
		last := r.current.Load()
		next := last.clone()
		err := do(ctx, next)
		if err == nil {
			r.publish(next)
			r.prune(ctx, id, last.functions[id], next.functions[id])
			return nil
		}
		if _, refused := errors.AsType[*host.Error](err); refused {
			return err
		}
		// The record is not what the snapshot says, or may have been written
		// although the store returned an error.
		if fresh := r.refresh(ctx, functionRecord(id)); fresh != nil {
			return errors.Join(err, fresh)
		}
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
	return host.Errorf(host.CodeConflict, "Function %s is being changed by others; try again", id.name)
}

// publish lets a snapshot answer lookups, and gives back what only the one
// before needs. It needs r.mu.
func (r *Registry) publish(next *snapshot) {
	last := r.current.Swap(next)
	r.logChanges(next)
	for id, d := range last.functions {
		now := next.functions[id]
		if now == d {
			continue
		}
		for _, a := range d.actives() {
			if now == nil || !now.has(a.residence) {
				a.retire()
			}
		}
		if now == nil {
			d.previews.retire(nil)
			r.noteLive(d.id(), now)
			continue
		}
		d.previews.retire(func(a *Active) bool {
			return slices.Contains(now.Versions, a.VersionID) && !now.serves(a.VersionID)
		})
		r.noteLive(d.id(), now)
	}
	if len(next.disputed) > len(last.disputed) {
		r.cfg.Logger.Warn("two Functions have the same route, and the one that was changed longer ago is served; take it from one of them", "patterns", next.disputed)
	}
}

// noteLive has a Function loaded if something else than its newest Deployment serves.
func (r *Registry) noteLive(id functionID, d *deployed) {
	switch {
	case r.cluster == nil:
	case d == nil || d.live == d.serving:
		r.cluster.behind.forget(id)
	default:
		r.bringUp(d)
	}
}

// refresh takes records into the snapshot, after a write that failed or seemed to. It
// needs r.mu.
func (r *Registry) refresh(ctx context.Context, keys ...string) error {
	ctx = context.WithoutCancel(ctx)
	if err := kv.Sync(ctx, r.cfg.Store); err != nil {
		r.cfg.Logger.Warn("what has become of a change is not known yet", "records", keys, "err", err)
	}
	_, err := r.apply(ctx, keys)
	return err
}

// commit writes a Version and the Function that has it. The order makes the
// Function's record the moment of the switch: before it, what was written is a
// leftover that the next start removes; after it, everything is there.
func (r *Registry) commit(ctx context.Context, s *snapshot, id functionID, d *draft) error {
	f, err := r.plan(ctx, s, id, d)
	if err != nil {
		return err
	}
	if err := r.checkVersion(s, f, *d.version); err != nil {
		return err
	}
	if err := s.checkHandlers(f, *d.version); err != nil && !d.upload.Idle {
		return err
	}
	var fresh []*Active // what nobody asks for needs no secrets
	if !d.upload.Idle {
		a, err := r.activate(s, f, *d.version, r.newSecrets(ctx, id, *d.version, d.secrets))
		if err != nil {
			return err
		}
		fresh = append(fresh, a)
	}
	next, err := r.serve(ctx, s, f, s.functions[id], fresh...)
	if err != nil {
		return err
	}
	if err := r.store(ctx, id, d); err != nil {
		return err
	}
	if !d.upload.Idle {
		next.live = next.serving // its code is here already
	}
	if err := r.put(ctx, s, next); err != nil {
		return err
	}
	for _, a := range fresh {
		a.serve(d.snapshot)
	}
	return nil
}

// put writes the record of a Function, and puts it into a snapshot that is not
// published yet.
func (r *Registry) put(ctx context.Context, s *snapshot, d *deployed) (err error) {
	s.functions[d.id()] = d
	if err := s.buildTable(); err != nil {
		return err
	}
	d.revision, err = write(ctx, r.cfg.Store, functionRecord(d.id()), d.Function, kv.PutOptions{If: kv.IfRevision(d.revision)})
	return err
}

// store writes everything of a draft that nobody looks for yet. A commit that is
// tried again finds it there, but for the Version's number.
func (r *Registry) store(ctx context.Context, id functionID, d *draft) error {
	v := d.version
	if !d.stored {
		if _, err := r.cfg.Blobs.Put(ctx, d.upload.Module); err != nil {
			return fmt.Errorf("store module: %w", err)
		}
		if err := r.storeSnapshot(ctx, snapshotRecord(id, v.ID), d.encoded); err != nil {
			return err
		}
		if err := r.storeSecrets(ctx, id, d.secrets); err != nil {
			return err
		}
		r.hold(v.Digest)
		d.stored = true
	}
	_, err := write(ctx, r.cfg.Store, versionRecord(id, v.ID), *v, kv.PutOptions{Metadata: []byte(v.Digest)})
	if err != nil {
		return err
	}
	return r.rescue(ctx, true, d.upload.Module, d.encoded)
}
