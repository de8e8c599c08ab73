package deploy

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime/telemetry"
)

// measured is what one node has counted of the Versions of a Deployment, by their ids.
type measured map[string]telemetry.Sample

// How long others believe what a node has counted, and how soon it says so again.
const (
	measuredTime = time.Hour
	measuredSoon = measuredTime / 4
)

// told is what this node has told of its counts.
type told struct {
	of string // id of the Deployment
	measured
	at time.Time
}

// measure is what all nodes have counted of a Deployment that is being rolled out. This
// one tells the others, unless it has nothing new.
func (r *Registry) measure(ctx context.Context, d *deployed, last told) (all measured, now told, err error) {
	own := measured{}
	for _, a := range d.serving.actives() {
		own[a.VersionID] = a.watched().Sample()
	}
	if r.cluster == nil {
		return own, told{}, nil
	}
	id := d.Deployments[0].ID
	if now = (told{id, own, r.now()}); last.of == id && last.same(own) && now.at.Sub(last.at) < measuredSoon {
		now = last
	} else if err := r.tell(ctx, now); err != nil {
		return nil, last, err
	}
	if !r.leads() {
		return nil, now, nil
	}
	all, err = r.sum(ctx, id)
	return all, now, err
}

func (m measured) same(other measured) bool {
	return maps.EqualFunc(m, other, func(a, b telemetry.Sample) bool { return a.Failed == b.Failed && maps.Equal(a.Buckets, b.Buckets) })
}

func (r *Registry) tell(ctx context.Context, t told) error {
	key := outcomeRecords + t.of + "/" + r.cluster.Node
	_, err := write(ctx, r.cfg.Store, key, t.measured, kv.PutOptions{Expires: t.at.Add(measuredTime)})
	return err
}

// sum adds up what all nodes have told.
func (r *Registry) sum(ctx context.Context, deployment string) (measured, error) {
	all := measured{}
	err := keys(ctx, r.cfg.Store, outcomeRecords+deployment+"/", func(e kv.Entry) error {
		m, _, err := read[measured](ctx, r.cfg.Store, e.Key)
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		for version, s := range m {
			sum := all[version]
			sum.Add(s)
			all[version] = sum
		}
		return err
	})
	return all, err
}
