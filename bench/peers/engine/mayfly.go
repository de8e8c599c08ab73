package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/bench/guests"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/runtime"
)

// MayflyConfig says which of Mayfly's engines.
type MayflyConfig struct {
	Simple bool // an instance is made and initialised for each request
	Warmup bool // the guest answers its request once before the snapshot is taken
}

type mayfly struct {
	cfg     MayflyConfig
	runtime *runtime.Runtime
}

// NewMayfly starts an engine of Mayfly's.
func NewMayfly(ctx context.Context, cfg MayflyConfig) (Engine, error) {
	r, err := runtime.New(ctx, runtime.Config{ABIs: []abi.ABI{native.New()}, Simple: cfg.Simple})
	if err != nil {
		return nil, fmt.Errorf("start Mayfly: %w", err)
	}
	return &mayfly{cfg, r}, nil
}

func (m *mayfly) Name() string {
	switch {
	case m.cfg.Simple:
		return "Mayfly, simple engine"
	case m.cfg.Warmup:
		return "Mayfly, snapshot after a warm-up request"
	}
	return "Mayfly, snapshot"
}

func (m *mayfly) Close() error { return m.runtime.Close(context.Background()) }

func (m *mayfly) Prepare(ctx context.Context, g guests.Guest) (Prepared, error) {
	wasm, err := g.Module()
	if err != nil {
		return nil, err
	}
	module, err := m.runtime.Load(ctx, wasm)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	setup := runtime.Setup{Services: services(), Limits: host.DefaultLimits(), Bindings: &host.Bindings{Account: "local", Function: g.Name, Version: "1"}}
	if m.cfg.Warmup {
		setup.Warmup = []host.Request{g.Request()}
	}
	snapshot, err := module.Prepare(ctx, setup)
	if err != nil {
		return nil, fmt.Errorf("take the snapshot: %w", err)
	}
	return &mayflyGuest{module: module, snapshot: snapshot, setup: setup, guest: g, request: g.Request()}, nil
}

// services are a node's, but for those that reach outside.
func services() *host.Services {
	return &host.Services{Fetcher: nowhere{}, Log: nowhere{}, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Random: rand.Reader}
}

// mayflyGuest does what a node does for each request, between HTTP and HTTP.
type mayflyGuest struct {
	module   *runtime.Module
	snapshot *runtime.Snapshot
	setup    runtime.Setup
	guest    guests.Guest
	request  host.Request
	body     strings.Reader
	call     host.Call
	reply    responder
}

func (m *mayflyGuest) Answer() (Reply, error) {
	c := &m.call
	c.Reset()
	c.Services, c.Bindings, c.Limits, c.Request, c.Responder = m.setup.Services, m.setup.Bindings, m.setup.Limits, m.request, &m.reply
	if m.guest.Body != "" {
		m.body.Reset(m.guest.Body)
		c.Request.Body = &m.body
	}
	c.Begin(context.Background())
	if !m.snapshot.Use() {
		return Reply{}, runtime.ErrClosed
	}
	m.reply.Status = 0
	outcome, spent, err := m.snapshot.Invoke(c)
	if spent != nil {
		spent.Recycle() // a node does so after the answer went out; here it counts
	}
	if outcome != host.OutcomeOK {
		return Reply{}, fmt.Errorf("the outcome is %v: %w", outcome, err)
	}
	return m.reply.Reply, nil
}

func (m *mayflyGuest) Close() error { return errors.Join(m.snapshot.Close(), m.module.Close()) }

// responder keeps the answer.
type responder struct{ Reply }

func (r *responder) Respond(status int, _ host.Headers, body []byte) error {
	r.Status, r.Body = status, append(r.Body[:0], body...)
	return nil
}

func (r *responder) Stream(int, host.Headers) (host.BodyWriter, error) {
	return nil, host.Errorf(host.CodeUnsupported, "not in this benchmark")
}

func (r *responder) Detach() error { return nil }

// nowhere is a log and a fetcher for guests that need neither.
type nowhere struct{}

func (nowhere) GuestLog(*host.Call, host.LogLevel, []byte) {}

func (nowhere) Fetch(context.Context, *host.FetchRequest) (*host.FetchResponse, error) {
	return nil, host.Errorf(host.CodeUnavailable, "not in this benchmark")
}
