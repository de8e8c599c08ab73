package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// EnsureAdminToken makes sure that the file holds a token for administrators,
// with mode 0600. If it is missing or holds none that is known, a new one is
// made, and those made for the file before are revoked.
func (r *Registry) EnsureAdminToken(ctx context.Context, path string) error {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read admin token: %w", err)
	}
	if t, ok := r.Authenticate(strings.TrimSpace(string(data))); ok && t.Kind == KindAdmin {
		return os.Chmod(path, 0o600)
	}
	if err == nil {
		r.cfg.Logger.Warn("the admin token in the file is not known to this node; making a new one", "file", path)
	}
	node := ""
	if r.cluster != nil {
		node = r.cluster.Node
	}
	text, t, err := r.createToken(ctx, Token{Name: "admin token file", File: true, Node: node})
	if err != nil {
		return fmt.Errorf("make admin token: %w", err)
	}
	if err := writeFile(path, text+"\n"); err != nil {
		return fmt.Errorf("write admin token: %w", err)
	}
	return r.revokeFileTokens(ctx, t)
}

// revokeFileTokens revokes the tokens of the file but one. Those of other nodes stay.
func (r *Registry) revokeFileTokens(ctx context.Context, keep Token) error {
	tokens, err := r.Tokens("")
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if !t.File || t.ID == keep.ID || t.Node != "" && t.Node != keep.Node {
			continue
		}
		if err := r.RevokeToken(ctx, "", t.ID); err != nil {
			return err
		}
	}
	return nil
}

// writeFile replaces a file as a whole, readable by its owner only.
func writeFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".admin-token-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // there is nothing to remove once it is renamed
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
