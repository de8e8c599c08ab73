package control

import (
	"cmp"
	"time"

	"github.com/mayfly-run/mayfly/host"
	"github.com/mayfly-run/mayfly/runtime/deploy"
)

// consumerJSON is a consumer as Cloudflare shows it. The Function has several names
// there, of which clients read one or another.
type consumerJSON struct {
	ID              string               `json:"consumer_id"`
	Type            string               `json:"type"`
	QueueName       string               `json:"queue_name"`
	Script          string               `json:"script,omitempty"`
	ScriptName      string               `json:"script_name,omitempty"`
	Service         string               `json:"service,omitempty"`
	Environment     string               `json:"environment,omitempty"`
	DeadLetterQueue string               `json:"dead_letter_queue,omitempty"`
	Settings        consumerSettingsJSON `json:"settings"`
	CreatedOn       time.Time            `json:"created_on"`
}

// consumerSettingsJSON are settings under the names of the API, which are not those of
// a manifest. In answers, those that mean nothing for the type are null.
type consumerSettingsJSON struct {
	BatchSize           *int64 `json:"batch_size,omitempty"`
	MaxRetries          *int64 `json:"max_retries,omitempty"`
	MaxWaitMillis       *int64 `json:"max_wait_time_ms,omitempty"`
	MaxConcurrency      *int64 `json:"max_concurrency,omitempty"`
	RetryDelay          *int64 `json:"retry_delay,omitempty"`
	VisibilityTimeoutMS *int64 `json:"visibility_timeout_ms,omitempty"`
}

func consumersOf(q deploy.Queue) []consumerJSON {
	c := q.Consumer
	if c == nil {
		return []consumerJSON{}
	}
	out := consumerJSON{ID: c.ID, Type: c.Type, QueueName: q.Name, DeadLetterQueue: c.DeadLetterQueue, CreatedOn: c.Created}
	batch, retries := int64(c.Settings.Batch()), int64(c.Settings.MaxRetries())
	out.Settings = consumerSettingsJSON{BatchSize: &batch, MaxRetries: &retries, RetryDelay: c.Settings.RetryDelay}
	if c.Type == deploy.ConsumerPull {
		visibility := c.Settings.Visibility().Milliseconds()
		out.Settings.VisibilityTimeoutMS = &visibility
		return []consumerJSON{out}
	}
	wait := c.Settings.Linger().Milliseconds()
	out.Settings.MaxWaitMillis, out.Settings.MaxConcurrency = &wait, c.Settings.Concurrency
	out.Script, out.ScriptName = c.Function, c.Function
	return []consumerJSON{out}
}

// readConsumer reads the body of what makes or changes a consumer.
func (r *request) readConsumer() (c deploy.QueueConsumer, err error) {
	var in consumerJSON
	if err := r.readJSON(maxJSON, &in); err != nil {
		return c, err
	}
	if in.Environment != "" && in.Environment != "production" {
		return c, badRequest("environment %q is not offered; name the Function of that stage", in.Environment)
	}
	c = deploy.QueueConsumer{Type: cmp.Or(in.Type, deploy.ConsumerWorker), Function: cmp.Or(in.ScriptName, in.Script, in.Service), DeadLetterQueue: in.DeadLetterQueue}
	s := in.Settings
	c.Settings = deploy.ConsumerSettings{BatchSize: s.BatchSize, Retries: s.MaxRetries, Concurrency: s.MaxConcurrency, RetryDelay: s.RetryDelay, VisibilityMS: s.VisibilityTimeoutMS}
	if s.MaxWaitMillis != nil {
		seconds := (*s.MaxWaitMillis + 999) / 1000
		c.Settings.BatchTimeout = &seconds
	}
	return c, nil
}

func listConsumers(r *request) error {
	q, err := r.queue()
	if err != nil {
		return err
	}
	return r.ok(consumersOf(q))
}

func getConsumer(r *request) error {
	q, err := r.queue()
	if err != nil {
		return err
	}
	if q.Consumer == nil || q.Consumer.ID != r.params["consumer"] {
		return host.Errorf(host.CodeNotFound, "queue %q has no consumer %q", q.Name, r.params["consumer"])
	}
	return r.ok(consumersOf(q)[0])
}

func createConsumer(r *request) error {
	c, err := r.readConsumer()
	if err != nil {
		return err
	}
	q, err := r.api.registry.AddConsumer(r.Context(), r.account(), r.params["queue"], c)
	if err != nil {
		return err
	}
	r.note("consumer", q.Consumer.ID)
	return r.ok(consumersOf(q)[0])
}

func changeConsumer(r *request) error {
	c, err := r.readConsumer()
	if err != nil {
		return err
	}
	q, err := r.api.registry.SetConsumer(r.Context(), r.account(), r.params["queue"], r.params["consumer"], c)
	if err != nil {
		return err
	}
	return r.ok(consumersOf(q)[0])
}

func deleteConsumer(r *request) error {
	if err := r.api.registry.RemoveConsumer(r.Context(), r.account(), r.params["queue"], r.params["consumer"]); err != nil {
		return err
	}
	return r.ok(nil)
}
