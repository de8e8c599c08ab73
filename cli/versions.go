package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/spf13/cobra"
)

type versionsCommand struct {
	functionFlags
	stdio     Stdio
	json, yes bool
	message   string
	keep      int
}

func newVersions(stdio Stdio) *cobra.Command {
	v := &versionsCommand{stdio: stdio}
	parent := group(&cobra.Command{
		Use:   "versions",
		Short: "Upload, list and deploy the versions of a Function",
		Long: `Every upload, and every change of a secret, makes a version, which never changes.
One of them serves, or two that share the requests. A VERSION is a number, an id, or
the beginning of an id that no other one has.`,
	})
	v.register(parent)
	list := &cobra.Command{
		Use: "list", Short: "List the versions that are kept, newest first", Args: atMost(0),
		Example: "  mayfly versions list --name hello",
		RunE:    func(c *cobra.Command, _ []string) error { return v.list(c) },
	}
	view := &cobra.Command{
		Use: "view VERSION", Short: "Show what a version consists of", Args: exactly("VERSION"),
		Example: "  mayfly versions view 3f2a",
		RunE:    func(c *cobra.Command, args []string) error { return v.view(c, args[0]) },
	}
	for _, c := range []*cobra.Command{list, view} {
		c.Flags().BoolVar(&v.json, "json", false, "print JSON")
	}
	deploy := &cobra.Command{
		Use: "deploy VERSION[@PERCENT] [VERSION@PERCENT]", Short: "Let one version serve, or two by percentages",
		Example: "  mayfly versions deploy 3f2a@10% 9c81@90%\n  mayfly versions deploy 3f2a",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(c, "VERSION is missing")
			}
			return atMost(2)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error { return v.deploy(c, args) },
	}
	deploy.Flags().StringVar(&v.message, "message", "", "why, for the history")
	deploy.Flags().BoolVarP(&v.yes, "yes", "y", false, "do not ask")
	prune := &cobra.Command{
		Use: "prune", Short: "Remove old versions; those that serve stay", Args: atMost(0),
		Example: "  mayfly versions prune --keep 20",
		RunE:    func(c *cobra.Command, _ []string) error { return v.prune(c) },
	}
	prune.Flags().IntVar(&v.keep, "keep", 10, "how many of the newest stay")
	prune.Flags().BoolVarP(&v.yes, "yes", "y", false, "do not ask")
	parent.AddCommand(newVersionsUpload(stdio), newVersionsSecret(v), list, view, deploy, prune)
	return parent
}

func (v *versionsCommand) list(c *cobra.Command) error {
	client, function, err := v.open(c)
	if err != nil {
		return err
	}
	all, err := client.Versions(c.Context(), function)
	if err != nil {
		return err
	}
	if v.json {
		return printJSON(v.stdio.Out, append([]api.Version{}, all...))
	}
	serving, err := client.Deployments(c.Context(), function)
	if err != nil {
		return err
	}
	return table(v.stdio.Out, "NUMBER\tVERSION\tSERVES\tCREATED\tBY\tTAG\tMESSAGE", len(all), func(i int) string {
		one := all[i]
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%s", one.Number, one.ID, percentOf(serving, one.ID), date(one.Metadata.CreatedOn),
			cmp.Or(one.Metadata.AuthorEmail, "-"), cmp.Or(one.Annotations[api.TagAnnotation], "-"), messageOf(one))
	})
}

// messageOf is what is said about a Version, or what made it.
func messageOf(v api.Version) string {
	return cmp.Or(v.Annotations[api.MessageAnnotation], v.Annotations[api.TriggerAnnotation], "-")
}

// percentOf is how much of the requests a Version gets in the newest Deployment.
func percentOf(all []api.Deployment, version string) string {
	if len(all) > 0 {
		for _, share := range all[0].Versions {
			if share.VersionID == version {
				return fmt.Sprintf("%d%%", share.Percentage)
			}
		}
	}
	return "-"
}

func (v *versionsCommand) view(c *cobra.Command, id string) error {
	client, function, err := v.open(c)
	if err != nil {
		return err
	}
	if id, err = fullID(c, client, function, id); err != nil {
		return err
	}
	one, err := client.Version(c.Context(), function, id)
	if err != nil {
		return err
	}
	if v.json {
		return printJSON(v.stdio.Out, one)
	}
	return printVersion(v.stdio.Out, one)
}

func printVersion(w io.Writer, v api.Version) error {
	rows := [][2]string{
		{"Version", v.ID}, {"Number", strconv.Itoa(v.Number)}, {"Created", date(v.Metadata.CreatedOn)},
		{"By", v.Metadata.AuthorEmail}, {"Tag", v.Annotations[api.TagAnnotation]}, {"Message", messageOf(v)},
		{"Alias", v.Annotations[api.AliasAnnotation]}, {"Preview", v.Mayfly.PreviewURL},
		{"Module", fmt.Sprintf("%s, %d bytes", v.Resources.Script.ETag, v.Mayfly.Size)},
		{"Compatibility date", v.Resources.ScriptRuntime.CompatibilityDate},
	}
	for _, b := range v.Resources.Bindings {
		rows = append(rows, [2]string{"Binding " + b.Name, strings.TrimSpace(b.Type + " " + bindingText(b))})
	}
	return table(w, "", len(rows), func(i int) string { return rows[i][0] + "\t" + cmp.Or(rows[i][1], "-") })
}

func bindingText(b api.Binding) string {
	if b.Text != nil {
		return strconv.Quote(*b.Text)
	}
	return cmp.Or(string(b.JSON), b.NamespaceID, b.Service)
}

// fullID is the id of the Version with a number, or whose id begins so. A number
// goes before.
func fullID(c *cobra.Command, client *api.Client, function, id string) (string, error) {
	if len(id) == len("00000000-0000-0000-0000-000000000000") {
		return id, nil
	}
	all, err := client.Versions(c.Context(), function)
	if err != nil {
		return "", err
	}
	var found []string
	for _, v := range all {
		if strconv.Itoa(v.Number) == id {
			return v.ID, nil
		}
		if id != "" && strings.HasPrefix(v.ID, id) {
			found = append(found, v.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", notThere("%s has no version %q; 'mayfly versions list' shows those that are kept", function, id)
	}
	return "", fmt.Errorf("%d versions of %s begin with %q: %s; write more of it", len(found), function, id, strings.Join(found, ", "))
}

func (v *versionsCommand) deploy(c *cobra.Command, args []string) error {
	client, function, err := v.open(c)
	if err != nil {
		return err
	}
	shares, err := parseShares(args)
	if err != nil {
		return usagef(c, "%v", err)
	}
	for i := range shares {
		if shares[i].VersionID, err = fullID(c, client, function, shares[i].VersionID); err != nil {
			return err
		}
	}
	if err := confirm(v.stdio, v.yes, "Let %s serve %s?", sharesText(shares), function); err != nil {
		return err
	}
	return deployShares(c, v.stdio, client, function, shares, v.message, v.yes)
}

// deployShares makes a Deployment, and says so. Where that brings older secrets back,
// it asks.
func deployShares(c *cobra.Command, stdio Stdio, client *api.Client, function string, shares []api.Share, message string, force bool) error {
	d := api.Deployment{Versions: shares, Annotations: annotations(api.MessageAnnotation, message)}
	_, err := client.Deploy(c.Context(), function, d, force)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Has(api.CodeOtherSecrets) && isTerminal(stdio.In) {
		if err := confirm(stdio, false, "%s\nDeploy it all the same?", e.Messages[0].Message); err != nil {
			return err
		}
		_, err = client.Deploy(c.Context(), function, d, true)
	} else if ok && e.Has(api.CodeOtherSecrets) {
		_, names, _ := strings.Cut(e.Messages[0].Message, "changed: ")
		e.Messages[0].Message = "the version has other secrets than the one that serves: " + names
		return fmt.Errorf("%w\nAdd --yes if that is what you want", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.Out, "%s now serves %s\n", function, sharesText(shares))
	return err
}

// parseShares reads VERSION, or VERSION@PERCENT with or without the sign. A second
// one may leave its percentage out.
func parseShares(args []string) (shares []api.Share, err error) {
	left := 100
	var open *api.Share
	for _, arg := range args {
		id, text, given := strings.Cut(arg, "@")
		share := api.Share{VersionID: id}
		if given {
			if share.Percentage, err = strconv.Atoi(strings.TrimSuffix(text, "%")); err != nil || share.Percentage < 0 || share.Percentage > 100 {
				return nil, fmt.Errorf("%q: write VERSION@PERCENT with a whole number from 0 to 100, such as 3f2a@10%%", arg)
			}
			left -= share.Percentage
		}
		shares = append(shares, share)
		if !given {
			if open != nil {
				return nil, errors.New("one of two versions needs a percentage, such as 3f2a@10%")
			}
			open = &shares[len(shares)-1]
		}
	}
	if open != nil {
		for i := range shares {
			if !strings.Contains(args[i], "@") {
				shares[i].Percentage = left
				left = 0
			}
		}
	}
	if left != 0 {
		return nil, fmt.Errorf("the percentages are %d together, and have to be 100", 100-left)
	}
	return shares, nil
}

func sharesText(shares []api.Share) string {
	var parts []string
	for _, s := range shares {
		parts = append(parts, fmt.Sprintf("%s@%d%%", s.VersionID, s.Percentage))
	}
	return strings.Join(parts, " ")
}

func (v *versionsCommand) prune(c *cobra.Command) error {
	client, function, err := v.open(c)
	if err != nil {
		return err
	}
	if err := confirm(v.stdio, v.yes, "Remove all versions of %s but the newest %d and those that serve?", function, v.keep); err != nil {
		return err
	}
	removed, err := client.PruneVersions(c.Context(), function, v.keep)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(v.stdio.Out, "removed %d versions of %s\n", len(removed), function)
	return err
}
