package control

import (
	"net/http"
	"slices"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// queueJSON is a queue as Cloudflare shows it:
// https://developers.cloudflare.com/api/resources/queues/
type queueJSON struct {
	ID             string            `json:"queue_id"`
	Name           string            `json:"queue_name"`
	CreatedOn      time.Time         `json:"created_on"`
	ModifiedOn     time.Time         `json:"modified_on"`
	Producers      []producerJSON    `json:"producers"`
	ProducersCount int               `json:"producers_total_count"`
	Consumers      []consumerJSON    `json:"consumers"`
	ConsumersCount int               `json:"consumers_total_count"`
	Settings       queueSettingsJSON `json:"settings"`
}

type producerJSON struct {
	Type        string `json:"type"`
	Script      string `json:"script"`
	Service     string `json:"service"` // wrangler's word for it
	Environment string `json:"environment"`
}

type queueSettingsJSON struct {
	DeliveryDelay   int64 `json:"delivery_delay"`
	DeliveryPaused  bool  `json:"delivery_paused"`
	RetentionPeriod int64 `json:"message_retention_period"`
}

func (r *request) queueOf(q deploy.Queue) queueJSON {
	out := queueJSON{ID: q.ID, Name: q.Name, CreatedOn: q.Created, ModifiedOn: q.Modified, Producers: []producerJSON{}, Consumers: consumersOf(q),
		Settings: queueSettingsJSON{q.Settings.DeliveryDelay, q.Settings.Paused, int64(q.Retention() / time.Second)}}
	for _, name := range r.api.registry.Producers(q) {
		out.Producers = append(out.Producers, producerJSON{"worker", name, name, "production"})
	}
	out.ProducersCount, out.ConsumersCount = len(out.Producers), len(out.Consumers)
	return out
}

// queue is the one in the path.
func (r *request) queue() (deploy.Queue, error) {
	return r.api.registry.Queue(r.account(), r.params["queue"])
}

// Codes of errors about queues, by which programs tell them apart. Those of settings
// that are out of range (100127, 100128) are not among them: wrangler hides what is wrong
// behind them. (Sources: https://developers.cloudflare.com/queues/reference/error-codes/
// for messages; for the rest what cloudflare/workers-sdk and other clients look for.)
const (
	codeNoQueue        = 11000
	codeNoQueueHandler = 11001 // of a consumer, also where it is uploaded
	codeConsumerExists = 11004
	codeQueueExists    = 11009
	codeNoQueueToUse   = 10104 // by messages
	codeMessageJSON    = 10207
)

// queueCode is the code of an error about a queue, or otherwise.
func (r *request) queueCode(c host.Code, otherwise int) int {
	messages := r.area == areaMessages
	switch {
	case c == host.CodeNotFound && r.queueIsMissing() && messages:
		return codeNoQueueToUse
	case c == host.CodeNotFound && r.queueIsMissing():
		return codeNoQueue
	case c == host.CodeInvalid && messages:
		return codeMessageJSON
	case c == host.CodeConflict && r.Method == http.MethodPost && r.params["queue"] == "":
		return codeQueueExists
	case c == host.CodeConflict && r.Method == http.MethodPost && !messages:
		return codeConsumerExists
	}
	return otherwise
}

func (r *request) queueIsMissing() bool {
	_, err := r.queue()
	return r.params["queue"] != "" && host.CodeOf(err) == host.CodeNotFound
}

// listQueues also finds queues by their names, which is how wrangler does.
func listQueues(r *request) error {
	all, err := r.api.registry.Queues(r.account())
	if err != nil {
		return err
	}
	names, list := r.URL.Query()["name"], []queueJSON{}
	for _, q := range all {
		if len(names) == 0 || slices.Contains(names, q.Name) {
			list = append(list, r.queueOf(q))
		}
	}
	part, info, err := paginate(r, list)
	if err != nil {
		return err
	}
	return r.page(part, info)
}

// queueChange is the body of what makes or changes a queue. What is null stays.
type queueChange struct {
	Name     *string `json:"queue_name"`
	Settings struct {
		DeliveryDelay   *int64 `json:"delivery_delay"`
		DeliveryPaused  *bool  `json:"delivery_paused"`
		RetentionPeriod *int64 `json:"message_retention_period"`
	} `json:"settings"`
}

func (in *queueChange) apply(to *deploy.QueueSettings) {
	if n := in.Settings.DeliveryDelay; n != nil {
		to.DeliveryDelay = *n
	}
	if paused := in.Settings.DeliveryPaused; paused != nil {
		to.Paused = *paused
	}
	if n := in.Settings.RetentionPeriod; n != nil {
		to.RetentionPeriod = *n
	}
}

func createQueue(r *request) error {
	var in queueChange
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	if in.Name == nil {
		return badRequest("queue_name is missing")
	}
	var settings deploy.QueueSettings
	in.apply(&settings)
	q, err := r.api.registry.CreateQueue(r.Context(), r.account(), *in.Name, settings)
	if err != nil {
		return err
	}
	r.note("queue", q.ID)
	return r.ok(r.queueOf(q))
}

func getQueue(r *request) error {
	q, err := r.queue()
	if err != nil {
		return err
	}
	return r.ok(r.queueOf(q))
}

// changeQueue answers PUT and PATCH, which clients use for the same.
func changeQueue(r *request) error {
	var in queueChange
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	q, err := r.queue()
	if err != nil {
		return err
	}
	if in.Name != nil && *in.Name != q.Name {
		return host.Errorf(host.CodeUnsupported, "queue %q keeps its name, by which Functions are bound to it; make another queue", q.Name)
	}
	if q, err = r.api.registry.SetQueue(r.Context(), r.account(), q.ID, in.apply); err != nil {
		return err
	}
	return r.ok(r.queueOf(q))
}

func deleteQueue(r *request) error {
	if err := r.api.registry.DeleteQueue(r.Context(), r.account(), r.params["queue"]); err != nil {
		return err
	}
	return r.ok(nil)
}

func getQueueMetrics(r *request) error {
	q, err := r.queue()
	if err != nil {
		return err
	}
	backlog, err := r.api.registry.Backlog(r.Context(), q)
	if err != nil {
		return err
	}
	out := struct {
		Count  int64 `json:"backlog_count"`
		Bytes  int64 `json:"backlog_bytes"`
		Oldest int64 `json:"oldest_message_timestamp_ms"` // 0 if there is none
	}{backlog.Messages, backlog.Bytes, 0}
	if !backlog.Oldest.IsZero() {
		out.Oldest = backlog.Oldest.UnixMilli()
	}
	return r.ok(out)
}

// purgeQueue answers when the messages are gone.
func purgeQueue(r *request) error {
	var in struct {
		Permanently bool `json:"delete_messages_permanently"`
	}
	if err := r.readJSON(maxJSON, &in); err != nil {
		return err
	}
	if !in.Permanently {
		return badRequest("a purge removes all messages for good: say so with delete_messages_permanently")
	}
	q, err := r.api.registry.PurgeQueue(r.Context(), r.account(), r.params["queue"])
	if err != nil {
		return err
	}
	return r.ok(r.queueOf(q))
}

// getPurge: a purge is over when it was answered.
func getPurge(r *request) error {
	if _, err := r.queue(); err != nil {
		return err
	}
	return r.ok(map[string]any{"completed": true, "started_on": ""})
}
