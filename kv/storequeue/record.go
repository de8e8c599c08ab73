package storequeue

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mayfly-run/mayfly/kv"
)

// What is in the store, below <account>/<queue>/:
const (
	messages = "m/" // <due><id>: the body, with a header as metadata
	leased   = "l/" // <lease>: leaseRecord
)

const (
	dueDigits = 12 // milliseconds since 1970 in hexadecimal digits
	idDigits  = 32
)

func prefixOf(q kv.Queue) string { return q.Account + "/" + q.ID + "/" }

// keyOf is where a message is below messages.
func keyOf(due time.Time, id string) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(max(0, due.UnixMilli())))
	return hex.EncodeToString(b[2:]) + id
}

// dueOf is when the message with a key is due.
func dueOf(key string) time.Time {
	ms, _ := strconv.ParseInt(key[:dueDigits], 16, 64) // isKey
	return time.UnixMilli(ms)
}

func idOf(key string) string { return key[dueDigits:] }

func isKey(key string) bool {
	return len(key) == dueDigits+idDigits && strings.Trim(key, "0123456789abcdef") == ""
}

// ids makes ids of messages, which grow.
type ids struct {
	mu   sync.Mutex
	last uint64 // milliseconds since 1970, and a count
}

// next returns the id of a message that is sent now. The count begins anew in each
// millisecond, or goes on where the clock does not.
func (n *ids) next(now time.Time) string {
	n.mu.Lock()
	n.last = max(n.last+1, uint64(now.UnixMilli())<<16)
	count := n.last
	n.mu.Unlock()
	var b [idDigits / 2]byte
	binary.BigEndian.PutUint64(b[:], count)
	rand.Read(b[8:]) //nolint:errcheck // never fails
	return hex.EncodeToString(b[:])
}

// header is what is known of a message beside its body.
type header struct {
	sent, expires time.Time // in milliseconds
	attempts      int       // deliveries that are over
	size          int64     // bytes of the body
	contentType   kv.ContentType
}

const headerVersion = 1

var contentTypes = []kv.ContentType{kv.ContentJSON, kv.ContentText, kv.ContentBytes, kv.ContentV8}

var errHeader = errors.New("the header of a message is malformed")

func (h header) encode() []byte {
	b := []byte{headerVersion, 0}
	for i, t := range contentTypes {
		if t == h.contentType {
			b[1] = byte(i)
		}
	}
	for _, n := range []uint64{uint64(h.sent.UnixMilli()), uint64(h.expires.UnixMilli()), uint64(h.attempts), uint64(h.size)} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func decodeHeader(b []byte) (h header, err error) {
	if len(b) < 2 || b[0] != headerVersion || int(b[1]) >= len(contentTypes) {
		return h, errHeader
	}
	h.contentType = contentTypes[b[1]]
	var n [4]uint64
	b = b[2:]
	for i := range n {
		value, used := binary.Uvarint(b)
		if used <= 0 || value > 1<<50 {
			return h, errHeader
		}
		n[i], b = value, b[used:]
	}
	h.sent, h.expires = time.UnixMilli(int64(n[0])), time.UnixMilli(int64(n[1]))
	h.attempts, h.size = int(n[2]), int64(n[3])
	return h, nil
}

// leaseRecord says which messages are leased, and how often they were delivered, that
// time included.
type leaseRecord struct {
	keys     []string
	attempts []int
}

func (r leaseRecord) encode() []byte {
	var b []byte
	for i, key := range r.keys {
		b, _ = hex.AppendDecode(b, []byte(key)) // isKey
		b = binary.AppendUvarint(b, uint64(r.attempts[i]))
	}
	return b
}

func decodeLease(b []byte) (r leaseRecord, err error) {
	const size = (dueDigits + idDigits) / 2
	for len(b) > 0 {
		if len(b) < size {
			return r, fmt.Errorf("the record of a lease ends early: %w", kv.ErrCorrupt)
		}
		n, used := binary.Uvarint(b[size:])
		if used <= 0 || n > 1<<30 {
			return r, fmt.Errorf("the record of a lease is malformed: %w", kv.ErrCorrupt)
		}
		r.keys = append(r.keys, hex.EncodeToString(b[:size]))
		r.attempts = append(r.attempts, int(n))
		b = b[size+used:]
	}
	return r, nil
}

// token is what a consumer knows a leased message by.
func token(lease string, message int) string { return lease + "-" + strconv.Itoa(message) }

// parseToken is what token was made of.
func parseToken(text string) (lease string, message int, ok bool) {
	lease, number, ok := strings.Cut(text, "-")
	if !ok {
		return "", 0, false
	}
	message, err := strconv.Atoi(number)
	return lease, message, err == nil && message >= 0
}
