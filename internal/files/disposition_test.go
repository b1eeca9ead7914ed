package files

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestDispositionName(t *testing.T) {
	t.Parallel()
	for header, name := range map[string]string{
		``: "", `attachment`: "", `attachment; filename`: "", `attachment; filename=""`: "", `attachment; filename=".."`: "",
		`attachment; filename="Invoice 7.pdf"`: "Invoice 7.pdf", `inline; FileName=a.csv`: "a.csv", `filename=a.csv`: "a.csv",
		`attachment; filename=Invoice 7.pdf; size=3`: "Invoice 7.pdf", `attachment; filename="a.pdf"; filename="b.pdf"`: "a.pdf",
		`attachment; filename="a \"b\".pdf"`: `a "b".pdf`, `attachment; filename="C:\dir\a.pdf"`: "a.pdf", `attachment; filename="../../etc/passwd"`: "passwd",
		`attachment; filename="a.pdf"; filename*=UTF-8''%D0%BE%D1%82%D1%87%D1%91%D1%82.pdf`: "отчёт.pdf",
		`attachment; filename*=utf-8'en'b%20c.pdf; filename="a.pdf"`:                        "b c.pdf",
		`attachment; filename*=ISO-8859-1''%fcbersicht.pdf; filename="a.pdf"`:               "übersicht.pdf",
		`attachment; filename*=UTF-8''%zz; filename="a.pdf"`:                                "a.pdf",
		"attachment; filename=\"\xfcbersicht.pdf\"":                                         "übersicht.pdf",
		`attachment; filename="übersicht.pdf"`:                                              "übersicht.pdf",
		`attachment; filename="=?UTF-8?B?w7xiZXJzaWNodC5wZGY=?="`:                           "übersicht.pdf",
		"attachment; filename=\"a\u202efdp.exe\"":                                           "a\ufffdfdp.exe",
	} {
		require.Equal(t, name, dispositionName(header), header)
	}
}

func TestDownloadName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ uri, contentType, disposition, name string }{
		{"https://h/download?id=7", "application/pdf", `attachment; filename="Invoice 7.pdf"`, "Invoice 7.pdf"},
		{"https://h/download?id=7", "application/pdf", ``, "download.pdf"},
		{"https://h/download?id=7", "text/csv; charset=utf-8", `attachment; filename=claims`, "claims.csv"},
		{"https://h/a.bin", "application/pdf", ``, "a.bin"},
		{"https://h/download", "application/octet-stream", ``, "download"},
		{"https://h/download", "", ``, "download"},
		{"https://h/", "application/pdf", ``, ""},
	} {
		address, err := url.Parse(row.uri)
		require.NoError(t, err)
		header := http.Header{"Content-Disposition": {row.disposition}}
		require.Equal(t, row.name, downloadName(header, address, row.contentType), row)
	}
}

// FuzzDispositionName checks that the name in any header is one element of a path and bounded.
func FuzzDispositionName(f *testing.F) {
	for _, header := range []string{`attachment; filename="a/b"; filename*=UTF-8''c%2Fd`, "filename*=ISO-8859-1''%fc/%5c", `attachment; filename="=?UTF-8?B?Li4vYQ==?="`, "filename=\x00\xff"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		name := dispositionName(header)
		require.True(t, utf8.ValidString(name), "%q", name)
		require.LessOrEqual(t, len(name), maxName)
		require.NotContains(t, []string{".", ".."}, name)
		require.False(t, strings.ContainsAny(name, "/\\\x00\n\r"), "%q", name)
	})
}

// FuzzContentRange checks that no header makes an offset or a size negative.
func FuzzContentRange(f *testing.F) {
	for _, header := range []string{"bytes 0-511/1000", "bytes */7", "bytes 1-2/*", "bytes -5-1/9223372036854775808", "bytes 5-1/3", "items 0-1/2"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, value string) {
		start, total, _ := contentRange(http.Header{"Content-Range": {value}})
		require.GreaterOrEqual(t, start, int64(0))
		require.GreaterOrEqual(t, total, int64(UnknownSize))
	})
}
