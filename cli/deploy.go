package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mayfly-run/mayfly/cli/api"
	"github.com/mayfly-run/mayfly/cli/internal/build"
	"github.com/mayfly-run/mayfly/runtime/deploy"
	"github.com/spf13/cobra"
)

type deployCommand struct {
	stdio   Stdio
	node    nodeFlags
	stage   stageFlag
	name    string
	secrets string // file
	assets  string // folder of static files; empty without
	json    bool
	dry     bool
	vars    []string // NAME:TEXT

	made string // folder that is removed in the end; may be empty

	message, tag, alias string
	canary              canaryFlags
}

func newDeploy(stdio Stdio) *cobra.Command {
	d := &deployCommand{stdio: stdio}
	c := &cobra.Command{
		Use:     "deploy [FILE | DIR]",
		Example: "  mayfly deploy\n  mayfly deploy --env staging\n  mayfly deploy --dry-run\n  mayfly deploy hello.wasm --name hello --secrets-file secrets.json",
		Short:   "Upload a Function and print where it serves",
		Long: `Deploy builds the project in DIR (default: here) and uploads its module with what
mayfly.toml says: routes, variables, KV namespaces, static files, limits, and cron
triggers if there are [triggers]; without, those stay that it has. Of the
files, only those are sent that the node does not have. A KV binding without
an id gets a namespace of its own, named after the Function and the binding. A
FILE.wasm is uploaded as it is, without a manifest; a FILE.js or FILE.ts with what
it imports. Prints the URL at which it serves now.`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return d.run(c, argument(args, 0, ".")) },
	}
	d.registerUpload(c)
	d.canary.register(c.Flags())
	c.Flags().BoolVar(&d.dry, "dry-run", false, "build, and print what would be uploaded; needs no node")
	return c
}

// registerUpload registers the flags of all uploads.
func (d *deployCommand) registerUpload(c *cobra.Command) {
	d.node.register(c.Flags())
	c.Flags().StringVar(&d.name, "name", "", "name of the Function (default: the manifest's, or the file's)")
	d.stage.register(c.Flags())
	c.Flags().StringVar(&d.secrets, "secrets-file", "", "secrets to put with it, as 'mayfly secret bulk' reads them; others stay")
	c.Flags().BoolVar(&d.json, "json", false, "print what the node answers as JSON")
	c.Flags().StringArrayVar(&d.vars, "var", nil, "NAME:TEXT, a variable that goes over mayfly.toml's; may be repeated")
	c.Flags().StringVar(&d.message, "message", "", "what is said about the version")
	c.Flags().StringVar(&d.tag, "tag", "", "a short name of the version, such as a release's")
}

func (d *deployCommand) run(c *cobra.Command, path string) error {
	if d.dry {
		return d.dryRun(c, path)
	}
	client, err := d.node.client(c)
	if err != nil {
		return err
	}
	file, m, err := d.prepare(c, path)
	defer func() { os.RemoveAll(d.made) }()
	if err != nil {
		return err
	}
	if _, err := consumedQueues(c.Context(), client, m); err != nil { // rather than when the Function serves
		return err
	}
	if err := d.provision(c.Context(), client, m); err != nil {
		return err
	}
	if d.canary.given() {
		return d.try(c, client, file, m)
	}
	if err := dropKVTriggers(c.Context(), client, m); err != nil {
		return err
	}
	made, err := d.upload(c.Context(), client, file, m)
	if err != nil {
		return err
	}
	if err := setTriggers(c.Context(), client, m); err != nil {
		return fmt.Errorf("the Function is deployed, but %w", err)
	}
	d.tell(made.Mayfly.Wants)
	if d.json {
		return printJSON(d.stdio.Out, made)
	}
	_, err = fmt.Fprintln(d.stdio.Out, made.URL)
	return err
}

// prepare finds the module and the manifest of what is to be deployed. The
// manifest is named as the Function will be.
func (d *deployCommand) prepare(c *cobra.Command, path string) (file string, m *deploy.Manifest, err error) {
	file, m = path, new(deploy.Manifest)
	switch info, err := os.Stat(path); {
	case err != nil:
		return "", nil, fmt.Errorf("find what to deploy: %w", err)
	case !info.IsDir() && d.stage.given() && d.stage.name != "":
		return "", nil, usagef(c, "--env is for a project with a mayfly.toml; deploy its folder instead of %s", path)
	case !info.IsDir():
		m.Name = strings.ToLower(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
		if build.IsScript(path) {
			if file, err = d.bundle(path); err != nil {
				return "", nil, err
			}
		}
	default:
		p, built, err := buildProject(c.Context(), d.stdio, path, d.stage.get())
		if err != nil {
			return "", nil, err
		}
		file, m = built, p.Manifest
		if d.assets, err = p.AssetsDir(); err != nil {
			return "", nil, err
		}
		m.Routes = append([]deploy.Route{}, m.Routes...) // without any, those of before end
	}
	if err := d.setVars(c, m); err != nil {
		return "", nil, err
	}
	m.Name = firstOf(d.name, m.Name)
	if err := deploy.CheckName(m.Name); err != nil {
		return "", nil, usagef(c, "%v; choose another with --name", err)
	}
	return file, m, nil
}

// bundle makes one module of a script without a project, in a file that is removed
// when the command ends.
func (d *deployCommand) bundle(script string) (string, error) {
	main, err := filepath.Abs(script)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "mayfly-build-*")
	if err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	d.made = dir
	file := filepath.Join(dir, "index.js")
	return file, build.Bundle(filepath.Dir(main), main, file, d.stdio.Err)
}

// setVars puts the variables of --var over those of the manifest.
func (d *deployCommand) setVars(c *cobra.Command, m *deploy.Manifest) error {
	if len(d.vars) == 0 {
		return nil
	}
	all := maps.Clone(m.Vars)
	if all == nil {
		all = map[string]deploy.Var{}
	}
	for i, pair := range d.vars {
		name, text, ok := strings.Cut(pair, ":")
		if !ok || name == "" { // which is not shown: it may be the text
			return usagef(c, "--var number %d is not NAME:TEXT", i+1)
		}
		all[name] = deploy.Var{Text: text}
	}
	m.Vars = all
	return nil
}

// tell says what a Version newly asks for.
func (d *deployCommand) tell(wants []string) {
	for _, text := range wants {
		fmt.Fprintln(d.stdio.Err, "note: this version", text)
	}
}

func (d *deployCommand) upload(ctx context.Context, client *api.Client, file string, m *deploy.Manifest) (s api.Script, err error) {
	err = d.send(ctx, client, file, m, func(module []byte, metadata api.Metadata, sent func(int)) error {
		s, err = client.Upload(ctx, m.Name, module, metadata, sent)
		return err
	})
	return s, err
}

func (d *deployCommand) uploadVersion(ctx context.Context, client *api.Client, file string, m *deploy.Manifest) (v api.Version, err error) {
	err = d.send(ctx, client, file, m, func(module []byte, metadata api.Metadata, sent func(int)) error {
		v, err = client.UploadVersion(ctx, m.Name, module, metadata, sent)
		return err
	})
	return v, err
}

// send gathers what is to be uploaded, and shows how far upload is.
func (d *deployCommand) send(ctx context.Context, client *api.Client, file string, m *deploy.Manifest, upload func([]byte, api.Metadata, func(int)) error) error {
	metadata := metadataOf(m)
	var module []byte
	var err error
	if file == "" { // there are static files only
		metadata.MainModule = ""
	} else if module, err = os.ReadFile(file); err != nil {
		return fmt.Errorf("read module: %w", err)
	} else {
		metadata.MainModule = m.Name + filepath.Ext(file)
		if build.IsScript(file) {
			metadata.SourceMap = build.ReadMap(file)
		}
	}
	if d.assets != "" {
		if metadata.Assets, err = d.sendAssets(ctx, client, m); err != nil {
			return err
		}
	}
	metadata.Annotations = annotations(api.MessageAnnotation, d.message, api.TagAnnotation, d.tag, api.AliasAnnotation, d.alias)
	if d.secrets != "" {
		bindings, err := d.secretBindings()
		if err != nil {
			return err
		}
		metadata.Bindings = append(metadata.Bindings, bindings...)
	}
	line := startProgress(d.stdio, "uploading "+m.Name)
	defer line.Done()
	return upload(module, metadata, func(n int) {
		if n >= len(module) {
			line.Set("the node compiles it")
			return
		}
		line.Set("%d of %d KiB", n>>10, len(module)>>10)
	})
}

// annotations are pairs of a key and a text, without those that have no text.
func annotations(pairs ...string) map[string]string {
	given := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			given[pairs[i]] = pairs[i+1]
		}
	}
	return given
}

// metadataOf is the manifest in Cloudflare's shape, with what that has no place
// for under "mayfly".
func metadataOf(m *deploy.Manifest) api.Metadata {
	metadata := api.Metadata{
		CompatibilityDate: m.CompatibilityDate,
		Bindings:          []api.Binding{},
		Mayfly: struct {
			Routes []deploy.Route `json:"routes"` // null leaves them as they are
			Limits deploy.Limits  `json:"limits,omitzero"`
			Egress *deploy.Egress `json:"egress,omitempty"`

			Snapshot deploy.SnapshotOptions `json:"snapshot,omitzero"`
			Handlers []string               `json:"handlers,omitempty"`
		}{m.Routes, m.Limits, m.Egress, m.Snapshot, m.Handlers()},
	}
	for _, name := range slices.Sorted(maps.Keys(m.Vars)) {
		metadata.Bindings = append(metadata.Bindings, varBinding(name, m.Vars[name]))
	}
	for _, ns := range m.KVNamespaces {
		metadata.Bindings = append(metadata.Bindings, api.Binding{Type: "kv_namespace", Name: ns.Binding, NamespaceID: ns.ID})
	}
	for _, b := range m.Services {
		metadata.Bindings = append(metadata.Bindings, api.Binding{Type: "service", Name: b.Binding, Service: b.Service})
	}
	for _, l := range m.RateLimits {
		metadata.Bindings = append(metadata.Bindings, api.Binding{Type: "ratelimit", Name: l.Name, NamespaceID: l.NamespaceID, Simple: l.Simple})
	}
	for _, p := range m.Queues.Producers {
		metadata.Bindings = append(metadata.Bindings, api.Binding{Type: "queue", Name: p.Binding, QueueName: p.Queue, DeliveryDelay: p.DeliveryDelay})
	}
	if name := m.VersionMetadata.Binding; name != "" {
		metadata.Bindings = append(metadata.Bindings, api.Binding{Type: "version_metadata", Name: name})
	}
	if m.Assets != nil && m.Assets.Binding != "" {
		metadata.Bindings = append(metadata.Bindings, api.Binding{Type: "assets", Name: m.Assets.Binding})
	}
	return metadata
}

func (d *deployCommand) secretBindings() (list []api.Binding, err error) {
	texts, err := readSecrets(d.stdio, d.secrets)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if texts[name] == nil {
			return nil, fmt.Errorf("%s: the secret %s is null, and a deploy deletes none; use 'mayfly secret delete'", d.secrets, name)
		}
		list = append(list, api.Binding{Type: api.SecretType, Name: name, Text: texts[name]})
	}
	return list, nil
}

func varBinding(name string, v deploy.Var) api.Binding {
	if v.JSON != nil {
		return api.Binding{Type: "json", Name: name, JSON: v.JSON}
	}
	return api.Binding{Type: "plain_text", Name: name, Text: &v.Text}
}
