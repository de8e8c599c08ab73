package host

// Message is a message without its body.
type Message struct {
	ID       string
	Type     uint32 // of the content: its number in ABI.md
	Attempts int
	Size     int   // of the body, in bytes
	Sent     int64 // milliseconds since 1970
}

// Backlog is what waits in a queue.
type Backlog struct {
	Messages, Bytes int64
	Oldest          int64 // milliseconds since 1970; 0 is none
}

// BatchHead is a batch without bodies.
type BatchHead struct {
	Queue    string
	Backlog  Backlog
	Messages []Message
}

// Outgoing is a message to be sent.
type Outgoing struct {
	Type  uint32
	Body  []byte
	Delay int64 // milliseconds, or NoDelay
}

// NoDelay is a delay that was not given.
const NoDelay = -1

// Queue is an open queue.
type Queue interface {
	Send(messages []Outgoing) error
	Backlog() (Backlog, error)
}

// ChangeHead is a change of a key without its value.
type ChangeHead struct {
	Deleted, Omitted        bool
	Attempt                 int
	Revision, OldRevision   int64
	Size, Expires           int64 // bytes; seconds since 1970, 0 for never
	Time                    int64 // milliseconds since 1970
	Namespace, Binding, Key string
	Metadata                []byte
}

// Sizes of fixed parts, in bytes.
const (
	batchFixed   = 32
	messageFixed = 24
	changeFixed  = 64
)

// ParseBatch reads the description of a batch.
func ParseBatch(b []byte) (head BatchHead, err error) {
	if len(b) < batchFixed {
		return head, errBatch
	}
	name, count := number(b[:4]), number(b[4:8])
	head.Backlog = Backlog{int64(number(b[8:16])), int64(number(b[16:24])), int64(number(b[24:32]))}
	if b = b[batchFixed:]; name > uint64(len(b)) {
		return head, errBatch
	}
	head.Queue, b = string(b[:name]), b[name:]
	for ; count > 0; count-- {
		if len(b) < messageFixed {
			return head, errBatch
		}
		m := Message{Type: uint32(number(b[4:8])), Attempts: int(number(b[8:12])), Size: int(number(b[12:16])), Sent: int64(number(b[16:24]))}
		id := number(b[:4])
		if b = b[messageFixed:]; id > uint64(len(b)) {
			return head, errBatch
		}
		m.ID, b = string(b[:id]), b[id:]
		head.Messages = append(head.Messages, m)
	}
	return head, nil
}

// AppendMessages appends messages as queue_send takes them.
func AppendMessages(dst []byte, messages []Outgoing) []byte {
	for _, m := range messages {
		dst = appendNumber(dst, uint64(m.Type), 4)
		dst = appendNumber(dst, uint64(len(m.Body)), 4)
		dst = append(appendNumber(dst, uint64(m.Delay), 8), m.Body...)
	}
	return dst
}

// ParseChange reads the description of a change.
func ParseChange(b []byte) (head ChangeHead, err error) {
	if len(b) < changeFixed {
		return head, errChange
	}
	flags := number(b[:4])
	head = ChangeHead{Deleted: flags&1 != 0, Omitted: flags&2 != 0, Attempt: int(number(b[4:8])), Revision: int64(number(b[8:16])),
		OldRevision: int64(number(b[16:24])), Size: int64(number(b[24:32])), Expires: int64(number(b[32:40])), Time: int64(number(b[40:48]))}
	var parts [4][]byte
	rest := b[changeFixed:]
	for i := range parts {
		n := number(b[48+4*i : 52+4*i])
		if n > uint64(len(rest)) {
			return head, errChange
		}
		parts[i], rest = rest[:n:n], rest[n:]
	}
	head.Namespace, head.Binding, head.Key, head.Metadata = string(parts[0]), string(parts[1]), string(parts[2]), parts[3]
	return head, nil
}

// appendNumber appends little-endian, for the reason that number has.
func appendNumber(dst []byte, n uint64, size int) []byte {
	for ; size > 0; size-- {
		dst, n = append(dst, byte(n)), n>>8
	}
	return dst
}

var (
	errBatch  = &Error{Internal, "malformed description of a batch"}
	errChange = &Error{Internal, "malformed description of a change"}
)
