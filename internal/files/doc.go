// Package files opens, transfers and verifies files of any size without holding them in memory. It
// knows neither Temporal nor the Asteroid API: package activities connects them.
//
// # Sources
//
// A [Source] is a file that a reference names: its name, content type and size, and a function that
// opens it. Each scheme has its own way to find one, with the worker's [Roots] and [HTTPS] options:
//
//	files.FindData(uri)     data:   decodes the content that the URI itself holds
//	roots.Find(uri)         file:   confines paths to configured directories
//	https.Find(ctx, uri)    https:  requests the first bytes, for size and content type
//
// A Source whose content must be fetched reads a [Remote]: a [Download] resumes after an
// interruption and fails if the file changes meanwhile. Sizes, ranges and checksums are those of
// the file as the host keeps it; an https: file with a Content-Encoding is decoded behind them.
// Other schemes belong to an [asteroid.Store].
//
// # Destinations
//
// A destination is an [asteroid.Store] that SaveFiles writes to. [DiskStore] is the worker's own
// disk: a file appears under its name only when it is complete. [SafePath] and [PathSet] turn the
// names that an agent chose into paths that stay beneath the destination and do not collide.
//
// # Uploads
//
// An [Upload] is a request body that streams one Source as a multipart form. It distinguishes a
// file that cannot be read from a request that fails. [Quota] bounds files whose size is unknown in
// advance, [UniqueNames] makes names for the forms, and [WithStallTimeout] ends a transfer that
// stalls:
//
//	ctx, stop := files.WithStallTimeout(ctx)
//	defer stop()
//	body, err := files.OpenUpload(ctx, source, name, quota, func(int) { files.Alive(ctx) })
//
// # Digests
//
// [Digests] are expected checksums, from a response's header or from [SHA256Digest]. A
// [CheckedReader] compares them and the size when the content ends. A mismatch is an error in place
// of io.EOF, so a store that sees it stores nothing.
//
// # Guards
//
// References come from workflow inputs and are not trusted. A path never leaves its root, even
// through a symbolic link. An https: reference reaches public addresses only, unless the worker's
// options allow a network. The address is checked on every connection, redirects included. URLs in
// error texts lose their query ([RedactURL], [RedactURI]), which may hold a signature.
//
// # Errors
//
// An [Error] has a type that decides how an activity fails. Any other error of finding or
// opening a Source means that the reference is invalid and that no retry helps.
package files
