package natsserver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mayfly-run/mayfly/kv/natsserver"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// ledger is what was acknowledged.
type ledger struct{ count int }

// write has messages acknowledged by a stream that has three replicas.
func (l *ledger) write(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	for range n {
		l.count++
		eventually(t, func(ctx context.Context) error {
			_, err := js.Publish(ctx, fmt.Sprint("data.", l.count), []byte(fmt.Sprint("value ", l.count)))
			return err
		})
	}
}

// want reads all of it back.
func (l *ledger) want(t *testing.T, s *natsserver.Server) {
	t.Helper()
	js := mustConnect(t, s)
	for i := 1; i <= l.count; i++ {
		eventually(t, func(ctx context.Context) error {
			stream, err := js.Stream(ctx, "data")
			if err != nil {
				return err
			}
			msg, err := stream.GetLastMsgForSubject(ctx, fmt.Sprint("data.", i))
			if err == nil && string(msg.Data) != fmt.Sprint("value ", i) {
				err = fmt.Errorf("message %d: got %q", i, msg.Data)
			}
			return err
		})
	}
}

// wantRefused wants that a server is not removed yet, and why.
func wantRefused(t *testing.T, s *natsserver.Server, node, want string) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		err := s.MayRemove(ctx, node)
		if _, refused := errors.AsType[*natsserver.RefusedError](err); !refused || !strings.Contains(err.Error(), want) {
			return fmt.Errorf("remove %s: got %v, want %q", node, err, want)
		}
		return nil
	})
}

// mustRemove removes a server, and waits until the others have all that it had.
func mustRemove(t *testing.T, s *natsserver.Server, node string) {
	t.Helper()
	eventually(t, func(ctx context.Context) error { return s.MayRemove(ctx, node) })
	eventually(t, func(ctx context.Context) error { return s.Remove(ctx, node) })
	wantWhole(t, s)
	if s.Member(node) {
		t.Errorf("%s is a member still", node)
	}
}

func wantWhole(t *testing.T, s *natsserver.Server) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		copying, err := s.Copying(ctx)
		if err == nil && len(copying) > 0 {
			err = fmt.Errorf("still copying %v", copying)
		}
		return err
	})
}

func mustClose(t *testing.T, servers ...*natsserver.Server) {
	t.Helper()
	for _, s := range servers {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func makeData(t *testing.T, js jetstream.JetStream, replicas int) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "data", Subjects: []string{"data.>"}, Replicas: replicas})
		return err
	})
}

// TestRemove has one of three servers be lost for good, and another take its place.
func TestRemove(t *testing.T) {
	longTest(t)
	p := newPeers(t, 4)
	var s []*natsserver.Server
	for i := range 3 {
		s = append(s, mustStart(t, p.config(i, 3)))
	}
	js := mustConnect(t, s[0])
	makeData(t, js, 3)
	var l ledger
	l.write(t, js, 20)
	wantRefused(t, s[0], "n2", "it runs")
	wantRefused(t, s[0], "n0", "it runs")
	if _, err := js.Conn().Request(server.JSApiRemoveServer, []byte(`{"peer": "n2"}`), time.Second); err == nil {
		t.Error("an account that is not the system's may remove servers")
	}
	mustClose(t, s[2])
	l.write(t, js, 20)
	wantRefused(t, s[0], "n2", "2 servers would be there (n0, n1), and stream data is kept on 3: start another node first")
	if !s[0].Member("n2") || s[0].Member("n3") {
		t.Error("n2 is to be a member, and n3 not yet")
	}
	cfg := p.config(3, 4)
	cfg.Peers = slices.Delete(slices.Clone(p.addresses), 2, 3)
	s = append(s, mustStart(t, cfg))
	eventually(t, func(context.Context) error {
		if !s[0].Member("n3") {
			return errors.New("n3 is no member yet")
		}
		return nil
	})
	mustRemove(t, s[1], "n2")
	if err := s[0].Remove(t.Context(), "n2"); err != nil {
		t.Errorf("again: %v", err)
	}
	mustClose(t, s[1])
	js = mustConnect(t, s[3])
	l.write(t, js, 20)
	l.want(t, s[3])
}

// TestFiveAndBack has three servers become five, and three again, with writes all the time.
// The last one that goes is cut off when it is removed, and learns that while it runs.
func TestFiveAndBack(t *testing.T) {
	if os.Getenv("MAYFLY_TORTURE") == "" {
		t.Skip("it takes a minute: set MAYFLY_TORTURE=1; TestRemove has a short form")
	}
	p := newPeers(t, 5)
	var s []*natsserver.Server
	for i := range 3 {
		s = append(s, mustStart(t, p.config(i, 3)))
	}
	makeData(t, mustConnect(t, s[0]), 3)
	var l ledger
	l.write(t, mustConnect(t, s[0]), 100)
	for i := 3; i < 5; i++ {
		s = append(s, mustStart(t, p.config(i, 5)))
		eventually(t, func(context.Context) error {
			if !s[0].Member(fmt.Sprint("n", i)) {
				return fmt.Errorf("n%d is no member yet", i)
			}
			return nil
		})
	}
	mustClose(t, s[0])
	l.write(t, mustConnect(t, s[4]), 100)
	mustRemove(t, s[4], "n0")
	eventually(t, func(ctx context.Context) error { return s[4].Remove(ctx, "n1") }) // which runs
	wantWhole(t, s[4])
	l.write(t, mustConnect(t, s[4]), 100)
	eventually(t, func(context.Context) error {
		if s[1].Waiting() == "" {
			return errors.New("n1 works still")
		}
		return nil
	})
	l.want(t, s[1]) // by the others
	mustClose(t, s[1], s[3])
	if _, err := natsserver.Start(t.Context(), p.config(1, 3)); !errors.Is(err, natsserver.ErrRemoved) {
		t.Errorf("start of a server that was removed: got %v", err)
	}
	l.write(t, mustConnect(t, s[2]), 100)
	l.want(t, s[4])
}
