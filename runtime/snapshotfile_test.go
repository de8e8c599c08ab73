package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
	"github.com/mayfly-run/mayfly/host/hosttest"
	"github.com/mayfly-run/mayfly/host/native"
	"github.com/mayfly-run/mayfly/host/wagi"
	"github.com/mayfly-run/mayfly/kv"
	"github.com/mayfly-run/mayfly/runtime"
	"github.com/mayfly-run/mayfly/runtime/compile"
	"github.com/mayfly-run/mayfly/runtime/compile/compiletest"
)

// counter answers with a digit in memory and a global, both of which its start
// function and each request have counted up.
func counter(text string) []byte {
	var m hosttest.Module
	f := respond(&m)
	m.Memory(1)
	m.Data(0, []byte("00"+text))
	global := m.Global('0')
	count := func() []byte {
		return bytes.Join([][]byte{
			hosttest.I32Const(0), hosttest.I32Const(0), hosttest.I32Load8U(0), hosttest.I32Const(1), hosttest.I32Add, hosttest.I32Store8(0),
			hosttest.GlobalGet(global), hosttest.I32Const(1), hosttest.I32Add, hosttest.GlobalSet(global),
		}, nil)
	}
	m.Start(m.Func("", nil, nil, nil, count()))
	m.Func("fetch", nil, nil, nil, count(), hosttest.I32Const(1), hosttest.GlobalGet(global), hosttest.I32Store8(0),
		answer(f, int32(2+len(text))))
	return m.Bytes()
}

func mustEncode(t testing.TB, s *runtime.Snapshot) []byte {
	t.Helper()
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A Snapshot that comes back from bytes answers as the one that they were made
// of, whatever that one did meanwhile.
func TestRestore(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	wasm := counter("!")
	m := mustLoad(t, r, wasm)
	s := mustPrepare(t, m, host.Limits{})
	ask(t, s, "/", host.Limits{})
	restored, err := r.Restore(t.Context(), mustEncode(t, s), m.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	s.Close()
	for range 3 {
		if got := ask(t, restored, "/", host.Limits{}); string(got.Body) != "22!" {
			t.Errorf("got %q, %v", got.Body, got.err)
		}
	}
	if !bytes.Equal(mustEncode(t, restored), mustEncode(t, restored)) {
		t.Error("encoded twice, the bytes differ")
	}
	if _, err := r.Restore(t.Context(), mustEncode(t, restored), kv.DigestOf(nil)); !errors.Is(err, runtime.ErrStale) {
		t.Errorf("as the snapshot of another module: %v", err)
	}
}

// Code that nobody has in memory comes from disk, and where it is not there the
// Snapshot is stale.
func TestRestoreCode(t *testing.T) {
	dir := t.TempDir()
	open := func() *runtime.Runtime {
		c, err := compile.Open(compile.Config{Dir: dir, Command: compiletest.Command, Limits: compiletest.Limits()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return mustRuntime(t, runtime.Config{Code: c})
	}
	m := mustLoad(t, open(), counter("!"))
	data := mustEncode(t, mustPrepare(t, m, host.Limits{}))
	s, err := open().Restore(t.Context(), data, m.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := ask(t, s, "/", host.Limits{}); string(got.Body) != "22!" {
		t.Errorf("got %q, %v", got.Body, got.err)
	}
	if _, err := mustRuntime(t, runtime.Config{}).Restore(t.Context(), data, m.Digest); !errors.Is(err, runtime.ErrStale) {
		t.Errorf("without the code: %v", err)
	}
}

// Every bit of a Snapshot's bytes matters or does no harm: whatever they become,
// they are refused as stale, or make a Snapshot that can be used.
func TestFlippedSnapshotBits(t *testing.T) {
	r := mustRuntime(t, runtime.Config{})
	m := mustLoad(t, r, counter("!"))
	good := mustEncode(t, mustPrepare(t, m, host.Limits{}))
	step := 1
	if testing.Short() {
		step = 13
	}
	for n := 0; n < len(good)*8; n += step {
		data := bytes.Clone(good)
		data[n/8] ^= 1 << (n % 8)
		s, err := r.Restore(t.Context(), data, m.Digest)
		if err != nil {
			if !errors.Is(err, runtime.ErrStale) {
				t.Errorf("bit %d: %v", n, err)
			}
			continue
		}
		ask(t, s, "/", host.Limits{})
		s.Close()
	}
	for n := range good {
		if _, err := r.Restore(t.Context(), good[:n], m.Digest); !errors.Is(err, runtime.ErrStale) {
			t.Errorf("cut off at %d: %v", n, err)
		}
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	r, err := runtime.New(f.Context(), runtime.Config{ABIs: []abi.ABI{native.New(), wagi.New()}})
	if err != nil {
		f.Fatal(err)
	}
	defer r.Close(context.Background())
	m, err := r.Load(f.Context(), hello("hello"))
	if err != nil {
		f.Fatal(err)
	}
	s, err := m.Prepare(f.Context(), runtime.Setup{Services: hosttest.Services(f), Bindings: &host.Bindings{}, Limits: host.DefaultLimits()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mustEncode(f, s))
	f.Add([]byte("mayfly snapshot 1\n\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := runtime.DecodeSnapshot(data); err != nil && !errors.Is(err, runtime.ErrStale) {
			t.Error(err)
		}
	})
}
