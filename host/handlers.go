package host

// Handlers are the kinds of events that a guest handles.
type Handlers uint8

// The bits are those of ABI.md as well.
const (
	HandlesFetch Handlers = 1 << iota
	HandlesScheduled
	HandlesQueue
	HandlesKV
)

var handlerNames = []string{"fetch", "scheduled", "queue", "kv"}

// Names are the names of the handlers, as Workers export them.
func (h Handlers) Names() []string {
	names := []string{}
	for bit, name := range handlerNames {
		if h&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return names
}
