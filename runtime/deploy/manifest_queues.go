package deploy

import "slices"

// QueuesTable is what a manifest says about queues:
// https://developers.cloudflare.com/workers/wrangler/configuration/#queues
type QueuesTable struct {
	Producers []QueueProducer    `json:"producers,omitempty"`
	Consumers []ManifestConsumer `json:"consumers,omitempty"`
}

// QueueProducer binds a queue to a name, so that a Function can send to it.
type QueueProducer struct {
	Binding string `json:"binding"`
	Queue   string `json:"queue"` // name
	// DeliveryDelay is how long messages wait that are sent without a delay, in seconds;
	// nil: as long as the queue says.
	DeliveryDelay *int64 `json:"delivery_delay,omitempty"`
}

// ManifestConsumer is a consumer as a manifest has it: the Function itself, or programs
// that pull over HTTP.
type ManifestConsumer struct {
	Queue           string `json:"queue"` // name
	DeadLetterQueue string `json:"dead_letter_queue,omitempty"`
	Type            string `json:"type,omitempty"` // ConsumerWorker or ConsumerPull; empty is ConsumerWorker
	ConsumerSettings
}

// The kinds of consumers, in Cloudflare's words.
const (
	ConsumerWorker = "worker"    // a Function gets batches
	ConsumerPull   = "http_pull" // programs ask for them over HTTP
)

var consumerTypes = []string{ConsumerWorker, ConsumerPull}

// ConsumerSettings say how messages are given to a consumer; nil is the default.
type ConsumerSettings struct {
	BatchSize    *int64 `json:"max_batch_size,omitempty"`        // messages, 1 to 100; default 10
	BatchTimeout *int64 `json:"max_batch_timeout,omitempty"`     // seconds to wait for a full batch, 0 to 60; default 5
	Retries      *int64 `json:"max_retries,omitempty"`           // 0 to 100; default 3
	Concurrency  *int64 `json:"max_concurrency,omitempty"`       // batches at the same time, 1 to 250; default 250
	RetryDelay   *int64 `json:"retry_delay,omitempty"`           // seconds before a retry, 0 to 86,400; default: none at first, then growing
	VisibilityMS *int64 `json:"visibility_timeout_ms,omitempty"` // lease of pulled messages, 1,000 to 43,200,000; default 30,000
}

// Bounds of ConsumerSettings: Cloudflare's
// (https://developers.cloudflare.com/queues/platform/limits/).
const (
	mostBatch        = 100
	mostBatchTimeout = 60 // seconds
	mostRetries      = 100
	mostConcurrency  = 250
	mostDelay        = 86_400 // seconds
	mostVisibility   = 43_200_000
)

func (d *decoder) queues(it item, all map[string]bound) (q QueuesTable) {
	d.Table(it, fields{
		"producers": func(it item) { q.Producers = d.producers(it, all) },
		"consumers": func(it item) { q.Consumers = d.consumers(it) },
	})
	return q
}

func (d *decoder) producers(it item, all map[string]bound) (list []QueueProducer) {
	for _, entry := range d.Elements(it, "tables") {
		var p QueueProducer
		var at int
		known := fields{
			"binding": func(it item) {
				d.TextTo(&p.Binding)(it)
				at = it.ValueAt
			},
			"queue":          d.name(&p.Queue),
			"delivery_delay": d.optional(&p.DeliveryDelay, 0, mostDelay),
		}
		if !d.Table(entry, known, d.refused("remote")) {
			continue
		}
		d.Required(entry, "binding")
		d.Required(entry, "queue")
		if p.Binding != "" && d.bind(all, p.Binding, "queue", at) && p.Queue != "" {
			list = append(list, p)
		}
	}
	return list
}

func (d *decoder) consumers(it item) (list []ManifestConsumer) {
	first := map[string]int{}
	for _, entry := range d.Elements(it, "tables") {
		c, at, ok := d.consumer(entry)
		if !ok {
			continue
		}
		if line, again := first[c.Queue]; again {
			d.Addf(at, "queue %q has a consumer on line %d already", c.Queue, line)
			continue
		}
		first[c.Queue] = d.LineOf(at)
		list = append(list, c)
	}
	return list
}

func (d *decoder) consumer(entry item) (c ManifestConsumer, at int, ok bool) {
	known := fields{
		"queue": func(it item) {
			d.name(&c.Queue)(it)
			at = it.ValueAt
		},
		"dead_letter_queue":     d.name(&c.DeadLetterQueue),
		"type":                  d.consumerType(&c.Type),
		"max_batch_size":        d.optional(&c.BatchSize, 1, mostBatch),
		"max_batch_timeout":     d.optional(&c.BatchTimeout, 0, mostBatchTimeout),
		"max_retries":           d.optional(&c.Retries, 0, mostRetries),
		"max_concurrency":       d.optional(&c.Concurrency, 1, mostConcurrency),
		"retry_delay":           d.optional(&c.RetryDelay, 0, mostDelay),
		"visibility_timeout_ms": d.optional(&c.VisibilityMS, 1000, mostVisibility),
	}
	if !d.Table(entry, known) {
		return c, at, false
	}
	d.Required(entry, "queue")
	if c.DeadLetterQueue != "" && c.DeadLetterQueue == c.Queue {
		d.Addf(at, "queue %q is its own dead_letter_queue; name another", c.Queue)
	}
	return c, at, c.Queue != ""
}

func (d *decoder) consumerType(to *string) func(item) {
	return func(it item) {
		text, _ := it.Value.(string)
		if !slices.Contains(consumerTypes, text) {
			d.WantText(it, `"worker" or "http_pull"`)
			return
		}
		*to = text
	}
}

// optional reads a whole number where 0 is another thing than none.
func (d *decoder) optional(to **int64, least, most int64) func(item) {
	return func(it item) {
		n := least - 1
		if d.IntegerTo(&n, least, most)(it); n >= least {
			*to = &n
		}
	}
}
