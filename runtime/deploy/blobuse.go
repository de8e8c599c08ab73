package deploy

import (
	"context"
	"errors"

	"github.com/mayfly-run/mayfly/kv"
)

// On one node a blob is removed with the last record that names it: r.uses counts them.
// In a cluster others may name it at this moment. So there it is only marked as
// perhaps garbage, and looked at later, see garbage.go. Who has stored a blob and then
// a record of it takes away the mark.

// hold counts a record of a blob, or one that will come. It needs r.mu.
func (r *Registry) hold(digest string) {
	if r.cluster == nil {
		r.uses[digest]++
	}
}

// release ends a use of a blob. It needs r.mu.
func (r *Registry) release(ctx context.Context, digest string) error {
	d, err := kv.ParseDigest(digest)
	if r.cluster != nil {
		return errors.Join(err, r.suspect(ctx, d))
	}
	if r.uses[digest]--; r.uses[digest] > 0 {
		return nil
	}
	delete(r.uses, digest)
	if err != nil {
		return err
	}
	return r.cfg.Blobs.Delete(ctx, d)
}

// holdAll counts uses of blobs that are about to be stored, so that nobody removes
// them meanwhile.
func (r *Registry) holdAll(digests []kv.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range digests {
		r.hold(d.String())
	}
}

func (r *Registry) releaseAll(ctx context.Context, digests []kv.Digest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.releaseEach(context.WithoutCancel(ctx), digests)
}

// releaseEach needs r.mu.
func (r *Registry) releaseEach(ctx context.Context, digests []kv.Digest) (err error) {
	for _, d := range digests {
		err = errors.Join(err, r.release(ctx, d.String()))
	}
	return err
}
