package activities

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/token"
)

var oldSecret, newSecret = strings.Repeat("o", 32), strings.Repeat("n", 32)

func withSecrets(secrets ...string) func(*Options) {
	return func(o *Options) { o.WebhookSecrets = secrets }
}

func TestExecuteAgentWritesTokenOfFirstSecret(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t, withSecrets(newSecret, oldSecret))
	f.execute(t, asteroid.ExecuteAgentInput{})
	metadata := f.api.Executions()[0].Metadata
	checks, err := token.New([]string{newSecret})
	require.NoError(t, err)
	texts := map[string]string{}
	for name, value := range metadata {
		texts[name] = fmt.Sprint(value)
	}
	verdict, _ := checks.Check(texts)
	require.Equal(t, token.Valid, verdict)
	require.NotContains(t, fmt.Sprint(metadata, f.api.Requests()), newSecret)
}

func TestExecuteAgentWritesNoTokenWithoutSecret(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.execute(t, asteroid.ExecuteAgentInput{})
	require.NotContains(t, f.api.Executions()[0].Metadata, asteroid.MetadataToken)
}

// An adopted execution of which no event can come has to be polled.
func TestExecuteAgentPromisesEventsOfTrustedExecutionsOnly(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		before, after []string
		events        asteroid.Events
		want          asteroid.Events
	}{
		"webhooks, same secret":    {[]string{oldSecret}, []string{newSecret, oldSecret}, asteroid.EventsWebhooks, asteroid.EventsWebhooks},
		"webhooks, no secret":      {nil, nil, asteroid.EventsWebhooks, asteroid.EventsWebhooks},
		"webhooks, first secret":   {nil, []string{newSecret}, asteroid.EventsWebhooks, ""},
		"webhooks, removed secret": {[]string{oldSecret}, []string{newSecret}, asteroid.EventsWebhooks, ""},
		"watch, first secret":      {nil, []string{newSecret}, asteroid.EventsWatch, asteroid.EventsWatch},
		"watch, removed secret":    {[]string{oldSecret}, []string{newSecret}, asteroid.EventsWatch, ""},
		"poll":                     {nil, nil, asteroid.EventsPoll, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWatchFixture(t, withSecrets(row.before...), func(o *Options) { o.Events = row.events })
			in := asteroid.ExecuteAgentInput{IdempotencyKey: "order-1", Signal: true}
			f.execute(t, in)
			var err error
			f.secrets, err = token.New(row.after)
			require.NoError(t, err)
			adopted := f.execute(t, in)
			require.True(t, adopted.Adopted)
			require.Equal(t, row.want, adopted.Events)
		})
	}
}

func TestWatchTrustRefusesWrongTokenAndTakesMissingOne(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t, withSecrets(newSecret))
	f.do(t, func(ctx context.Context) error {
		trusts := f.watchTrust(ctx, asteroid.DefaultConnection)
		metadata := map[string]string{asteroid.MetadataWorkflowID: "claim-7"}
		require.True(t, trusts(metadata))
		metadata[asteroid.MetadataToken] = f.secrets.Make(metadata)
		require.True(t, trusts(metadata))
		metadata[asteroid.MetadataWorkflowID] = "payroll"
		require.False(t, trusts(metadata))
		return nil
	})
}

func TestNewRefusesShortWebhookSecret(t *testing.T) {
	t.Parallel()
	_, err := New(Options{
		Connections: map[string]asteroid.Connection{"default": asteroid.ConnectionFromEnv()}, WebhookSecrets: []string{"hunter2"},
	})
	require.ErrorContains(t, err, "webhook secret 1 of 1")
	require.NotContains(t, err.Error(), "hunter2")
}
