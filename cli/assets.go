package cli

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/cli/internal/site"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"golang.org/x/sync/errgroup"
)

// assetUploads is how many groups of static files are sent at the same time: more
// would wait on the node.
const assetUploads = 2

// sendAssets sends the static files that the node does not have, and says how many
// these were.
func (d *deployCommand) sendAssets(ctx context.Context, client *api.Client, m *deploy.Manifest) (*api.Assets, error) {
	folder, err := site.Read(d.assets)
	if err != nil {
		return nil, err
	}
	config := folder.Config(m.Assets)
	if err := config.Check(); err != nil {
		return nil, fmt.Errorf("static files in %s: %w", d.assets, err)
	}
	begun, err := client.BeginAssets(ctx, m.Name, folder.Manifest())
	if err != nil {
		return nil, err
	}
	files := folder.ByHash()
	missing := map[string]bool{}
	for _, bucket := range begun.Buckets {
		for _, hash := range bucket {
			missing[hash] = true
		}
	}
	if err := d.sendBuckets(ctx, client, begun, files, len(missing)); err != nil {
		return nil, err
	}
	sent := 0
	for _, f := range folder.Files {
		if missing[f.Hash] {
			sent++
		}
	}
	fmt.Fprintf(d.stdio.Err, "%d of %d files uploaded, %d unchanged\n", sent, len(folder.Files), len(folder.Files)-sent)
	return &api.Assets{JWT: begun.JWT, Config: config}, nil
}

func (d *deployCommand) sendBuckets(ctx context.Context, client *api.Client, begun api.AssetUpload, files map[string]site.File, total int) error {
	line := startProgress(d.stdio, "uploading files")
	defer line.Done()
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(assetUploads)
	var done atomic.Int64
	for _, bucket := range begun.Buckets {
		tasks.Go(func() error {
			err := client.UploadAssets(ctx, begun, bucket, func(hash string) ([]byte, string, error) { return readAsset(files, hash) })
			line.Set("%d of %d", done.Add(int64(len(bucket))), total)
			return err
		})
	}
	return tasks.Wait()
}

func readAsset(files map[string]site.File, hash string) ([]byte, string, error) {
	f, ok := files[hash]
	if !ok {
		return nil, "", fmt.Errorf("the node asks for a file with the hash %s, which was not announced", hash)
	}
	data, err := os.ReadFile(f.Name)
	if err != nil {
		return nil, "", fmt.Errorf("read static file: %w", err)
	}
	return data, f.Type, nil
}
