package samples_test

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/demo/samples"
)

func TestFilesHoldClaimsTableOf40Rows(t *testing.T) {
	f, err := samples.Files().Open(samples.Claims)
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll() // fails for a row whose length differs from the header
	require.NoError(t, err)
	require.Len(t, rows, 1+40)
}

func TestFilesHoldClaimFormAsPDF(t *testing.T) {
	form, err := fs.ReadFile(samples.Files(), samples.ClaimForm)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(form, []byte("%PDF-")))
	require.True(t, bytes.HasSuffix(bytes.TrimSpace(form), []byte("%%EOF")))
}
