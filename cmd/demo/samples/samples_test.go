package samples_test

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/demo/samples"
)

func TestClaimsAreATableOf40Rows(t *testing.T) {
	f, err := samples.Files().Open(samples.Claims)
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll() // refuses rows of another length than the header
	require.NoError(t, err)
	require.Len(t, rows, 1+40)
}

func TestClaimFormIsAPDF(t *testing.T) {
	form, err := fs.ReadFile(samples.Files(), samples.ClaimForm)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(form, []byte("%PDF-")))
	require.True(t, bytes.HasSuffix(bytes.TrimSpace(form), []byte("%%EOF")))
}
