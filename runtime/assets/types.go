package assets

import (
	"path"
	"strings"
)

// TypeOf is the Content-Type of a file by the end of its name; empty if it is not
// known. It does not depend on the machine.
func TypeOf(name string) string {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	for kind, extensions := range types() {
		for e := range strings.FieldsSeq(extensions) {
			if e == ext {
				if strings.HasPrefix(kind, "text/") {
					kind += "; charset=utf-8"
				}
				return kind
			}
		}
	}
	return ""
}

// types are media types with their extensions, as IANA and the tools of the web have
// them (https://www.iana.org/assignments/media-types/).
func types() map[string]string {
	return map[string]string{
		"text/html":                     "html htm shtml",
		"text/css":                      "css",
		"text/javascript":               "js mjs",
		"text/plain":                    "txt text conf log ini",
		"text/markdown":                 "md markdown",
		"text/csv":                      "csv",
		"text/calendar":                 "ics",
		"text/vcard":                    "vcard vcf",
		"text/vtt":                      "vtt",
		"text/xml":                      "xml",
		"text/yaml":                     "yaml yml",
		"application/json":              "json map",
		"application/ld+json":           "jsonld",
		"application/manifest+json":     "webmanifest",
		"application/geo+json":          "geojson",
		"application/wasm":              "wasm",
		"application/pdf":               "pdf",
		"application/rss+xml":           "rss",
		"application/atom+xml":          "atom",
		"application/xhtml+xml":         "xhtml xht",
		"application/rtf":               "rtf",
		"application/toml":              "toml",
		"application/zip":               "zip",
		"application/gzip":              "gz",
		"application/zstd":              "zst",
		"application/x-tar":             "tar",
		"application/x-bzip2":           "bz2",
		"application/x-xz":              "xz",
		"application/x-7z-compressed":   "7z",
		"application/octet-stream":      "bin exe dll deb dmg iso img msi",
		"application/epub+zip":          "epub",
		"application/vnd.ms-fontobject": "eot",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   "docx",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         "xlsx",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
		"font/woff":            "woff",
		"font/woff2":           "woff2",
		"font/ttf":             "ttf",
		"font/otf":             "otf",
		"image/png":            "png",
		"image/apng":           "apng",
		"image/jpeg":           "jpg jpeg jpe",
		"image/gif":            "gif",
		"image/webp":           "webp",
		"image/avif":           "avif",
		"image/svg+xml":        "svg",
		"image/bmp":            "bmp",
		"image/tiff":           "tif tiff",
		"image/heic":           "heic",
		"image/x-icon":         "ico",
		"image/jxl":            "jxl",
		"audio/mpeg":           "mp3",
		"audio/mp4":            "m4a",
		"audio/aac":            "aac",
		"audio/ogg":            "oga ogg opus",
		"audio/wav":            "wav",
		"audio/flac":           "flac",
		"audio/webm":           "weba",
		"video/mp4":            "mp4 m4v",
		"video/webm":           "webm",
		"video/ogg":            "ogv",
		"video/quicktime":      "mov",
		"video/mpeg":           "mpeg mpg",
		"video/mp2t":           "ts",
		"model/gltf+json":      "gltf",
		"model/gltf-binary":    "glb",
		"application/x-ndjson": "ndjson",
	}
}

// compressible says whether files of a type are worth compressing: texts, and what
// is not compressed already.
func compressible(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	kind = strings.TrimSpace(kind)
	if strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+json") {
		return true
	}
	switch kind {
	case "application/json", "application/javascript", "application/x-javascript", "application/xml", "application/wasm",
		"application/rtf", "application/toml", "application/x-ndjson", "application/vnd.ms-fontobject",
		"font/ttf", "font/otf", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon", "model/gltf-binary":
		return true
	}
	return false
}
