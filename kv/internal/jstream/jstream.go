// Package jstream has what the stores in NATS JetStream share: what errors of the
// servers mean, and how streams get their replicas.
package jstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
)

// Codes of the server that package jetstream has no name for. (Source:
// server/errors.json of nats-server.)
const (
	codeNoPeers      jetstream.ErrorCode = 10005 // no suitable peers for placement
	codeInsufficient jetstream.ErrorCode = 10023
	codeMemoryLimit  jetstream.ErrorCode = 10028
	codeStorageLimit jetstream.ErrorCode = 10047
	codeNotClustered jetstream.ErrorCode = 10074 // replicas > 1 not supported in non-clustered mode
	codeStoreFailed  jetstream.ErrorCode = 10077 // among others: maximum bytes exceeded

	CodeInUse jetstream.ErrorCode = 10058 // there is a stream of this name, made otherwise
)

// CodeOf is the code of an error that a server answered with, or 0.
func CodeOf(err error) jetstream.ErrorCode {
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		return e.ErrorCode
	}
	if e, ok := errors.AsType[jetstream.JetStreamError](err); ok && e.APIError() != nil {
		return e.APIError().ErrorCode
	}
	return 0
}

// Failure is how an error of NATS is returned: a full disk is kv.ErrNoSpace, and all
// else kv.ErrUnavailable, whatever it is: nothing is known about what the cluster did.
func Failure(step string, err error) error {
	switch CodeOf(err) {
	case codeInsufficient, codeMemoryLimit, codeStorageLimit, codeStoreFailed:
		return fmt.Errorf("%s: %w: %w", step, kv.ErrNoSpace, err)
	}
	return fmt.Errorf("%s: %w: %w", step, kv.ErrUnavailable, err)
}

// ReplicateEvery is how often it is tried to give streams the replicas they lack.
const ReplicateEvery = time.Minute

// Replicas is how many a stream is to have: as many as are configured, or three where
// 0 leaves the choice to us.
func Replicas(configured int) int {
	if configured > 0 {
		return configured
	}
	return 3
}

// TooManyReplicas says that the cluster has no room for so many.
func TooManyReplicas(err error) bool {
	code := CodeOf(err)
	return code == codeNoPeers || code == codeNotClustered
}

// Create makes a stream with Replicas, or with one if there is no room for more and
// the choice is ours.
func Create(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig, configured int) (jetstream.Stream, error) {
	cfg.Replicas = Replicas(configured)
	made, err := js.CreateStream(ctx, cfg)
	if configured == 0 && TooManyReplicas(err) {
		cfg.Replicas = 1
		return js.CreateStream(ctx, cfg)
	}
	return made, err
}
