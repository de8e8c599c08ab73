// Package dev serves a project on a node of its own while it is being worked
// on: it builds and deploys it anew after each change, in between the node goes
// on with what was there before, and while the sources can't be built it tells
// why. Start reading at Session.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/mayfly-run/mayfly/runtime/trigger"
	"github.com/valyala/fasthttp"
)

// Config of a Session.
type Config struct {
	Project *build.Project
	Log     io.Writer // for what compilers and the Session have to say
	// Services are Sessions of projects that this one may call. They run on their
	// own, and are built first.
	Services []*Session
}

// Session is a project that is being worked on.
type Session struct {
	dir, name, stage string
	log              io.Writer
	page             *failurePage

	services []*Session
	callers  []*Session    // whose services this is one of
	again    chan struct{} // capacity 1: a service was deployed

	built     chan struct{}                                                         // closed after the first build, good or bad
	scheduled func(ctx context.Context, function, cron string) (trigger.Run, error) // set before built is closed, as queue
	queue     func(ctx context.Context, function string, b *host.QueueBatch) (trigger.Ran, error)

	failure atomic.Pointer[string] // why the sources can't be served; nil: they are
	left    stamps                 // how the last build left the folder
	sources stamps                 // of which module was built; nil if it could not be
	module  []byte
}

// New makes a Session. Run runs it.
func New(cfg Config) (*Session, error) {
	page, err := newFailurePage()
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	m := cfg.Project.Manifest
	s := &Session{
		dir: cfg.Project.Dir, name: m.Name, stage: m.Stage,
		log: cfg.Log, page: page, built: make(chan struct{}),
		services: cfg.Services, again: make(chan struct{}, 1),
	}
	for _, service := range cfg.Services {
		service.callers = append(service.callers, s)
	}
	return s, nil
}

// Built is closed when the project was built for the first time, or could not
// be.
func (s *Session) Built() <-chan struct{} { return s.built }

// Intercept answers requests while the sources can't be built, and lets those
// before the first build wait.
func (s *Session) Intercept(ctx *fasthttp.RequestCtx) bool {
	select {
	case <-s.built:
	case <-ctx.Done(): // the node shuts down
		ctx.Error("shutting down", fasthttp.StatusServiceUnavailable)
		return true
	}
	failure := s.failure.Load()
	if failure == nil {
		return s.interceptScheduled(ctx) || s.interceptQueue(ctx)
	}
	s.page.answer(ctx, s.name, *failure)
	return true
}

// Node is what a Session runs on.
type Node interface {
	Registry() *deploy.Registry
	// RunScheduled sends a Function a scheduled event.
	RunScheduled(ctx context.Context, function, cron string) (trigger.Run, error)
	// RunQueue gives a Function a batch.
	RunQueue(ctx context.Context, function string, b *host.QueueBatch) (trigger.Ran, error)
}

// Run builds and deploys the project, now and after each change, until ctx
// ends.
func (s *Session) Run(ctx context.Context, n Node) error {
	r := n.Registry()
	s.scheduled, s.queue = n.RunScheduled, n.RunQueue
	p, err := build.Open(s.dir, s.stage)
	if err != nil {
		return err
	}
	w, err := Watch(watchedWithAssets(p, s.log))
	if err != nil {
		return err
	}
	defer w.Close()
	s.awaitServices(ctx)
	s.refresh(ctx, r)
	close(s.built)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.again:
			if s.failure.Load() != nil { // perhaps because the service was not there
				s.refresh(ctx, r)
			}
		case <-w.C:
			if !s.madeByBuild(p) {
				s.refresh(ctx, r)
			}
		}
	}
}

func (s *Session) awaitServices(ctx context.Context) {
	for _, service := range s.services {
		select {
		case <-service.built:
		case <-ctx.Done():
		}
	}
}

// tellCallers lets those try again that could not do without this one.
func (s *Session) tellCallers() {
	for _, caller := range s.callers {
		select {
		case caller.again <- struct{}{}:
		default:
		}
	}
}

// refresh builds and deploys what is there now.
func (s *Session) refresh(ctx context.Context, r *deploy.Registry) {
	start := time.Now()
	fmt.Fprintf(s.log, "building %s\n", s.name)
	err := s.deploy(ctx, r)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.fail(err)
	default:
		s.failure.Store(nil)
		fmt.Fprintf(s.log, "%s is up to date (%.1f s)\n", s.name, time.Since(start).Seconds())
		s.tellCallers()
	}
}

// fail shows an error in the terminal, where compilers have written already,
// and on the page.
func (s *Session) fail(err error) {
	text := err.Error()
	if f, ok := errors.AsType[*build.Failed](err); ok {
		text = strings.TrimSpace(string(f.Output)) + "\n\n" + text
	}
	fmt.Fprintf(s.log, "%v\nwaiting for a change\n", err)
	s.failure.Store(&text)
}

func (s *Session) deploy(ctx context.Context, r *deploy.Registry) error {
	p, err := build.Open(s.dir, s.stage)
	if err != nil {
		return err
	}
	module, err := s.build(ctx, p)
	if err != nil {
		return err
	}
	up, err := s.upload(ctx, r, p)
	if err != nil {
		return err
	}
	if err := addAssets(ctx, r, p, &up); err != nil {
		return err
	}
	up.Module, up.Handlers = module, p.Manifest.Handlers()
	if err := s.letGo(ctx, r, up.Handlers); err != nil {
		return err
	}
	if _, err = r.Deploy(ctx, deploy.Local, s.name, up); err != nil {
		return err
	}
	if err := s.setConsumers(ctx, r, p.Manifest.Queues.Consumers); err != nil {
		return err
	}
	return s.setKVTriggers(ctx, r, p.Manifest.Triggers.KV)
}

// letGo takes from the Function what it had to handle before and need not any more.
func (s *Session) letGo(ctx context.Context, r *deploy.Registry, handlers []string) error {
	if !slices.Contains(handlers, "queue") {
		if err := r.ForgetConsumer(ctx, deploy.Local, s.name); err != nil {
			return err
		}
	}
	if slices.Contains(handlers, "kv") {
		return nil
	}
	_, err := r.SetKVTriggers(ctx, deploy.Local, s.name, nil)
	if host.CodeOf(err) == host.CodeNotFound { // there is no Function yet
		return nil
	}
	return err
}

// setKVTriggers has the Function told of changes here. Namespaces that the manifest names
// by id are those that stand for them.
func (s *Session) setKVTriggers(ctx context.Context, r *deploy.Registry, list []deploy.NewKVTrigger) error {
	here := slices.Clone(list)
	for i := range here {
		for _, id := range []*string{&here[i].NamespaceID, &here[i].OnFailure.Namespace} {
			if *id == "" {
				continue
			}
			var err error
			if *id, err = s.namespace(ctx, r, deploy.KVNamespace{ID: *id}); err != nil {
				return err
			}
		}
	}
	_, err := r.SetKVTriggers(ctx, deploy.Local, s.name, here)
	return err
}

// build returns the module of the sources, nil if there are static files only. It
// is not built again where only static files have changed.
func (s *Session) build(ctx context.Context, p *build.Project) ([]byte, error) {
	assets, err := p.AssetsDir()
	if err != nil {
		return nil, err
	}
	noSource := ignored(p, s.log)
	stampSources := func() stamps {
		return stampsIn(p.Dir, func(path string) bool { return noSource(path) || assets != "" && below([]string{assets}, path) })
	}
	sources := stampSources()
	if s.sources != nil && maps.Equal(s.sources, sources) && assets != "" {
		return s.module, nil
	}
	s.sources = nil
	file, err := p.Build(ctx, s.log)
	s.left = stampsOf(p, s.log)
	if err != nil {
		return nil, err
	}
	if loose(p) { // the command may have written some of them
		sources = stampSources()
	}
	s.module = nil
	if file != "" {
		if s.module, err = build.ReadModule(file); err != nil {
			return nil, err
		}
	}
	s.sources = sources
	return s.module, nil
}
