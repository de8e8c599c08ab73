package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// sessionRecord is what other nodes are told of a session. Which of its files are there
// they know by the records of the files.
type sessionRecord struct {
	Account  string               `json:"account"`
	Function string               `json:"function"`
	Token    Token                `json:"token"`
	Began    time.Time            `json:"began"`
	Expires  time.Time            `json:"expires"`
	Pending  int64                `json:"pending"`
	Files    map[string]AssetFile `json:"files"`
}

func (k sessionKey) record() string { return sessionRecords + hex.EncodeToString(k[:]) }

// storeSession tells other nodes, if there are any, of a session.
func (r *Registry) storeSession(ctx context.Context, key sessionKey, s *assetSession) error {
	if r.cluster == nil {
		return nil
	}
	record := sessionRecord{s.account, s.function, s.token, s.began, s.expires, s.pending, s.files}
	_, err := write(ctx, r.cfg.Store, key.record(), record, kv.PutOptions{Expires: s.expires})
	return err
}

// removeSession tells other nodes that a session has ended. If it can't, the session
// expires.
func (r *Registry) removeSession(ctx context.Context, key sessionKey) {
	if r.cluster == nil {
		return
	}
	if err := r.cfg.Store.Delete(ctx, key.record(), kv.DeleteOptions{}); err != nil {
		r.cfg.Logger.Warn("end upload of static files", "err", err)
	}
}

// endSessions ends those of an account.
func (r *Registry) endSessions(ctx context.Context, account string) error {
	for _, key := range r.files.sessionsOf(account) {
		if r.cluster != nil {
			if err := r.cfg.Store.Delete(ctx, key.record(), kv.DeleteOptions{}); err != nil {
				return fmt.Errorf("end upload of static files: %w", err)
			}
		}
		r.files.mu.Lock()
		if r.files.sessions[key] != nil {
			r.files.end(key)
		}
		r.files.mu.Unlock()
	}
	return nil
}

func (s *assetStore) sessionsOf(account string) (list []sessionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, session := range s.sessions {
		if session.account == account {
			list = append(list, key)
		}
	}
	return list
}

// findSession takes what other nodes have told of a session, if this one does not know
// it, or knows of files that are missing. On one node there is nothing to find.
func (r *Registry) findSession(ctx context.Context, token string) error {
	if r.cluster == nil {
		return nil
	}
	key := sessionKey(sha256.Sum256([]byte(token)))
	missing, known := r.files.missing(key)
	if known && len(missing) == 0 {
		return nil
	}
	if known || r.cluster.asks.Allow() { // who has no token may ask, too, but not for ever
		if err := kv.Sync(ctx, r.cfg.Store); err != nil && !known {
			return err
		}
	}
	if err := r.applySession(ctx, key.record()); err != nil {
		return err
	}
	missing, _ = r.files.missing(key)
	for _, id := range missing { // until one has not come
		if err := r.applyFile(ctx, assetRecords+id.key()); err != nil {
			return err
		}
		if _, there := r.files.file(id.account, id.name); !there {
			break
		}
	}
	return nil
}

// missing are the files that have not arrived, as far as this node knows.
func (s *assetStore) missing(key sessionKey) (list []assetID, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[key]
	if session == nil {
		return nil, false
	}
	for hash := range session.missing {
		list = append(list, assetID{session.account, hash})
	}
	return list, true
}

// findFile takes a record of a file that another node, or another upload just now, has
// written.
func (r *Registry) findFile(ctx context.Context, key string) error {
	if err := kv.Sync(ctx, r.cfg.Store); err != nil {
		return err
	}
	return r.applyFile(ctx, key)
}

// applyAsset takes a record of a static file, of a list of them, or of a session as the
// Store has it.
func (r *Registry) applyAsset(ctx context.Context, key string) error {
	if strings.HasPrefix(key, sessionRecords) {
		return r.applySession(ctx, key)
	}
	return r.applyFile(ctx, key)
}

func (r *Registry) applyFile(ctx context.Context, key string) error {
	records, path := assetRecords, strings.TrimPrefix(key, assetRecords)
	if strings.HasPrefix(key, manifestRecords) {
		records, path = manifestRecords, strings.TrimPrefix(key, manifestRecords)
	}
	account, name, _ := strings.Cut(path, "/")
	e, err := r.cfg.Store.Get(ctx, key)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	st := r.files
	st.mu.Lock()
	defer st.mu.Unlock()
	if err != nil {
		delete(st.of(records), assetID{account, name})
		return nil
	}
	f, err := parseAsset(e.Metadata)
	if err != nil {
		return fmt.Errorf("read record %s: %w", key, err)
	}
	st.of(records)[assetID{account, name}] = f
	st.known[account], st.unswept[account] = true, true // who uses it may be gone already
	for _, session := range st.sessions {
		if session.account == account && records == assetRecords {
			delete(session.missing, name)
		}
	}
	return nil
}

func (r *Registry) applySession(ctx context.Context, record string) error {
	var key sessionKey
	if n, err := hex.Decode(key[:], []byte(strings.TrimPrefix(record, sessionRecords))); err != nil || n != len(key) {
		return nil // of nobody
	}
	told, _, err := read[sessionRecord](ctx, r.cfg.Store, record)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	st := r.files
	st.mu.Lock()
	defer st.mu.Unlock()
	known := st.sessions[key]
	switch {
	case err != nil && known != nil:
		st.end(key)
	case err == nil && known == nil:
		st.add(key, st.told(told))
	}
	return nil
}

// told makes a session of what another node has told. It needs s.mu.
func (s *assetStore) told(t sessionRecord) *assetSession {
	session := &assetSession{account: t.Account, function: t.Function, token: t.Token, began: t.Began, expires: t.Expires,
		files: t.Files, sizes: map[string]int64{}, missing: map[string]int64{}, pending: t.Pending}
	for _, f := range t.Files {
		session.sizes[f.Hash] = f.Size
		if _, there := s.files[assetID{t.Account, f.Hash}]; !there {
			session.missing[f.Hash] = f.Size
		}
	}
	return session
}

// records adds the keys of all records that are known to a set.
func (s *assetStore) records(all map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.files {
		all[assetRecords+id.key()] = true
	}
	for id := range s.manifests {
		all[manifestRecords+id.key()] = true
	}
	for key := range s.sessions {
		all[key.record()] = true
	}
}
