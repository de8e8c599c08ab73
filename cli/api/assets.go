package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"

	"github.com/mayfly-run/mayfly/runtime/assets"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// Assets are the static files of an upload.
type Assets struct {
	JWT    string        `json:"jwt"`
	Config assets.Config `json:"config"`
}

// AssetUpload is an upload of static files that has begun.
type AssetUpload struct {
	JWT string `json:"jwt"`
	// Buckets are the hashes of the files that the node does not have, in groups of
	// one request each.
	Buckets [][]string `json:"buckets"`
}

// BeginAssets announces the static files of a Function, by their path.
func (c *Client) BeginAssets(ctx context.Context, name string, files map[string]deploy.AssetFile) (u AssetUpload, err error) {
	_, err = c.send(ctx, http.MethodPost, c.account("workers", "scripts", name, "assets-upload-session"), map[string]any{"manifest": files}, &u)
	return u, err
}

// UploadAssets sends one group of files. read returns a file and its Content-Type.
func (c *Client) UploadAssets(ctx context.Context, u AssetUpload, hashes []string, read func(hash string) (data []byte, kind string, err error)) error {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, hash := range hashes {
		data, kind, err := read(hash)
		if err != nil {
			return err
		}
		if kind == "" {
			kind = "application/null" // what wrangler sends for none
		}
		text := base64.StdEncoding.AppendEncode(nil, data)
		if err := addPart(w, hash, hash, kind, text); err != nil {
			return fmt.Errorf("encode upload: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("encode upload: %w", err)
	}
	ctx, watched := watch(ctx, bytes.NewReader(b.Bytes()), nil)
	defer watched.stop()
	session := *c
	session.cfg.Token = u.JWT
	var done json.RawMessage
	_, err := session.envelope(ctx, http.MethodPost, c.account("workers", "assets", "upload")+"?base64=true", w.FormDataContentType(), watched, &done)
	return err
}
