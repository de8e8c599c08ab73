package api

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/mayfly-run/mayfly/kv/backup"
)

// Backup begins to download a backup of the whole node. It has to be verified: a
// node that fails half-way ends the stream early. The caller closes it.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.cfg.Base+"/mayfly/backup", nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	_, err = open(resp.StatusCode, reply, nil)
	return nil, err
}

// Restore brings a backup into a running cluster that has not been used, which takes
// as long as it takes.
func (c *Client) Restore(ctx context.Context, file io.Reader) (sum backup.Summary, err error) {
	_, err = c.envelope(ctx, http.MethodPut, path("mayfly", "backup"), "application/octet-stream", file, &sum)
	return sum, err
}
