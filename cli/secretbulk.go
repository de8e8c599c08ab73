package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/spf13/cobra"
)

func newSecretBulk(s *secretCommand) *cobra.Command {
	return &cobra.Command{
		Use:     "bulk [FILE]",
		Example: s.example("bulk secrets.json", "bulk --env staging < .dev.vars.staging"),
		Short:   "Put and delete the secrets in a file",
		Long: `Bulk puts what is in a file, or in standard input, all of it or nothing:

    {"NAME": "text", "OTHER": null}

A secret that is null is deleted; those that are not named stay. A file that does
not begin with "{" is read as .dev.vars is: NAME=text, one per line.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return s.bulk(c, argument(args, 0, "-")) },
	}
}

func (s *secretCommand) bulk(c *cobra.Command, path string) error {
	client, function, err := s.open(c)
	if err != nil {
		return err
	}
	texts, err := readSecrets(s.stdio, path)
	if err != nil {
		return err
	}
	if err := client.PatchSecrets(c.Context(), function, texts, s.idle); err != nil {
		return deployFirst(err, function)
	}
	put := 0
	for _, text := range texts {
		if text != nil {
			put++
		}
	}
	_, err = fmt.Fprintf(s.stdio.Out, "put %d secrets of %s and deleted %d\n", put, function, len(texts)-put)
	return err
}

// readSecrets reads a file of secrets; a nil text deletes. No error has anything
// of a text.
func readSecrets(stdio Stdio, path string) (map[string]*string, error) {
	data, err := readInput(stdio, path)
	if err != nil {
		return nil, err
	}
	texts := map[string]*string{}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		if err := json.Unmarshal(data, &texts); err != nil {
			return nil, fmt.Errorf(`%s is not an object of texts such as {"NAME": "text"}: %w`, path, err)
		}
		return texts, nil
	}
	lines, err := deploy.ParseDevVars(filepath.Base(path), data)
	for name, text := range lines {
		texts[name] = &text
	}
	return texts, err
}
