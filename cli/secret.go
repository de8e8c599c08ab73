package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxSecretInput is more than a node takes, in bytes.
const maxSecretInput = 1 << 20

type secretCommand struct {
	functionFlags
	stdio       Stdio
	json, force bool
	idle        bool // the Version that is made does not serve yet
}

func newSecret(stdio Stdio) *cobra.Command {
	s := &secretCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "secret",
		Short: "Put, list and delete the secrets of a Function",
	})
	s.register(parent)
	return s.add(parent)
}

// newVersionsSecret is newSecret for Versions that are to serve later. Its parent
// has the flags.
func newVersionsSecret(v *versionsCommand) *cobra.Command {
	s := &secretCommand{stdio: v.stdio, idle: true}
	parent := group(&cobra.Command{
		Use:   "secret",
		Short: "Change the secrets of the newest version, in a new one that does not serve yet",
	})
	s.register(parent)
	return s.add(parent)
}

// example shows how a command is used.
func (s *secretCommand) example(lines ...string) string {
	command := "  mayfly secret "
	if s.idle {
		command = "  mayfly versions secret "
	}
	return command + strings.Join(lines, "\n"+command)
}

// effect says when a change is seen.
func (s *secretCommand) effect() string {
	if s.idle {
		return "The version\nthat this makes serves after 'mayfly versions deploy'."
	}
	return "The next request sees it."
}

// add adds the commands.
func (s *secretCommand) add(parent *cobra.Command) *cobra.Command {
	put := &cobra.Command{
		Use:     "put NAME",
		Example: s.example("put API_KEY", "put API_KEY --name hello < key.txt"),
		Short:   "Give a Function a secret; its text comes from standard input",
		Long: `Put asks for the text without showing it, or reads standard input where that is
no terminal; white space at its end is dropped. ` + s.effect(),
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error { return s.put(c, args[0]) },
	}
	list := &cobra.Command{
		Use:     "list",
		Example: s.example("list", "list --name hello --json"),
		Short:   "List the names of a Function's secrets", Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error { return s.list(c) },
	}
	list.Flags().BoolVar(&s.json, "json", false, "print JSON")
	remove := &cobra.Command{
		Use:     "delete NAME",
		Example: s.example("delete API_KEY --name hello"),
		Short:   "Take a secret from a Function", Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error { return s.remove(c, args[0]) },
	}
	remove.Flags().BoolVarP(&s.force, "force", "f", false, "do not ask")
	parent.AddCommand(put, list, remove, newSecretBulk(s))
	return parent
}

func (s *secretCommand) put(c *cobra.Command, name string) error {
	client, function, err := s.open(c)
	if err != nil {
		return err
	}
	text, err := s.readText(name)
	if err != nil {
		return err
	}
	if err := s.change(c, client, function, name, &text); err != nil {
		return deployFirst(err, function)
	}
	_, err = fmt.Fprintf(s.stdio.Out, "put the secret %s of %s\n", name, function)
	return err
}

// change puts a secret, or deletes it if text is nil.
func (s *secretCommand) change(c *cobra.Command, client *api.Client, function, name string, text *string) error {
	switch {
	case s.idle:
		return client.PatchSecrets(c.Context(), function, map[string]*string{name: text}, true)
	case text == nil:
		return client.DeleteSecret(c.Context(), function, name)
	}
	return client.PutSecret(c.Context(), function, name, *text)
}

// deployFirst says what to do about a Function that is not there yet.
func deployFirst(err error, function string) error {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Has(api.CodeNoScript) {
		return fmt.Errorf("%w; deploy it first, or together with its secrets: mayfly deploy --name %s --secrets-file FILE", err, function)
	}
	return err
}

// readText reads a secret, hidden where a person types it.
func (s *secretCommand) readText(name string) (string, error) {
	var text []byte
	var err error
	if isTerminal(s.stdio.In) {
		fmt.Fprintf(s.stdio.Err, "Text of %s: ", name)
		text, err = term.ReadPassword(int(s.stdio.In.(*os.File).Fd()))
		fmt.Fprintln(s.stdio.Err)
	} else {
		text, err = io.ReadAll(io.LimitReader(s.stdio.In, maxSecretInput))
	}
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if text = bytes.TrimRight(text, " \t\r\n"); len(text) == 0 {
		return "", errors.New("the secret is empty: pipe its text into the command, or type it")
	}
	return string(text), nil
}

func (s *secretCommand) list(c *cobra.Command) error {
	client, function, err := s.open(c)
	if err != nil {
		return err
	}
	all, err := client.Secrets(c.Context(), function)
	if err != nil {
		return err
	}
	if s.json {
		return printJSON(s.stdio.Out, append([]api.Secret{}, all...))
	}
	var names strings.Builder
	for _, secret := range all {
		fmt.Fprintln(&names, secret.Name)
	}
	if _, err := io.WriteString(s.stdio.Out, names.String()); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

func (s *secretCommand) remove(c *cobra.Command, name string) error {
	client, function, err := s.open(c)
	if err != nil {
		return err
	}
	if err := confirm(s.stdio, s.force, "Delete the secret %s of %s?", name, function); err != nil {
		return err
	}
	if err := s.change(c, client, function, name, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdio.Out, "deleted the secret %s of %s\n", name, function)
	return err
}
