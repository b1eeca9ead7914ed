package activities_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestConnectionAcceptsBaseURLWithOldPath(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	for _, suffix := range []string{"", "/", "/agents/v2", "/agents/v2/"} {
		env := newEnv(t, worker.Options{Connections: asDefault(asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL() + suffix})})
		_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: api.AgentID("patient")})
		require.NoError(t, err, suffix)
	}
}

func TestConnectionResolvesAPIKeyForEachRequest(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	rotated := ""
	env := newEnv(t, worker.Options{Connections: asDefault(asteroid.Connection{
		BaseURL: api.BaseURL(), APIKey: func(context.Context) (string, error) { return rotated, nil },
	})})
	in := asteroid.ExecuteAgentInput{AgentID: api.AgentID("patient")}
	_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, in)
	require.True(t, asteroid.IsUnavailable(err), "an empty key is never sent: %v", err)
	require.Empty(t, api.Requests())
	rotated = "short"
	_, err = env.ExecuteActivity(asteroid.ExecuteAgentName, in)
	require.True(t, asteroid.IsUnauthorized(err), "no key is so short: %v", err)
	require.Empty(t, api.Requests())
	rotated = "wrong-key"
	_, err = env.ExecuteActivity(asteroid.ExecuteAgentName, in)
	require.True(t, asteroid.IsUnauthorized(err), "%v", err)
	rotated = api.APIKey() + "\n" // key files often end with a line break
	_, err = env.ExecuteActivity(asteroid.ExecuteAgentName, in)
	require.NoError(t, err)
}

func TestConnectionRetriesUnavailableAPIKey(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: asDefault(asteroid.Connection{
		APIKey: func(context.Context) (string, error) { return "", errors.New("the vault is sealed") },
	})})
	_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: "a"})
	require.Contains(t, err.Error(), "the vault is sealed")
	require.False(t, applicationError(t, err).NonRetryable())
}

func TestAPIKeyFromEnvNamesUnsetVariable(t *testing.T) {
	t.Setenv("ASTEROID_TEST_KEY", "")
	_, err := asteroid.APIKeyFromEnv("ASTEROID_TEST_KEY")(context.Background())
	require.ErrorContains(t, err, "ASTEROID_TEST_KEY")
}

func TestConnectionSendsNoAPIKeyToRedirectTarget(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the redirect was followed, with the headers %v", r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})})
	_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	require.True(t, asteroid.IsUnavailable(err))
	require.Contains(t, err.Error(), "redirected")
}

func TestConnectionKeepsAPIKeyOutOfErrorsLogsAndDumps(t *testing.T) {
	t.Parallel()
	const key = "ak_live/51H8+zq2&eZvKYlo2C=="
	var logged bytes.Buffer
	for name, answer := range map[string]http.HandlerFunc{
		"echoed in JSON": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			_, _ = fmt.Fprintf(w, `{"message":"bad key %s"}`, r.Header.Get("X-Api-Key"))
		},
		"escaped in JSON": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			escaped := strings.NewReplacer("/", `\/`, "&", `\u0026`).Replace(r.Header.Get("X-Api-Key"))
			_, _ = fmt.Fprintf(w, `{"message":"no key %[1]s","reason":"%[1]s","errors":[{"parameter":"%[1]s","detail":"%[1]s"}]}`, escaped)
		},
		"escaped in text": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(502)
			_, _ = fmt.Fprintf(w, "<p>%s %s", html.EscapeString(r.Header.Get("X-Api-Key")), url.QueryEscape(r.Header.Get("X-Api-Key")))
		},
		"echoed in text": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, r.Header.Get("X-Api-Key"))
		},
		"echoed in a header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", r.Header.Get("X-Api-Key"))
			w.WriteHeader(500)
		},
		"echoed as a result": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `"`+r.Header.Get("X-Api-Key")+`"`)
		},
		"echoed as location": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/?"+r.Header.Get("X-Api-Key"))
			w.WriteHeader(302)
		},
		"hang up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			connections := serveAPI(t, answer)
			c := connections[asteroid.DefaultConnection]
			c.APIKey, c.Dialect = asteroid.StaticAPIKey(key), asteroid.DialectWorkflows
			var suite sdktestsuite.WorkflowTestSuite
			suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			env := suite.NewTestActivityEnvironment()
			plugin, err := worker.NewPlugin(worker.Options{Connections: asDefault(c)})
			require.NoError(t, err)
			env.SetWorkerOptions(sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
			for activity, in := range map[string]any{
				asteroid.GetExecutionName: asteroid.GetExecutionInput{ExecutionID: "e-1"},
				asteroid.ExecuteAgentName: asteroid.ExecuteAgentInput{AgentID: "a-1"},
				asteroid.StageFilesName:   asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}},
				asteroid.SendMessageName:  asteroid.SendMessageInput{ExecutionID: "e-1", Message: "hello"},
			} {
				_, err := env.ExecuteActivity(activity, in)
				if err == nil { // any success means that a message was accepted
					require.Equal(t, []string{"echoed as a result", asteroid.SendMessageName}, []string{name, activity})
					continue
				}
				details, _ := asteroid.DetailsOf(err)
				for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err), fmt.Sprintf("%+v", details), fmt.Sprintf("%+v %#v", c, plugin)} {
					require.NotContains(t, text, key)
					require.NotContains(t, text, "zq2")
				}
			}
		})
	}
	require.NotEmpty(t, logged.String())
	require.NotContains(t, logged.String(), key)
}
