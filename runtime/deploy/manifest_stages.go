package deploy

import (
	"slices"

	"github.com/mayfly-run/mayfly/runtime/tomlfile"
)

// ownKeys are those that a stage does not take from the top level, as wrangler
// has it: variables and everything that is bound, because what serves should not
// share it with what is tried out.
// https://developers.cloudflare.com/workers/wrangler/configuration/#non-inheritable-keys
func ownKeys() []string {
	return []string{
		"ai", "analytics_engine_datasets", "browser", "d1_databases", "define", "dispatch_namespaces", "durable_objects",
		"hyperdrive", "images", "kv_namespaces", "mtls_certificates", "pipelines", "queues", "r2_buckets", "ratelimits",
		"secrets", "secrets_store_secrets", "send_email", "services", "streaming_tail_consumers", "tail_consumers", "unsafe", "vars", "vectorize",
		"version_metadata", "vpc_services", "worker_loaders", "workflows",
	}
}

// table is a table of the file as it was decoded, or nil.
func table(it item) map[string]any {
	m, _ := it.Value.(map[string]any)
	return m
}

// stageTable is [env.<stage>].
func (d *decoder) stageTable(stage string) (it item, ok bool) {
	for _, env := range d.Children(d.Root(), "a table") {
		if env.Key != "env" || table(env) == nil {
			continue
		}
		for _, it := range d.Children(env, "a table") {
			if it.Key == stage && table(it) != nil {
				return it, true
			}
		}
	}
	return item{}, false
}

// warnOfTop tells what a stage lacks that the top level has, and that it may have
// been expected to take from there.
func (d *decoder) warnOfTop(stage string) {
	it, ok := d.stageTable(stage)
	if stage == "" || !ok {
		return
	}
	for _, top := range d.Children(d.Root(), "a table") {
		_, repeated := table(it)[top.Key]
		if repeated || !slices.Contains(ownKeys(), top.Key) || isEmpty(top.Value) {
			continue
		}
		d.Warnf(it.KeyAt, "%q stands at the top level only, and stages do not inherit it; repeat it in [%s], or write %s = %s there if it is to have none",
			top.Key, tomlfile.ChildPath("env", stage), top.Key, nothing(top.Value))
	}
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// nothing is how a file says that a list or table is empty.
func nothing(value any) string {
	if _, ok := value.(map[string]any); ok {
		return "{}"
	}
	return "[]"
}

// used reports whether a stage has to do with a key of the top level.
func (d *decoder) used(key, stage string) bool {
	if stage == "" || key == "dev" {
		return true
	}
	it, ok := d.stageTable(stage)
	if !ok || slices.Contains(ownKeys(), key) {
		return false
	}
	_, own := table(it)[key]
	if key == "route" || key == "routes" { // either takes the place of both
		_, one := table(it)["route"]
		_, many := table(it)["routes"]
		own = one || many
	}
	return !own
}
