package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

// newDelivery are the commands about the delivery of messages.
func (q *queuesCommand) newDelivery() []*cobra.Command {
	set := func(paused bool, done string) func(*cobra.Command, []string) error {
		return func(c *cobra.Command, args []string) error {
			return q.change(c, args[0], api.QueueSettings{DeliveryPaused: &paused}, done)
		}
	}
	pause := &cobra.Command{
		Use: "pause-delivery NAME", Aliases: []string{"pause"}, Short: "Give no messages to consumers; they can be sent as before", Args: exactly("NAME"),
		Example: "  mayfly queues pause-delivery jobs", RunE: set(true, "paused"),
	}
	resume := &cobra.Command{
		Use: "resume-delivery NAME", Aliases: []string{"resume"}, Short: "Give messages to consumers again", Args: exactly("NAME"),
		Example: "  mayfly queues resume-delivery jobs", RunE: set(false, "resumed"),
	}
	purge := &cobra.Command{
		Use: "purge NAME", Short: "Remove all messages of a queue", Args: exactly("NAME"),
		Example: "  mayfly queues purge jobs\n  mayfly queues purge jobs --force",
		RunE:    func(c *cobra.Command, args []string) error { return q.purge(c, args[0]) },
	}
	purge.Flags().BoolVarP(&q.force, "force", "f", false, "do not ask")
	return []*cobra.Command{pause, resume, purge}
}

func (q *queuesCommand) purge(c *cobra.Command, name string) error {
	client, queue, err := q.find(c, name)
	if err != nil {
		return err
	}
	if err := confirm(q.stdio, q.force, "Remove all messages of the queue %s?", name); err != nil {
		return err
	}
	if err := client.PurgeQueue(c.Context(), queue.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(q.stdio.Out, "purged %s\n", name)
	return err
}

type queuesSend struct {
	*queuesCommand
	contentType, path string
	delay             int64
}

func (q *queuesCommand) newSend() *cobra.Command {
	s := &queuesSend{queuesCommand: q}
	c := &cobra.Command{
		Use: "send NAME [BODY...]", Short: "Send messages to a queue", Args: atLeast(1, "NAME"),
		Example: "  mayfly queues send jobs '{\"resize\": \"cat.png\"}'\n  mayfly queues send jobs hello --content-type text\n  mayfly queues send jobs --path picture.png --content-type bytes",
		Long:    "Send puts each BODY into the queue, or the file of --path, all at once. Prints their ids:\nthey are stored then.",
		RunE:    func(c *cobra.Command, args []string) error { return s.send(c, args[0], args[1:]) },
	}
	c.Flags().StringVar(&s.contentType, "content-type", "json", "what a body is: json, text or bytes")
	c.Flags().StringVar(&s.path, "path", "", "file with the body; - is standard input")
	c.Flags().Int64Var(&s.delay, "delay-secs", 0, "how long the messages wait: 0 to 86400 (default: as the queue says)")
	c.Flags().BoolVar(&q.json, "json", false, "print JSON")
	return c
}

func (s *queuesSend) send(c *cobra.Command, name string, bodies []string) error {
	var list []api.QueueMessage
	for _, body := range bodies {
		m, err := s.message(c, []byte(body))
		if err != nil {
			return err
		}
		list = append(list, m)
	}
	if s.path != "" {
		data, err := readInput(s.stdio, s.path)
		if err != nil {
			return err
		}
		m, err := s.message(c, data)
		if err != nil {
			return err
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		return usagef(c, "BODY is missing, or --path")
	}
	client, queue, err := s.find(c, name)
	if err != nil {
		return err
	}
	ids, err := client.SendMessages(c.Context(), queue.ID, list)
	if err != nil {
		return err
	}
	if s.json {
		return printJSON(s.stdio.Out, ids)
	}
	for _, id := range ids {
		fmt.Fprintln(s.stdio.Out, id)
	}
	return nil
}

func (s *queuesSend) message(c *cobra.Command, body []byte) (m api.QueueMessage, err error) {
	m.ContentType = s.contentType
	if c.Flags().Changed("delay-secs") {
		m.DelaySeconds = &s.delay
	}
	switch s.contentType {
	case "json":
		if !json.Valid(body) {
			return m, usagef(c, "%.40q is not JSON; quote texts as \"\\\"text\\\"\", or say --content-type text", body)
		}
		m.Body = json.RawMessage(body)
	case "text":
		if !utf8.Valid(body) {
			return m, usagef(c, "the body is not UTF-8; say --content-type bytes")
		}
		m.Body = string(body)
	case "bytes":
		m.Body = base64.StdEncoding.EncodeToString(body)
	default:
		return m, usagef(c, "--content-type is %q; it is json, text or bytes", s.contentType)
	}
	return m, nil
}

type queuesPull struct {
	*queuesCommand
	batch, visibility int64
	ack, bodies       bool
}

func (q *queuesCommand) newPull() *cobra.Command {
	p := &queuesPull{queuesCommand: q}
	c := &cobra.Command{
		Use: "pull NAME", Short: "Take messages of a queue with an HTTP pull consumer", Args: exactly("NAME"),
		Example: "  mayfly queues pull jobs\n  mayfly queues pull jobs --batch-size 100 --ack --json",
		Long: `Pull leases messages, and prints them. They come again when their lease ends, unless
they are acknowledged: at once with --ack, or by 'mayfly queues ack' and the lease.`,
		RunE: func(c *cobra.Command, args []string) error { return p.pull(c, args[0]) },
	}
	c.Flags().Int64Var(&p.batch, "batch-size", 0, "most messages: 1 to 100 (default: the consumer's)")
	c.Flags().Int64Var(&p.visibility, "visibility-timeout-secs", 0, "how long they are leased: 1 to 43200 (default: the consumer's)")
	c.Flags().BoolVar(&p.bodies, "bodies", false, "print the bodies alone, each in a line")
	c.Flags().BoolVar(&p.ack, "ack", false, "acknowledge them as soon as they are printed")
	c.Flags().BoolVar(&q.json, "json", false, "print JSON")
	return c
}

func (p *queuesPull) pull(c *cobra.Command, name string) error {
	client, queue, err := p.find(c, name)
	if err != nil {
		return err
	}
	list, err := client.PullMessages(c.Context(), queue.ID, p.batch, 1000*p.visibility)
	if err != nil {
		return err
	}
	if err := p.print(list); err != nil || !p.ack || len(list) == 0 {
		return err
	}
	var leases []string
	for _, m := range list {
		leases = append(leases, m.LeaseID)
	}
	_, err = client.AckMessages(c.Context(), queue.ID, leases)
	return err
}

func (p *queuesPull) print(list []api.Pulled) error {
	if p.json {
		return printJSON(p.stdio.Out, append([]api.Pulled{}, list...))
	}
	rows := make([]string, len(list))
	for i, m := range list {
		body, err := m.Text()
		if err != nil {
			return fmt.Errorf("read message %s: %w", m.ID, err)
		}
		if p.bodies {
			fmt.Fprintf(p.stdio.Out, "%s\n", body)
			continue
		}
		rows[i] = fmt.Sprintf("%s\t%d\t%s\t%s", m.ID, m.Attempts, m.LeaseID, shown(body))
	}
	if p.bodies {
		return nil
	}
	return table(p.stdio.Out, "ID\tATTEMPT\tLEASE\tBODY", len(rows), func(i int) string { return rows[i] })
}

// shown is a body in a line of a table.
func shown(body []byte) string {
	const most = 200
	if !utf8.Valid(body) {
		return fmt.Sprintf("(%d bytes)", len(body))
	}
	if len(body) > most {
		return printable(string(body[:most])) + "..."
	}
	return printable(string(body))
}

func (q *queuesCommand) newAck() *cobra.Command {
	return &cobra.Command{
		Use: "ack NAME LEASE...", Short: "Acknowledge messages that were pulled", Args: atLeast(2, "NAME", "LEASE"),
		Example: "  mayfly queues ack jobs 5d41402abc4b2a76-0",
		RunE: func(c *cobra.Command, args []string) error {
			client, queue, err := q.find(c, args[0])
			if err != nil {
				return err
			}
			n, err := client.AckMessages(c.Context(), queue.ID, args[1:])
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(q.stdio.Out, "acknowledged %d\n", n); err != nil || n == len(args)-1 {
				return err
			}
			return fmt.Errorf("%d of the leases were over: their messages come again", len(args)-1-n)
		},
	}
}
