package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// queuesCommand is what all commands below "queues" share.
type queuesCommand struct {
	stdio Stdio
	node  nodeFlags
	json  bool
	force bool

	delay, retention int64 // seconds
}

func newQueues(stdio Stdio) *cobra.Command {
	q := &queuesCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use: "queues", Short: "Make and manage queues, and send and pull their messages",
		Long: `A queue keeps messages until a consumer has acknowledged them, at least once each.
Functions send to a queue that mayfly.toml binds in [[queues.producers]], and get
batches of those in [[queues.consumers]], which 'mayfly deploy' sets up.`,
	})
	q.node.register(parent.PersistentFlags())
	parent.AddCommand(q.newManage()...)
	parent.AddCommand(q.newDelivery()...)
	parent.AddCommand(q.newSend(), q.newPull(), q.newAck(), newQueuesConsumer(q))
	return parent
}

// newManage are the commands about queues themselves.
func (q *queuesCommand) newManage() []*cobra.Command {
	create := &cobra.Command{
		Use: "create NAME", Short: "Make a queue, and print what binds it", Args: exactly("NAME"),
		Example: "  mayfly queues create jobs\n  mayfly queues create jobs --delivery-delay-secs 60",
		RunE:    func(c *cobra.Command, args []string) error { return q.create(c, args[0]) },
	}
	list := &cobra.Command{
		Use: "list", Short: "List the account's queues", Args: atMost(0),
		Example: "  mayfly queues list\n  mayfly queues list --json",
		RunE:    func(c *cobra.Command, _ []string) error { return q.list(c) },
	}
	info := &cobra.Command{
		Use: "info NAME", Short: "Show a queue: what waits, who sends, and who consumes", Args: exactly("NAME"),
		Example: "  mayfly queues info jobs",
		RunE:    func(c *cobra.Command, args []string) error { return q.info(c, args[0]) },
	}
	update := &cobra.Command{
		Use: "update NAME", Short: "Change the settings of a queue", Args: exactly("NAME"),
		Example: "  mayfly queues update jobs --message-retention-period-secs 86400",
		RunE:    func(c *cobra.Command, args []string) error { return q.update(c, args[0]) },
	}
	remove := &cobra.Command{
		Use: "delete NAME", Short: "Delete a queue with all its messages", Args: exactly("NAME"),
		Example: "  mayfly queues delete jobs",
		RunE:    func(c *cobra.Command, args []string) error { return q.remove(c, args[0]) },
	}
	for _, c := range []*cobra.Command{create, update} {
		c.Flags().Int64Var(&q.delay, "delivery-delay-secs", 0, "how long messages wait that are sent without a delay: 0 to 86400")
		c.Flags().Int64Var(&q.retention, "message-retention-period-secs", 0, "how long messages are kept: 60 to 1209600 (default 345600)")
	}
	for _, c := range []*cobra.Command{create, list, info, update} {
		c.Flags().BoolVar(&q.json, "json", false, "print JSON")
	}
	remove.Flags().BoolVarP(&q.force, "force", "f", false, "do not ask")
	return []*cobra.Command{create, list, info, update, remove}
}

// settings are those of the flags that were given.
func (q *queuesCommand) settings(f *pflag.FlagSet) (s api.QueueSettings) {
	if f.Changed("delivery-delay-secs") {
		s.DeliveryDelay = &q.delay
	}
	if f.Changed("message-retention-period-secs") {
		s.RetentionPeriod = &q.retention
	}
	return s
}

// find makes the client and finds a queue.
func (q *queuesCommand) find(c *cobra.Command, name string) (*api.Client, api.Queue, error) {
	client, err := q.node.client(c)
	if err != nil {
		return nil, api.Queue{}, err
	}
	queue, err := client.Queue(c.Context(), name)
	return client, queue, err
}

func (q *queuesCommand) create(c *cobra.Command, name string) error {
	client, err := q.node.client(c)
	if err != nil {
		return err
	}
	made, err := client.CreateQueue(c.Context(), name, q.settings(c.Flags()))
	if err != nil {
		return err
	}
	if q.json {
		return printJSON(q.stdio.Out, made)
	}
	_, err = fmt.Fprintf(q.stdio.Out, `created the queue %s

Bind it in mayfly.toml, for Functions that send to it:

[[queues.producers]]
queue = %q
binding = %q

and for the one that consumes it:

[[queues.consumers]]
queue = %q
`, made.Name, made.Name, bindingFor(name), made.Name)
	return err
}

func (q *queuesCommand) list(c *cobra.Command) error {
	client, err := q.node.client(c)
	if err != nil {
		return err
	}
	all, err := client.Queues(c.Context())
	if err != nil {
		return err
	}
	if q.json {
		return printJSON(q.stdio.Out, all)
	}
	return table(q.stdio.Out, "NAME\tPRODUCERS\tCONSUMER\tDELIVERY\tCREATED", len(all), func(i int) string {
		return fmt.Sprintf("%s\t%d\t%s\t%s\t%s", all[i].Name, len(all[i].Producers), consumerName(all[i]), deliveryOf(all[i]), date(all[i].CreatedOn))
	})
}

func consumerName(q api.Queue) string {
	if len(q.Consumers) == 0 {
		return "-"
	}
	return firstOf(q.Consumers[0].Script, q.Consumers[0].Type)
}

func deliveryOf(q api.Queue) string {
	if paused := q.Settings.DeliveryPaused; paused != nil && *paused {
		return "paused"
	}
	return "on"
}

func (q *queuesCommand) info(c *cobra.Command, name string) error {
	client, queue, err := q.find(c, name)
	if err != nil {
		return err
	}
	metrics, err := client.QueueMetrics(c.Context(), queue.ID)
	if err != nil {
		return err
	}
	if q.json {
		return printJSON(q.stdio.Out, struct {
			api.Queue
			Metrics api.QueueMetrics `json:"metrics"`
		}{queue, metrics})
	}
	rows := []string{
		"name\t" + queue.Name, "id\t" + queue.ID, "created\t" + date(queue.CreatedOn), "delivery\t" + deliveryOf(queue),
		fmt.Sprintf("delivery delay\t%d s", *queue.Settings.DeliveryDelay),
		fmt.Sprintf("messages are kept\t%d s", *queue.Settings.RetentionPeriod),
		fmt.Sprintf("waiting\t%d messages, %d bytes", metrics.Count, metrics.Bytes),
		"oldest\t" + oldest(metrics), "producers\t" + producerNames(queue), "consumer\t" + consumerName(queue),
	}
	if len(queue.Consumers) > 0 {
		rows = append(rows, consumerRows(queue.Consumers[0])...)
	}
	return table(q.stdio.Out, "WHAT\tVALUE", len(rows), func(i int) string { return rows[i] })
}

func oldest(m api.QueueMetrics) string {
	if m.Oldest == 0 {
		return "-"
	}
	return date(time.UnixMilli(m.Oldest))
}

func producerNames(q api.Queue) string {
	var names []string
	for _, p := range q.Producers {
		names = append(names, p.Script)
	}
	return firstOf(strings.Join(names, ", "), "-")
}

func consumerRows(c api.Consumer) (rows []string) {
	for _, s := range []struct {
		name  string
		value *int64
		unit  string
	}{
		{"batch size", c.Settings.BatchSize, "messages"}, {"batch timeout", c.Settings.MaxWaitMillis, "ms"}, {"retries", c.Settings.MaxRetries, ""},
		{"retry delay", c.Settings.RetryDelay, "s"}, {"max concurrency", c.Settings.MaxConcurrency, "batches"}, {"visibility timeout", c.Settings.VisibilityTimeoutMS, "ms"},
	} {
		if s.value != nil {
			rows = append(rows, strings.TrimSpace(fmt.Sprintf("%s\t%d %s", s.name, *s.value, s.unit)))
		}
	}
	return append(rows, "dead letter queue\t"+firstOf(c.DeadLetterQueue, "-"))
}

func (q *queuesCommand) update(c *cobra.Command, name string) error {
	settings := q.settings(c.Flags())
	if settings == (api.QueueSettings{}) {
		return usagef(c, "say what to change: --delivery-delay-secs, --message-retention-period-secs")
	}
	return q.change(c, name, settings, "changed")
}

func (q *queuesCommand) change(c *cobra.Command, name string, s api.QueueSettings, done string) error {
	client, queue, err := q.find(c, name)
	if err != nil {
		return err
	}
	changed, err := client.SetQueue(c.Context(), queue, s)
	if err != nil {
		return err
	}
	if q.json {
		return printJSON(q.stdio.Out, changed)
	}
	_, err = fmt.Fprintf(q.stdio.Out, "%s %s\n", done, name)
	return err
}

func (q *queuesCommand) remove(c *cobra.Command, name string) error {
	client, queue, err := q.find(c, name)
	if err != nil {
		return err
	}
	if err := confirm(q.stdio, q.force, "Delete the queue %s with all its messages?", name); err != nil {
		return err
	}
	if err := client.DeleteQueue(c.Context(), queue.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(q.stdio.Out, "deleted %s\n", name)
	return err
}
