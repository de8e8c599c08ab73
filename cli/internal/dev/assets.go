package dev

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/cli/internal/site"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// watchedWithAssets are the folders with sources and that with static files, and
// what of them is neither.
func watchedWithAssets(p *build.Project, log io.Writer) ([]string, func(string) bool) {
	dirs, noSource := watched(p), ignored(p, log)
	assets, err := p.AssetsDir()
	if err != nil || assets == "" {
		return dirs, noSource // the first deploy tells
	}
	if info, err := os.Stat(assets); err == nil && info.IsDir() {
		dirs = append(dirs, assets)
	}
	return dirs, func(path string) bool { return noSource(path) && !below([]string{assets}, path) }
}

// addAssets adds the static files to an upload, of which those are stored that are
// new.
func addAssets(ctx context.Context, r *deploy.Registry, p *build.Project, up *deploy.Upload) error {
	dir, err := p.AssetsDir()
	if err != nil || dir == "" {
		return err
	}
	folder, err := site.Read(dir)
	if err != nil {
		return err
	}
	token, missing, err := r.BeginAssets(ctx, deploy.Local, p.Manifest.Name, folder.Manifest(), deploy.Token{})
	if err != nil {
		return err
	}
	files := folder.ByHash()
	for _, bucket := range missing {
		for _, hash := range bucket {
			data, err := os.ReadFile(files[hash].Name)
			if err != nil {
				return fmt.Errorf("read static file: %w", err)
			}
			if err := r.PutAsset(ctx, token, hash, data, files[hash].Type); err != nil {
				return err
			}
		}
	}
	up.Settings.Assets = &deploy.Assets{Binding: p.Manifest.Assets.Binding, Config: folder.Config(p.Manifest.Assets)}
	up.Assets = &deploy.UploadAssets{Session: token}
	return nil
}
