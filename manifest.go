package asteroid

import (
	"net/url"
	"strconv"
)

// ManifestScheme is the URI scheme of manifests. A manifest is a FileRef, or an OutputFile with a
// Count, that stands for many files whose own references are too large for a workflow's history:
//
//	asteroid-manifest:<URI of the list, percent-encoded>?sha256=<digest of the list>
//
// ListFiles and SaveFiles return one if FileSelection.Manifest allows it. StageFiles, AttachFiles
// and RunAgent take it among their Files, where it counts as all of its files. The list is that of
// an execution, or one that SaveFiles has written, and is compared with the digest when it is read.
const ManifestScheme = "asteroid-manifest"

// MaxManifestFiles bounds the files that a manifest stands for.
const MaxManifestFiles = 10_000

// ManifestURI returns the URI of the manifest whose list has a URI and a SHA-256, in hex.
func ManifestURI(list, sha256 string) string {
	return ManifestScheme + ":" + url.QueryEscape(list) + "?sha256=" + sha256
}

// ManifestPart returns the manifest of count files of another manifest, from the index first on. A
// call of StageFiles or AttachFiles takes at most MaxFiles.
func ManifestPart(manifest FileRef, first, count int) FileRef {
	manifest.URI += "&first=" + strconv.Itoa(first) + "&count=" + strconv.Itoa(count)
	return manifest
}
