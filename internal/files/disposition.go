package files

import (
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// dispositionName returns the file name that a Content-Disposition gives (RFC 6266), without
// directories; "" if it gives none. The extended form, filename*, goes first.
func dispositionName(header string) string {
	_, parameters, err := mime.ParseMediaType(header)
	name := parameters["filename"]
	if err != nil { // a name with blanks but without quotes, or a parameter that is given twice
		name = looseParameter(header, "filename")
	}
	if extended := latin1Parameter(header); extended != "" {
		name = extended
	}
	if !utf8.ValidString(name) {
		name = fromLatin1(name)
	}
	if decoded, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
		name = decoded
	}
	name = strings.TrimSpace(name[strings.LastIndexAny(name, `/\`)+1:])
	if strings.Trim(name, ". ") == "" {
		return ""
	}
	return text.Line(name, maxName)
}

// looseParameter returns a parameter of a header that does not follow the grammar.
func looseParameter(header, wanted string) string {
	for part := range strings.SplitSeq(header, ";") {
		name, value, ok := strings.Cut(part, "=")
		if ok && strings.EqualFold(strings.TrimSpace(name), wanted) {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// latin1Parameter returns a filename* in ISO-8859-1. Package mime decodes UTF-8 only.
func latin1Parameter(header string) string {
	charset, rest, _ := strings.Cut(looseParameter(header, "filename*"), "'")
	_, encoded, ok := strings.Cut(rest, "'")
	decoded, err := url.PathUnescape(encoded)
	if !ok || err != nil || !strings.EqualFold(charset, "iso-8859-1") {
		return ""
	}
	return fromLatin1(decoded)
}

func fromLatin1(latin1 string) string {
	runes := make([]rune, len(latin1))
	for i := range len(latin1) {
		runes[i] = rune(latin1[i])
	}
	return string(runes)
}

// endings are the usual endings of content types. Package mime has those that the machine lists.
var endings = map[string]string{
	"application/json": ".json", "application/msword": ".doc", "application/pdf": ".pdf", "application/rtf": ".rtf",
	"application/vnd.ms-excel": ".xls", "application/vnd.ms-powerpoint": ".ppt", "application/xml": ".xml", "application/zip": ".zip",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         ".xlsx",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   ".docx",
	"image/gif": ".gif", "image/jpeg": ".jpg", "image/png": ".png", "image/svg+xml": ".svg", "image/tiff": ".tiff", "image/webp": ".webp",
	"text/csv": ".csv", "text/html": ".html", "text/markdown": ".md", "text/plain": ".txt", "text/tab-separated-values": ".tsv", "text/xml": ".xml",
}

// downloadName returns the name of a file that a host serves: that of the Content-Disposition, else
// the last element of the URL. A name without an ending gets that of the content type.
func downloadName(header http.Header, address *url.URL, contentType string) string {
	name := dispositionName(header.Get("Content-Disposition"))
	if name == "" {
		_, name = path.Split(address.Path)
	}
	if media, _, err := mime.ParseMediaType(contentType); err == nil && name != "" && path.Ext(name) == "" {
		name += endings[media]
	}
	return name
}
