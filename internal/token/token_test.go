package token_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/token"
)

var oldSecret, newSecret = strings.Repeat("o", 32), strings.Repeat("n", 32)

func secrets(t *testing.T, texts ...string) token.Secrets {
	t.Helper()
	s, err := token.New(texts)
	require.NoError(t, err)
	return s
}

// signed returns metadata with the token of the secrets.
func signed(s token.Secrets) map[string]string {
	metadata := map[string]string{
		asteroid.MetadataNamespace: "claims", asteroid.MetadataWorkflowID: "claim-7", asteroid.MetadataExecutionKey: "key",
	}
	metadata[asteroid.MetadataToken] = s.Make(metadata)
	return metadata
}

func TestSecretsCheckTokensOfAllSecrets(t *testing.T) {
	t.Parallel()
	before, during, after := secrets(t, oldSecret), secrets(t, newSecret, oldSecret), secrets(t, newSecret)
	for name, row := range map[string]struct {
		made, checks token.Secrets
		want         token.Verdict
		id           string
	}{
		"the same":                     {before, before, token.Valid, before.IDs()[0]},
		"old one during the rotation":  {before, during, token.Valid, before.IDs()[0]},
		"new one during the rotation":  {during, during, token.Valid, after.IDs()[0]},
		"old one after the rotation":   {before, after, token.Wrong, ""},
		"new one before the rotation":  {after, before, token.Wrong, ""},
		"none made":                    {token.Secrets{}, before, token.Missing, ""},
		"none known":                   {before, token.Secrets{}, token.Wrong, ""},
		"none made nor known":          {token.Secrets{}, token.Secrets{}, token.Missing, ""},
		"made after the rotation only": {during, after, token.Valid, after.IDs()[0]},
	} {
		verdict, id := row.checks.Check(signed(row.made))
		require.Equal(t, row.want, verdict, name)
		require.Equal(t, row.id, id, name)
	}
	require.NotEqual(t, before.IDs(), after.IDs())
}

func TestSecretsRefuseTokenOfOtherMetadata(t *testing.T) {
	t.Parallel()
	s := secrets(t, oldSecret)
	for name, changes := range map[string]map[string]string{
		"namespace":         {asteroid.MetadataNamespace: "payroll"},
		"workflow":          {asteroid.MetadataWorkflowID: "payroll-2026-03"},
		"key":               {asteroid.MetadataExecutionKey: "other"},
		"shifted bytes":     {asteroid.MetadataNamespace: "claims/c", asteroid.MetadataWorkflowID: "laim-7"},
		"no namespace":      {asteroid.MetadataNamespace: ""},
		"another secret's":  {asteroid.MetadataToken: secrets(t, newSecret).Make(signed(s))},
		"a truncated token": {asteroid.MetadataToken: s.Make(signed(s))[:20]},
		"the id only":       {asteroid.MetadataToken: s.IDs()[0] + "."},
		"white space":       {asteroid.MetadataToken: s.Make(signed(s)) + " "},
	} {
		metadata := signed(s)
		maps.Copy(metadata, changes)
		verdict, id := s.Check(metadata)
		require.Equal(t, token.Wrong, verdict, name)
		require.Empty(t, id, name)
	}
}

func TestNewRefusesShortSecretWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	for _, short := range []string{"", "hunter2", strings.Repeat("s", 31)} {
		_, err := token.New([]string{newSecret, short})
		require.ErrorContains(t, err, "secret 2 of 2")
		if short != "" {
			require.NotContains(t, err.Error(), short)
		}
	}
}

func TestTokenHoldsNoSecret(t *testing.T) {
	t.Parallel()
	made := signed(secrets(t, newSecret))[asteroid.MetadataToken]
	require.NotContains(t, made, newSecret)
	require.Len(t, made, 52)
}
