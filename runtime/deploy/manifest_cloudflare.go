package deploy

// The keys below are wrangler's
// (https://developers.cloudflare.com/workers/wrangler/configuration/). They
// are refused by name instead of as unknown, and never silently ignored: a
// Function that needs one would not work.

// topForeign are the keys of the top level.
func topForeign() []string {
	return append(stageForeign(), "$schema", "alias", "data_blobs", "keep_vars", "legacy_env",
		"pages_build_output_dir", "send_metrics", "site", "text_blobs", "wasm_modules")
}

// stageForeign are the keys of the top level that a stage may have as well.
func stageForeign() []string {
	return []string{
		"access", "ai", "analytics_engine_datasets", "assets", "base_dir", "browser", "cache", "cloudchamber",
		"compatibility_flags", "compliance_region", "connect", "containers", "d1_databases", "define",
		"dispatch_namespaces", "durable_objects", "exports", "find_additional_modules", "first_party_worker",
		"hyperdrive", "images", "jsx_factory", "jsx_fragment", "keep_names", "logfwdr", "logpush", "media",
		"migrations", "minify", "mtls_certificates", "no_bundle", "node_compat", "observability", "pipelines",
		"placement", "preserve_file_names", "preview_urls", "previews", "python_modules", "queues", "r2_buckets",
		"ratelimits", "rules", "secrets", "secrets_store_secrets", "send_email", "services",
		"streaming_tail_consumers", "tail_consumers", "triggers", "tsconfig", "unsafe", "upload_source_maps",
		"usage_model", "vectorize", "version_metadata", "vpc_services", "worker_loaders", "workers_dev", "workflows",
		"zone_id",
	}
}

// devForeign are the keys of [dev].
func devForeign() []string {
	return []string{
		"container_engine", "enable_containers", "generate_types", "host", "inspector_ip", "inspector_port",
		"local_protocol", "upstream_protocol",
	}
}
