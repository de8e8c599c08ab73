package host

import "time"

// Limits bound one Invocation, and Concurrency all of a Function. The zero value of a field means none was set;
// Or fills those in.
type Limits struct {
	Memory          int64         // bytes of linear memory
	Wall            time.Duration // from the first byte to the end of the guest's run
	AfterResponse   time.Duration // how much longer the guest may run after wait_until
	CPU             time.Duration // time spent executing guest code
	RequestBody     int64         // bytes
	Response        int64         // bytes of a response that is not streamed
	Subrequests     int           // outbound requests in all
	OpenConnections int           // outbound requests at the same time; more wait their turn
	KVOperations    int           // calls to KV in all
	Held            int64         // bytes that the host keeps for the guest at the same time
	Log             int64         // bytes of log text; what exceeds it is dropped and counted
	Concurrency     int           // Invocations of the Function at the same time; more wait for a moment
}

// DefaultLimits are in force where neither the node nor the manifest says otherwise.
func DefaultLimits() Limits {
	return Limits{
		Memory:          128 << 20,
		Wall:            30 * time.Second,
		AfterResponse:   30 * time.Second,
		CPU:             time.Second,
		RequestBody:     10 << 20,
		Response:        32 << 20,
		Subrequests:     50,
		OpenConnections: 6,
		KVOperations:    1000,
		Held:            128 << 20,
		Log:             256 << 10,
		Concurrency:     500,
	}
}

// Or returns l with every unset field taken from d.
func (l Limits) Or(d Limits) Limits {
	or(&l.Memory, d.Memory)
	or(&l.Wall, d.Wall)
	or(&l.AfterResponse, d.AfterResponse)
	or(&l.CPU, d.CPU)
	or(&l.RequestBody, d.RequestBody)
	or(&l.Response, d.Response)
	or(&l.Subrequests, d.Subrequests)
	or(&l.OpenConnections, d.OpenConnections)
	or(&l.KVOperations, d.KVOperations)
	or(&l.Held, d.Held)
	or(&l.Log, d.Log)
	or(&l.Concurrency, d.Concurrency)
	return l
}

// AtLeast returns l with every field raised to that of least.
func (l Limits) AtLeast(least Limits) Limits {
	return Limits{
		Memory:          max(l.Memory, least.Memory),
		Wall:            max(l.Wall, least.Wall),
		AfterResponse:   max(l.AfterResponse, least.AfterResponse),
		CPU:             max(l.CPU, least.CPU),
		RequestBody:     max(l.RequestBody, least.RequestBody),
		Response:        max(l.Response, least.Response),
		Subrequests:     max(l.Subrequests, least.Subrequests),
		OpenConnections: max(l.OpenConnections, least.OpenConnections),
		KVOperations:    max(l.KVOperations, least.KVOperations),
		Held:            max(l.Held, least.Held),
		Log:             max(l.Log, least.Log),
		Concurrency:     max(l.Concurrency, least.Concurrency),
	}
}

func or[T comparable](field *T, otherwise T) {
	var unset T
	if *field == unset {
		*field = otherwise
	}
}

// Usage is what one Invocation used.
type Usage struct {
	Wall         time.Duration
	CPU          time.Duration // the guest ran, measured; see Call.Threads
	Units        int64         // of metered guest work: the same on any machine; 0 without metering
	PeakMemory   int64         // bytes of linear memory
	BytesIn      int64         // of request and fetched bodies read
	BytesOut     int64         // of response and uploaded bodies written
	Subrequests  int
	KVOperations int
	LogBytes     int64
	LogDropped   int // log calls dropped because Limits.Log was used up
	Refused      int // operations of the host that some limit refused
}
