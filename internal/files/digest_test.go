package files

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckedReaderFailsInPlaceOfEOF(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		size   int64
		header http.Header
		fails  string
	}{
		"right size":        {3, nil, ""},
		"any size":          {UnknownSize, nil, ""},
		"too short":         {4, nil, "has 3 bytes instead of 4"},
		"too long":          {2, nil, "has 3 bytes instead of 2"},
		"SHA-256":           {3, http.Header{"Digest": {"SHA-256=ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="}}, ""},
		"not that SHA-256":  {3, http.Header{"Digest": {"SHA-256=" + strings.Repeat("A", 43) + "="}}, "its sha-256 is ba78"},
		"MD5":               {3, http.Header{"Content-Md5": {"kAFQmDzST7DWlj99KOF/cg=="}}, ""},
		"not that MD5":      {3, http.Header{"Content-Md5": {strings.Repeat("A", 22) + "=="}}, "its md5 is 9001"},
		"CRC-32C":           {3, http.Header{"X-Goog-Hash": {"crc32c=Nks/tw==", "md5=kAFQmDzST7DWlj99KOF/cg=="}}, ""},
		"not that CRC-32C":  {3, http.Header{"X-Goog-Hash": {"crc32c=AAAAAA=="}}, "its crc32c is 364b3fb7"},
		"the S3 of a whole": {3, http.Header{"X-Amz-Checksum-Sha256": {strings.Repeat("A", 43) + "="}}, "sha-256"},
		"the S3 of parts":   {3, http.Header{"X-Amz-Checksum-Sha256": {strings.Repeat("A", 43) + "=-2"}}, ""},
		"several":           {3, http.Header{"Repr-Digest": {"md5=:kAFQmDzST7DWlj99KOF/cg==:, sha-256=:" + strings.Repeat("A", 43) + "=:"}}, "sha-256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checked := NewCheckedReader("x", strings.NewReader("abc"), row.size, digestsOf(row.header))
			content, err := io.ReadAll(checked)
			require.Equal(t, "abc", string(content))
			if row.fails != "" {
				require.ErrorContains(t, err, row.fails)
				require.Error(t, checked.Failed)
				_, again := checked.Read(make([]byte, 1))
				require.ErrorContains(t, again, row.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", checked.SHA256())
		})
	}
}
