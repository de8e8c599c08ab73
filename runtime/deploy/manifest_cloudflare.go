package deploy

// The keys below are wrangler's
// (https://developers.cloudflare.com/workers/wrangler/configuration/), known by
// name so that a stock wrangler.toml is understood. A key that a Function could
// rely on is refused, since without it the Function would not do what its
// author expects. The others are accepted with a warning: they steer
// Cloudflare's dashboard, its network, or the bundling and execution of
// JavaScript.

// topForeign are keys of the top level.
func (d *decoder) topForeign() []fields {
	return append(d.stageForeign(),
		d.refused("data_blobs", "legacy_env", "pages_build_output_dir", "site", "text_blobs", "wasm_modules"),
		d.ignored("$schema", "alias", "keep_vars", "send_metrics"))
}

// stageForeign are keys of the top level that a stage may have as well.
func (d *decoder) stageForeign() []fields {
	return []fields{
		d.refused(
			"access", "ai", "analytics_engine_datasets", "browser", "cache", "cloudchamber",
			"compliance_region", "connect", "containers", "d1_databases", "dispatch_namespaces", "durable_objects",
			"exports", "hyperdrive", "images", "logfwdr", "media", "migrations", "mtls_certificates", "pipelines",
			"previews", "r2_buckets", "secrets", "secrets_store_secrets", "send_email",
			"streaming_tail_consumers", "tail_consumers", "unsafe", "vectorize",
			"vpc_services", "worker_loaders", "workflows"),
		d.ignored(
			"base_dir", "compatibility_flags", "define", "find_additional_modules", "first_party_worker",
			"jsx_factory", "jsx_fragment", "keep_names", "logpush", "minify", "no_bundle", "node_compat",
			"observability", "placement", "preserve_file_names", "preview_urls", "python_modules", "rules",
			"tsconfig", "upload_source_maps", "usage_model", "workers_dev", "zone_id"),
	}
}

// devForeign are keys of [dev].
func (d *decoder) devForeign() []fields {
	return []fields{
		d.refused("host", "local_protocol", "upstream_protocol"),
		d.ignored("container_engine", "enable_containers", "generate_types", "inspector_ip", "inspector_port"),
	}
}

func (d *decoder) refused(keys ...string) fields {
	return each(keys, func(it item) { d.BadKey(it, "%q is Cloudflare's, not offered by Mayfly yet", it.Key) })
}

func (d *decoder) ignored(keys ...string) fields {
	return each(keys, func(it item) { d.Warnf(it.KeyAt, "%s is Cloudflare's and has no effect here", it.Key) })
}

func each(keys []string, read func(item)) fields {
	all := fields{}
	for _, key := range keys {
		all[key] = read
	}
	return all
}
