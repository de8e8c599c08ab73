package natskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/internal/changelog"
)

// keptRule is a kv.ChangeRule in Config.Dir: what waits there for the cluster may be
// sent before anybody gave rules after a start, and is logged by those of before.
type keptRule struct {
	Prefix []byte        `json:"prefix"` // which need not be UTF-8
	Log    []byte        `json:"log"`
	Keep   time.Duration `json:"keep_ns"`
}

func (s *Store) rulesFile() string { return filepath.Join(s.cfg.Dir, "rules") }

// LogChanges implements kv.ChangeLogger. The records of a change and its entry are
// messages that the server stores together, in this order, and that nodes apply
// together.
func (s *Store) LogChanges(ctx context.Context, list []kv.ChangeRule) error {
	rules, err := changelog.New(list)
	if err != nil {
		return err
	}
	if err := s.life.Enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	if s.cfg.Offline != nil {
		if err := s.keepRules(list); err != nil {
			return fmt.Errorf("keep rules of changes: %w", err)
		}
	}
	s.rules.Store(rules)
	return nil
}

func (s *Store) keepRules(list []kv.ChangeRule) error {
	kept := make([]keptRule, len(list))
	for i, r := range list {
		kept[i] = keptRule{[]byte(r.Prefix), []byte(r.Log), r.Keep}
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	temp := s.rulesFile() + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, s.rulesFile())
}

// loadRules has what waits for the cluster logged as when it was written.
func (s *Store) loadRules() error {
	data, err := os.ReadFile(s.rulesFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	rules, err := parseRules(data)
	if err != nil {
		return fmt.Errorf("read %s: %w", s.rulesFile(), err)
	}
	s.rules.Store(rules)
	return nil
}

func parseRules(data []byte) (*changelog.Rules, error) {
	var kept []keptRule
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, err
	}
	list := make([]kv.ChangeRule, len(kept))
	for i, r := range kept {
		list[i] = kv.ChangeRule{Prefix: string(r.Prefix), Log: string(r.Log), Keep: r.Keep}
	}
	return changelog.New(list)
}
