package js

import (
	"encoding/binary"
	"io"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/host/abi"
)

// What call returns: a kind in the upper half, and in the lower one an integer or
// the length of what take gives. The kinds below KindText are the engine's own
// tags of values.
const (
	KindInt       = 0
	KindBool      = 1
	KindNull      = 2
	KindUndefined = 3
	KindText      = 16
	KindBytes     = 17
	KindThrow     = 18 // the text is thrown
	KindMissing   = 19 // of OpSource: there is no such module, and the text says so
)

// kind is a result of an operation without what take gives.
type kind int64

const (
	noValue kind = KindUndefined << 32
	null    kind = KindNull << 32
	asText  kind = KindText << 32
	missing kind = KindMissing << 32
	asBytes kind = KindBytes << 32
)

// integer is a result that is one.
func integer(n int) kind { return kind(uint32(int32(n))) }

func boolean(b bool) kind {
	if b {
		return KindBool<<32 | 1
	}
	return KindBool << 32
}

// query is a call of an operation. text and data are views of the guest's memory,
// as Guest.Bytes returns them.
type query struct {
	abi.Guest
	*state
	n    int32
	text []byte
	data []byte
}

// give returns text.
func (q *query) give(s string) (kind, error) {
	if err := q.room(len(s)); err != nil {
		return 0, err
	}
	q.state.text, q.result = s, nil
	return asText, nil
}

// giveBytes returns bytes, which must not change until the guest has them.
func (q *query) giveBytes(b []byte) (kind, error) {
	if err := q.room(len(b)); err != nil {
		return 0, err
	}
	q.state.text, q.result = "", b
	return asBytes, nil
}

// giveText is giveBytes for bytes that are text.
func (q *query) giveText(b []byte) (kind, error) {
	if _, err := q.giveBytes(b); err != nil {
		return 0, err
	}
	return asText, nil
}

// smallResult is the size of a result, in bytes, up to which the host does not count
// it among what it holds for the guest: there is one at a time. shortText in
// platform/host.js is a third of it.
const smallResult = 64 << 10

// room counts the bytes of a result until the guest has taken it. What makes a large
// one calls it before; give and giveBytes, which call it too, then find it counted.
func (q *query) room(n int) error {
	if n <= max(smallResult, q.counted) {
		return nil
	}
	if err := q.Hold(n - q.counted); err != nil {
		return err
	}
	q.counted = n
	return nil
}

// drop forgets a result.
func (s *state) drop(c *host.Call) {
	s.text, s.result = "", nil
	if s.counted > 0 {
		c.Release(s.counted)
		s.counted = 0
	}
}

// call does what JavaScript wants of the host.
//
//   - op: the number of an operation
//   - n: an integer
//   - text, data: where they are, and their lengths
//
// An operation that does not exist ends the guest.
func call(g abi.Guest, a abi.Args) int64 {
	op := a.U32(0)
	if op >= uint32(len(operations)) {
		panic(host.Errorf(host.CodeInvalid, "the JavaScript engine called operation %d, which does not exist", op))
	}
	s := stateOf(g.Call)
	s.drop(g.Call)
	q := &s.query // which need not be allocated
	*q = query{Guest: g, state: s, n: int32(a.U32(1)), text: g.Bytes(a.U32(2), a.U32(3)), data: g.Bytes(a.U32(4), a.U32(5))}
	k, err := operations[op].do(q)
	if err != nil {
		k = q.throw(err)
	}
	if k>>32 >= KindText {
		k |= kind(uint32(len(q.result) + len(q.state.text)))
	}
	return int64(k)
}

// throw returns an error as the text that JavaScript throws.
func (q *query) throw(err error) kind {
	code := q.Fail(err)
	q.state.text, q.result = code.String()+":"+q.LastError.Msg, nil
	return KindThrow << 32
}

// take copies the text or bytes of the last call into the guest's memory.
func take(g abi.Guest, a abi.Args) int64 {
	s := stateOf(g.Call)
	n := copy(g.Bytes(a.U32(0), uint32(len(s.result)+len(s.text))), s.result)
	copy(g.Bytes(a.U32(0)+uint32(n), uint32(len(s.text))), s.text)
	s.drop(g.Call)
	return 0
}

// random returns 53 random bits.
func random(g abi.Guest, _ abi.Args) int64 {
	g.Work(8 * host.RandomWeight)
	var b [8]byte
	if _, err := io.ReadFull(g.Services.Random, b[:]); err != nil {
		panic(err)
	}
	return int64(binary.LittleEndian.Uint64(b[:]) >> 11)
}
