package cli

import (
	"context"
	"fmt"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type queuesConsumer struct {
	*queuesCommand
	batch, timeout, retries, concurrency, retryDelay, visibility int64
	deadLetter                                                   string
}

func newQueuesConsumer(q *queuesCommand) *cobra.Command {
	parent := group(&cobra.Command{Use: "consumer", Short: "Say who gets the messages of a queue"})
	list := &cobra.Command{
		Use: "list NAME", Short: "Show the consumer of a queue", Args: exactly("NAME"), Example: "  mayfly queues consumer list jobs",
		RunE: func(c *cobra.Command, args []string) error { return q.listConsumers(c, args[0]) },
	}
	list.Flags().BoolVar(&q.json, "json", false, "print JSON")
	worker := group(&cobra.Command{Use: "worker", Short: "The same, as wrangler has it for Functions"})
	worker.AddCommand(q.workerAdd("  mayfly queues consumer worker add jobs resizer"), q.workerRemove("  mayfly queues consumer worker remove jobs resizer"))
	pull := group(&cobra.Command{Use: "http", Short: "Let programs pull messages over HTTP"})
	pull.AddCommand(q.pullAdd(), q.pullRemove())
	parent.AddCommand(q.workerAdd("  mayfly queues consumer add jobs resizer --batch-size 20 --dead-letter-queue failed"),
		q.workerRemove("  mayfly queues consumer remove jobs resizer"), worker, pull, list)
	return parent
}

func (q *queuesCommand) workerAdd(example string) *cobra.Command {
	w := &queuesConsumer{queuesCommand: q}
	c := &cobra.Command{
		Use: "add NAME FUNCTION", Short: "Let a Function consume a queue", Args: exactly("NAME", "FUNCTION"), Example: example,
		RunE: func(c *cobra.Command, args []string) error {
			return w.add(c, args[0], api.Consumer{Type: deploy.ConsumerWorker, Script: args[1]})
		},
	}
	w.register(c.Flags())
	c.Flags().Int64Var(&w.timeout, "batch-timeout", 0, "seconds that a batch waits until it is full: 0 to 60 (default 5)")
	c.Flags().Int64Var(&w.concurrency, "max-concurrency", 0, "batches at the same time: 1 to 250 (default 250)")
	return c
}

func (w *queuesConsumer) register(f *pflag.FlagSet) {
	f.Int64Var(&w.batch, "batch-size", 0, "most messages of a batch: 1 to 100 (default 10)")
	f.Int64Var(&w.retries, "message-retries", 0, "how often a message is delivered again: 0 to 100 (default 3)")
	f.StringVar(&w.deadLetter, "dead-letter-queue", "", "the queue that messages go to which have no retries left")
	f.Int64Var(&w.retryDelay, "retry-delay-secs", 0, "seconds before a retry: 0 to 86400 (default: none at first, then growing)")
}

// settings are those of the flags that were given.
func (w *queuesConsumer) settings(f *pflag.FlagSet) (s api.ConsumerSettings) {
	for name, to := range map[string]struct {
		value  int64
		target **int64
	}{
		"batch-size": {w.batch, &s.BatchSize}, "batch-timeout": {1000 * w.timeout, &s.MaxWaitMillis}, "message-retries": {w.retries, &s.MaxRetries},
		"max-concurrency": {w.concurrency, &s.MaxConcurrency}, "retry-delay-secs": {w.retryDelay, &s.RetryDelay},
		"visibility-timeout-secs": {1000 * w.visibility, &s.VisibilityTimeoutMS},
	} {
		if f.Changed(name) {
			*to.target = &to.value
		}
	}
	return s
}

func (w *queuesConsumer) add(c *cobra.Command, name string, consumer api.Consumer) error {
	client, queue, err := w.find(c, name)
	if err != nil {
		return err
	}
	consumer.DeadLetterQueue, consumer.Settings = w.deadLetter, w.settings(c.Flags())
	if _, err := client.AddConsumer(c.Context(), queue.ID, consumer); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdio.Out, "%s consumes %s\n", firstOf(consumer.Script, "HTTP pull"), name)
	return err
}

func (q *queuesCommand) workerRemove(example string) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME FUNCTION", Short: "Let a Function consume a queue no longer; messages stay", Args: exactly("NAME", "FUNCTION"), Example: example,
		RunE: func(c *cobra.Command, args []string) error {
			return q.removeConsumer(c, args[0], func(k api.Consumer) bool { return k.Script == args[1] }, args[1])
		},
	}
}

func (q *queuesCommand) pullAdd() *cobra.Command {
	w := &queuesConsumer{queuesCommand: q}
	c := &cobra.Command{
		Use: "add NAME", Short: "Let programs pull the messages of a queue", Args: exactly("NAME"), Example: "  mayfly queues consumer http add jobs",
		RunE: func(c *cobra.Command, args []string) error {
			return w.add(c, args[0], api.Consumer{Type: deploy.ConsumerPull})
		},
	}
	w.register(c.Flags())
	c.Flags().Int64Var(&w.visibility, "visibility-timeout-secs", 0, "how long pulled messages are leased: 1 to 43200 (default 30)")
	return c
}

func (q *queuesCommand) pullRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Let no programs pull any more; messages stay", Args: exactly("NAME"), Example: "  mayfly queues consumer http remove jobs",
		RunE: func(c *cobra.Command, args []string) error {
			return q.removeConsumer(c, args[0], func(k api.Consumer) bool { return k.Type == deploy.ConsumerPull }, "an HTTP pull")
		},
	}
}

func (q *queuesCommand) removeConsumer(c *cobra.Command, name string, meant func(api.Consumer) bool, what string) error {
	client, queue, err := q.find(c, name)
	if err != nil {
		return err
	}
	if len(queue.Consumers) == 0 || !meant(queue.Consumers[0]) {
		return notThere("queue %s does not have %s as its consumer; 'mayfly queues info %s' shows whom it has", name, what, name)
	}
	if err := client.RemoveConsumer(c.Context(), queue.ID, queue.Consumers[0].ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(q.stdio.Out, "removed the consumer of %s\n", name)
	return err
}

func (q *queuesCommand) listConsumers(c *cobra.Command, name string) error {
	_, queue, err := q.find(c, name)
	if err != nil {
		return err
	}
	if q.json {
		return printJSON(q.stdio.Out, queue.Consumers)
	}
	var rows []string
	for _, k := range queue.Consumers {
		rows = append([]string{"consumer\t" + consumerName(queue)}, consumerRows(k)...)
	}
	return table(q.stdio.Out, "WHAT\tVALUE", len(rows), func(i int) string { return rows[i] })
}

// consumedQueues are the queues of a manifest's consumers; all of them have to exist.
func consumedQueues(ctx context.Context, client *api.Client, m *deploy.Manifest) ([]api.Queue, error) {
	var list []api.Queue
	for _, c := range m.Queues.Consumers {
		q, err := client.Queue(ctx, c.Queue)
		if err != nil {
			return nil, err
		}
		list = append(list, q)
	}
	return list, nil
}

// setConsumers lets a Function consume what its manifest says. As with wrangler, a
// queue that is no longer there keeps its consumer until that is removed.
func setConsumers(ctx context.Context, client *api.Client, m *deploy.Manifest) error {
	queues, err := consumedQueues(ctx, client, m)
	if err != nil {
		return err
	}
	for i, want := range m.Queues.Consumers {
		if err := setConsumer(ctx, client, queues[i], consumerOf(m.Name, want)); err != nil {
			return err
		}
	}
	return nil
}

// setConsumer replaces the consumer that is the same Function's, or pulls as well.
func setConsumer(ctx context.Context, client *api.Client, q api.Queue, want api.Consumer) error {
	for _, has := range q.Consumers {
		if has.Type == want.Type && has.Script == want.Script {
			want.ID = has.ID
			_, err := client.SetConsumer(ctx, q.ID, want)
			return err
		}
	}
	_, err := client.AddConsumer(ctx, q.ID, want)
	return err
}

// consumerOf is a consumer of a manifest, as the API has it.
func consumerOf(function string, c deploy.ManifestConsumer) api.Consumer {
	s := api.ConsumerSettings{BatchSize: c.BatchSize, MaxRetries: c.Retries, MaxConcurrency: c.Concurrency, RetryDelay: c.RetryDelay, VisibilityTimeoutMS: c.VisibilityMS}
	if c.BatchTimeout != nil {
		millis := 1000 * *c.BatchTimeout
		s.MaxWaitMillis = &millis
	}
	if c.Type == deploy.ConsumerPull {
		s.MaxWaitMillis, s.MaxConcurrency, function = nil, nil, ""
	}
	return api.Consumer{Type: firstOf(c.Type, deploy.ConsumerWorker), Script: function, DeadLetterQueue: c.DeadLetterQueue, Settings: s}
}
