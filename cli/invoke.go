package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

type invokeCommand struct {
	stdio       Stdio
	node        nodeFlags
	payload     string // file
	contentType string
	async       bool
}

func newInvoke(stdio Stdio) *cobra.Command {
	i := &invokeCommand{stdio: stdio}
	c := &cobra.Command{
		Use:   "invoke NAME",
		Short: "Give a Function a payload, and print what it answers",
		Long: `Invoke sends a payload to a Function as POST to "/", by the node's API: the Function
needs no route. Prints the body of the answer; a status of 400 and above is a failure.

With --async the node keeps the payload until the Function has taken it, also over
crashes, and prints its id. An attempt that ends with an exception or a status of 500
and above is repeated twice, after one and two minutes. Then it goes to where the
Function's failures go, if anywhere.`,
		Example:           "  echo '{\"order\": 7}' | mayfly invoke shop --payload -\n  mayfly invoke shop --payload order.json --async",
		Args:              exactly("NAME"),
		RunE:              func(c *cobra.Command, args []string) error { return i.run(c, args[0]) },
		ValidArgsFunction: completeScripts(&i.node),
	}
	i.node.register(c.Flags())
	c.Flags().StringVar(&i.payload, "payload", "", `file to send, or "-" for standard input (default: nothing)`)
	c.Flags().StringVar(&i.contentType, "content-type", "", "what the payload is (default application/json if it is JSON)")
	c.Flags().BoolVar(&i.async, "async", false, "don't wait for the answer")
	return c
}

func (i *invokeCommand) run(c *cobra.Command, name string) error {
	payload, err := i.read()
	if err != nil {
		return err
	}
	if i.contentType == "" && json.Valid(payload) {
		i.contentType = "application/json"
	}
	client, err := i.node.client(c)
	if err != nil {
		return err
	}
	if i.async {
		id, err := client.InvokeLater(c.Context(), name, i.contentType, payload)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(i.stdio.Out, id)
		return err
	}
	got, err := client.Invoke(c.Context(), name, i.contentType, payload)
	if err != nil {
		return err
	}
	if _, err := i.stdio.Out.Write(got.Body); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	if got.Status >= 400 {
		return fmt.Errorf("%s answered with status %d", name, got.Status)
	}
	return nil
}

func (i *invokeCommand) read() (payload []byte, err error) {
	switch i.payload {
	case "":
		return nil, nil
	case "-":
		payload, err = io.ReadAll(i.stdio.In)
	default:
		payload, err = os.ReadFile(i.payload)
	}
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	return payload, nil
}
