package natskv_test

import (
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/kvtest"
	"github.com/mayfly-run/mayfly/kv/natskv"
)

func TestStore(t *testing.T) {
	server, bucket := mustServer(t, t.TempDir(), -1), buckets()
	kvtest.Run(t, func(t *testing.T, now func() time.Time) kv.Store {
		return mustOpen(t, natskv.Config{URL: server.ClientURL(), Bucket: bucket(), Now: now})
	})
}

func TestChanges(t *testing.T) {
	server, bucket := mustServer(t, t.TempDir(), -1), buckets()
	kvtest.RunChanges(t, func(t *testing.T, now func() time.Time) kv.Store {
		return mustOpen(t, natskv.Config{URL: server.ClientURL(), Bucket: bucket(), Now: now})
	})
}

func TestBlobs(t *testing.T) {
	server, bucket := mustServer(t, t.TempDir(), -1), buckets()
	kvtest.RunBlobs(t, func(t *testing.T) kv.Blobs {
		return mustOpen(t, natskv.Config{URL: server.ClientURL(), Bucket: bucket()}).Blobs()
	})
}
