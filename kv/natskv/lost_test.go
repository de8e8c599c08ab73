package natskv_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/kv/natskv"
	"github.com/mayfly-run/mayfly/kv/porttest"
)

// wantDiverged opens the copy in dir, which has k=v and a blob, and checks that it is
// read as it is, and kept apart from what the cluster has now.
func wantDiverged(t *testing.T, cfg natskv.Config, problem string) {
	t.Helper()
	cfg.Wait = time.Hour // it must not be waited for
	s := mustOpen(t, cfg)
	wantAway(t, s)
	if p := s.Status().Problem; !strings.Contains(p, problem) {
		t.Errorf("got problem %q, want %q", p, problem)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// filled has what wantDiverged looks for, and some more.
func filled(t *testing.T, cfg natskv.Config) {
	t.Helper()
	s := mustOpen(t, cfg)
	for i := range 10 {
		mustPut(t, s, fmt.Sprint("more/", i), "v")
	}
	if _, err := s.Blobs().Put(t.Context(), []byte("blob")); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "k", "v")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStreamRemade(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	cfg := natskv.Config{URL: server.ClientURL(), Dir: t.TempDir()}
	filled(t, cfg)
	admin := mustOpen(t, natskv.Config{URL: cfg.URL, Bucket: "admin"}).JetStream()
	for _, name := range []string{"MAYFLY_mayfly", "MAYFLY_mayfly_chunks"} {
		if err := admin.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	wantDiverged(t, cfg, "the stream is gone")

	other := mustOpen(t, natskv.Config{URL: cfg.URL}) // a node without a copy makes new ones
	for i := range 20 {
		mustPut(t, other, "k", fmt.Sprint("other ", i))
	}
	wantDiverged(t, cfg, "another one than the copy was made of")

	if err := os.Rename(cfg.Dir+"/copy", cfg.Dir+"/aside"); err != nil { // as the log says
		t.Fatal(err)
	}
	s := mustOpen(t, cfg)
	wantHas(t, s, "k", "other 19")
	wantHas(t, s, "more/1", "")
}

// A server that went back to an earlier state is noticed, also when as many revisions
// were given since.
func TestStreamRolledBack(t *testing.T) {
	for _, since := range []int{0, 12, 40} {
		t.Run(fmt.Sprint(since, " since"), func(t *testing.T) {
			dir, old := t.TempDir(), t.TempDir()
			port := porttest.Ports(t, 1)[0]
			server := mustServer(t, dir, port)
			cfg := natskv.Config{URL: server.ClientURL(), Dir: t.TempDir()}
			first := mustOpen(t, cfg)
			mustPut(t, first, "first", "v")
			first.Close()
			stop(server)
			if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			server = mustServer(t, dir, port)
			filled(t, cfg)
			stop(server)
			mustServer(t, old, port)
			if since > 0 {
				other := mustOpen(t, natskv.Config{URL: cfg.URL})
				for i := range since {
					mustPut(t, other, fmt.Sprint("since/", i), "v")
				}
				if since > 20 {
					mustPut(t, other, "k", "written after all")
				}
			}
			wantDiverged(t, cfg, "lost writes that the copy has")
		})
	}
}

// A node that joins makes no stream, also where another one has made or brought some of
// them: those that are still to come would be in its way.
func TestJoinMakesNothing(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	cfg := natskv.Config{URL: server.ClientURL(), Dir: t.TempDir()}
	filled(t, cfg)
	admin := mustOpen(t, natskv.Config{URL: cfg.URL, Bucket: "admin"}).JetStream()
	if err := admin.DeleteStream(t.Context(), "MAYFLY_mayfly"); err != nil {
		t.Fatal(err)
	}
	_, err := natskv.Open(t.Context(), natskv.Config{URL: cfg.URL, Dir: t.TempDir(), Join: true, Wait: time.Second})
	wantErr(t, "Open", err, kv.ErrUnavailable)
	if _, err := admin.Stream(t.Context(), "MAYFLY_mayfly"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("the stream of entries: got %v, want that there is none", err)
	}
}

func TestStreamPurged(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	cfg := natskv.Config{URL: server.ClientURL(), Dir: t.TempDir()}
	filled(t, cfg)
	admin := mustOpen(t, natskv.Config{URL: cfg.URL, Bucket: "admin"}).JetStream()
	stream, err := admin.Stream(t.Context(), "MAYFLY_mayfly")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantDiverged(t, cfg, "lost writes that the copy has")
}

// A node that was away when a key was deleted, and comes back after the stream has
// forgotten that, finds out by comparing.
func TestAwayForLong(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	cfg := natskv.Forgetful(natskv.Config{URL: server.ClientURL(), Dir: t.TempDir()})
	filled(t, cfg)
	near := mustOpen(t, natskv.Config{URL: cfg.URL})
	mustDelete(t, near, "more/3")
	mustPut(t, near, "more/4", "w")
	mustDelete(t, near, "k") // the last one that the copy got
	forget(t, near, "more/3", "k")

	far := mustOpen(t, cfg)
	for key, want := range map[string]string{"more/2": "v", "more/3": "", "more/4": "w", "k": ""} {
		wantHas(t, far, key, want)
	}
	again, err := far.Put(t.Context(), "k", []byte("again"), kv.PutOptions{If: kv.IfRevision(0)})
	if err != nil || again <= near.Status().Revision-1 {
		t.Errorf("Put of what is gone: got revision %d, %v", again, err)
	}
	if err := near.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantHas(t, near, "k", "again")
}

// forget removes the newest messages of keys, as time does.
func forget(t *testing.T, s *natskv.Store, keys ...string) {
	t.Helper()
	stream, err := s.JetStream().Stream(t.Context(), "MAYFLY_mayfly")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject(s.SubjectOf(key))); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.GetLastMsgForSubject(t.Context(), s.SubjectOf(key)); !errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Fatalf("message of %s: got %v, want none", key, err)
		}
	}
}

// The marks of deletions, and entries that expire, leave the stream by themselves.
func TestMarksExpire(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	s := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	mustPut(t, s, "k", "v")
	mustDelete(t, s, "k")
	if _, err := s.Put(t.Context(), "short", []byte("v"), kv.PutOptions{Expires: time.Now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	stream, err := s.JetStream().Stream(t.Context(), "MAYFLY_mayfly")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"k": "24h0m0s", "short": "1h"} {
		m, err := stream.GetLastMsgForSubject(t.Context(), s.SubjectOf(key))
		if err != nil || !strings.HasPrefix(m.Header.Get(jetstream.MsgTTLHeader), want) {
			t.Errorf("message of %s: got header %v, %v, want a TTL of %s", key, m.Header, err, want)
		}
	}
}

func TestDamage(t *testing.T) {
	server := mustServer(t, t.TempDir(), -1)
	s := mustOpen(t, natskv.Config{URL: server.ClientURL()})
	mustPut(t, s, "whole", "v")
	for _, key := range []string{"k", strings.Repeat("long", 1000)} {
		mustPut(t, s, key, "value")
		stream, err := s.JetStream().Stream(t.Context(), "MAYFLY_mayfly")
		if err != nil {
			t.Fatal(err)
		}
		m, err := stream.GetLastMsgForSubject(t.Context(), s.SubjectOf(key))
		if err != nil {
			t.Fatal(err)
		}
		m.Data[len(m.Data)-1] ^= 1
		if _, err := s.JetStream().Publish(t.Context(), m.Subject, m.Data); err != nil {
			t.Fatal(err)
		}
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = s.GetStrong(t.Context(), key)
		wantErr(t, "GetStrong", err, kv.ErrCorrupt)
		_, err = s.Put(t.Context(), key, nil, kv.PutOptions{If: kv.IfRevision(1)})
		if !errors.Is(err, kv.ErrCorrupt) && !errors.Is(err, kv.ErrConflict) {
			t.Errorf("Put by comparison: got %v, want ErrCorrupt", err)
		}
		_, err = s.Get(t.Context(), key)
		wantErr(t, "Get", err, kv.ErrCorrupt)
		mustPut(t, s, key, "mended")
		wantHas(t, s, key, "mended")
	}
	stream := mustDamage(t, s, "k")
	_, err := s.Get(t.Context(), "k")
	wantErr(t, "Get of "+stream, err, kv.ErrCorrupt)
	_, err = s.List(t.Context(), kv.ListOptions{})
	wantErr(t, "List", err, kv.ErrCorrupt)
	wantHas(t, s, "whole", "v")
}

// mustDamage replaces the newest message of key by one that is cut off.
func mustDamage(t *testing.T, s *natskv.Store, key string) string {
	t.Helper()
	subject := s.SubjectOf(key)
	if _, err := s.JetStream().Publish(t.Context(), subject, []byte("mn\x01")); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return subject
}
