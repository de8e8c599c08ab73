package telemetry

import (
	"net/http"
	"sync/atomic"

	"github.com/mayfly-run/mayfly/host"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what happens on a node, without names of accounts or Functions,
// so that whoever reads it learns of no tenant. Counting allocates nothing. It is
// safe for concurrent use, and the zero value is ready.
type Metrics struct {
	outcomes    [host.Outcomes]atomic.Int64
	triggers    [host.Triggers]atomic.Int64
	refused     [refusals]atomic.Int64
	units       atomic.Int64
	cpu         atomic.Int64 // nanoseconds
	bytesIn     atomic.Int64
	bytesOut    atomic.Int64
	fetches     atomic.Int64
	kv          atomic.Int64
	logDropped  atomic.Int64
	hostRefused atomic.Int64
	queues      [queueEvents]atomic.Int64
	assets      atomic.Int64
	assetBytes  atomic.Int64
	wall        histogram
	runs        histogram
	gauges      []gauge
	collectors  []prometheus.Collector
}

// Refusal is why a request was answered without a Function.
type Refusal uint8

const (
	RefusedMalformed   Refusal = iota // by the rules of HTTP, or a limit of its form
	RefusedLoop                       // it came back too often
	RefusedConcurrency                // too many of its Function or account at the same time
	RefusedUnknown                    // nothing is deployed there
	RefusedConnection                 // too many connections: it was not read
	refusals
)

var refusalNames = [refusals]string{"malformed", "loop", "concurrency", "unknown", "connections"}

// Observe counts an Invocation that has ended.
func (m *Metrics) Observe(by host.Trigger, outcome host.Outcome, u *host.Usage) {
	m.outcomes[outcome].Add(1)
	m.triggers[by].Add(1)
	m.wall.observe(u.Wall)
	m.runs.observe(u.CPU)
	m.units.Add(u.Units)
	m.cpu.Add(int64(u.CPU))
	add(&m.bytesIn, u.BytesIn)
	add(&m.bytesOut, u.BytesOut)
	add(&m.fetches, int64(u.Subrequests))
	add(&m.kv, int64(u.KVOperations))
	add(&m.logDropped, int64(u.LogDropped))
	add(&m.hostRefused, int64(u.Refused))
}

// add leaves the counter's cache line alone where there is nothing to add.
func add(to *atomic.Int64, n int64) {
	if n != 0 {
		to.Add(n)
	}
}

// Refuse counts a request that no Function answered.
func (m *Metrics) Refuse(why Refusal) { m.refused[why].Add(1) }

// QueueEvent is what became of messages of queues.
type QueueEvent uint8

const (
	QueueDelivered QueueEvent = iota // to Functions
	QueueAcked                       // for good
	QueueRetried                     // they are delivered again
	QueueDead                        // to a dead letter queue
	QueueDropped                     // there was none
	QueueGivenBack                   // nobody looked at them
	queueEvents
)

var queueEventNames = [queueEvents]string{"delivered", "acked", "retried", "dead_lettered", "dropped", "given_back"}

// Queue counts messages of queues.
func (m *Metrics) Queue(e QueueEvent, n int) { add(&m.queues[e], int64(n)) }

// Queued returns what Queue has counted.
func (m *Metrics) Queued(e QueueEvent) int64 { return m.queues[e].Load() }

// Asset counts a request that static files answered, with bytes of a body.
func (m *Metrics) Asset(bytes int64) {
	m.assets.Add(1)
	add(&m.assetBytes, bytes)
}

// Outcome returns how many Invocations ended so.
func (m *Metrics) Outcome(o host.Outcome) int64 { return m.outcomes[o].Load() }

type gauge struct {
	desc  *prometheus.Desc
	value func() float64
}

// Gauge adds a value that is asked for when metrics are read. Call it before
// Handler.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.gauges = append(m.gauges, gauge{desc(name, help), value})
}

// Add has Handler answer with what another collector knows too. Call it before
// Handler.
func (m *Metrics) Add(c prometheus.Collector) { m.collectors = append(m.collectors, c) }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mayfly_"+name, help, labels, nil)
}

var (
	descInvocations = desc("invocations_total", "Invocations by how they ended.", "outcome")
	descTriggers    = desc("invocations_by_trigger_total", "Invocations by what started them.", "trigger")
	descRefused     = desc("requests_refused_total", "Requests that no Function answered.", "reason")
	descUnits       = desc("guest_units_total", "Metered units of guest work.")
	descWall        = desc("invocation_duration_seconds", "Time from the beginning of an Invocation to its end.")
	descRuns        = desc("invocation_cpu_seconds", "Time that the guest of an Invocation ran.")
	descCPU         = desc("guest_cpu_seconds_total", "Time that guests ran.")
	descBytes       = desc("body_bytes_total", "Bytes of bodies that guests read or wrote.", "direction")
	descHost        = desc("host_operations_total", "Operations that guests asked the host for.", "operation")
	descHostRefused = desc("host_operations_refused_total", "Operations refused because of a limit.")
	descQueues      = desc("queue_messages_total", "Messages that Functions consumed from queues, by what became of them.", "event")
	descAssets      = desc("asset_requests_total", "Requests that static files answered, without a Function.")
	descAssetBytes  = desc("asset_bytes_total", "Bytes of bodies of these answers.")
	descLogDropped  = desc("guest_log_dropped_total", "Log entries dropped because of the limit.")
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for o := range m.outcomes {
		count(descInvocations, float64(m.outcomes[o].Load()), host.Outcome(o).String())
	}
	for t := range m.triggers {
		count(descTriggers, float64(m.triggers[t].Load()), host.Trigger(t).String())
	}
	for r := range m.refused {
		count(descRefused, float64(m.refused[r].Load()), refusalNames[r])
	}
	for e := range m.queues {
		count(descQueues, float64(m.queues[e].Load()), queueEventNames[e])
	}
	count(descUnits, float64(m.units.Load()))
	count(descCPU, float64(m.cpu.Load())/1e9)
	count(descBytes, float64(m.bytesIn.Load()), "in")
	count(descBytes, float64(m.bytesOut.Load()), "out")
	count(descHost, float64(m.fetches.Load()), "fetch")
	count(descHost, float64(m.kv.Load()), "kv")
	count(descAssets, float64(m.assets.Load()))
	count(descAssetBytes, float64(m.assetBytes.Load()))
	count(descHostRefused, float64(m.hostRefused.Load()))
	count(descLogDropped, float64(m.logDropped.Load()))
	to <- m.wall.metric(descWall)
	to <- m.runs.metric(descRuns)
	for _, g := range m.gauges {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value())
	}
}

// Handler answers in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(m)
	r.MustRegister(m.collectors...)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}
