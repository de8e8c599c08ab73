//go:build linux

package worker

import (
	"context"
	"errors"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/kv"
)

// store checks and prepares an operation of KV.
func (s *session) store(q *question) (work, error) {
	store, ok := s.c.Bindings.KV[string(q.Name)]
	if !ok {
		return work{}, host.Errorf(host.CodeNotFound, "no KV namespace is bound to %.64q", q.Name)
	}
	work, err := s.operation(store, q)
	return s.counted("kv", operations[q.Op], work, err)
}

// operations are the names of those of KV and queues.
var operations = map[op]string{opGet: "get", opPut: "put", opDelete: "delete", opList: "list", opGetEach: "get", opSend: "send", opBacklog: "metrics"}

func (s *session) operation(store kv.Store, q *question) (work, error) {
	switch q.Op {
	case opList:
		return s.list(store, q)
	case opGetEach:
		return s.getEach(store, q)
	}
	if err := kv.CheckKey(string(q.Key)); err != nil {
		return work{}, err
	}
	compare := kv.AnyRevision
	if q.Compare {
		compare = kv.IfRevision(q.Revision)
	}
	switch q.Op {
	case opPut:
		return s.put(store, q, compare)
	case opDelete:
		return simply(func(ctx context.Context) (reply, error) {
			return reply{}, store.Delete(ctx, string(q.Key), kv.DeleteOptions{If: compare})
		})
	}
	return simply(func(ctx context.Context) (reply, error) {
		e, err := store.Get(ctx, string(q.Key))
		if err != nil {
			return reply{}, err
		}
		return reply{Entries: []entry{entryOf(e)}}, nil
	})
}

func (s *session) getEach(store kv.Store, q *question) (work, error) {
	if len(q.Keys) > host.MaxKeys {
		return work{}, host.Errorf(host.CodeInvalid, "%d keys at once", len(q.Keys))
	}
	keys := make([]string, len(q.Keys))
	for i, key := range q.Keys {
		keys[i] = string(key)
		if err := kv.CheckKey(keys[i]); err != nil {
			return work{}, err
		}
	}
	return simply(func(ctx context.Context) (reply, error) {
		r := reply{Entries: make([]entry, len(keys))}
		err := host.GetEach(ctx, store, keys, int(max(0, min(q.N, host.MaxKeysBytes))), func(i int, e kv.Entry) error {
			r.Entries[i] = entryOf(e)
			return nil
		})
		if err != nil {
			return reply{}, err
		}
		return r, nil
	})
}

func (s *session) put(store kv.Store, q *question, compare kv.Condition) (work, error) {
	if err := errors.Join(kv.CheckValue(int64(len(q.Data))), kv.CheckMetadata(q.Metadata)); err != nil {
		return work{}, err
	}
	opts := kv.PutOptions{Metadata: q.Metadata, Expires: timeOf(q.Expires), If: compare}
	if seconds := q.Expires / 1000; q.Expires != 0 {
		if _, err := kv.ExpireAt(seconds, s.c.Services.Now(), 0); err != nil {
			return work{}, err
		}
	}
	return simply(func(ctx context.Context) (reply, error) {
		revision, err := store.Put(ctx, string(q.Key), q.Data, opts)
		if err != nil {
			return reply{}, err
		}
		return reply{Entries: []entry{{Revision: revision}}}, nil
	})
}

func (s *session) list(store kv.Store, q *question) (work, error) {
	opts := kv.ListOptions{Prefix: string(q.Key), Cursor: string(q.Cursor), Limit: int(q.N)}
	if err := errors.Join(kv.CheckListLimit(opts.Limit), kv.CheckKeyPrefix(opts.Prefix)); err != nil {
		return work{}, err
	}
	return simply(func(ctx context.Context) (reply, error) {
		page, err := store.List(ctx, opts)
		if err != nil {
			return reply{}, err
		}
		r := reply{Cursor: text(page.Cursor)}
		for _, e := range page.Entries {
			r.Entries = append(r.Entries, entryOf(e))
		}
		return r, nil
	})
}
