package activities_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestSendMessageAnswersQuestion(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	id := executeSteps(t, api, options, testsuite.Ask("Which account?", "Checking", "Savings"), testsuite.Complete("success", "", 1))
	clock.Advance(time.Minute)
	result, err := runActivity[asteroid.SendMessageResult](newEnv(t, options), asteroid.SendMessageName,
		asteroid.SendMessageInput{ExecutionID: id, Message: "Savings"})
	require.NoError(t, err)
	require.False(t, result.AlreadySent)
	got, _ := api.Execution(id)
	require.Equal(t, "Savings", got.Messages[0].Text)
}

func TestSendMessageRetryDeliversOnce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		log  string
		sent bool
	}{
		"delivered before":     {`{"activityType":"user_message_received","message":"yes","userUUID":"u"}`, false},
		"another one before":   {`{"activityType":"user_message_received","message":"no","userUUID":"u"}`, true},
		"only quoted by agent": {`{"activityType":"reasoning","message":"yes"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Bool
			env := newEnvWith(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					sent.Store(true)
					w.WriteHeader(http.StatusCreated)
					return
				}
				now := time.Now().UTC().Format(time.RFC3339Nano)
				_, _ = io.WriteString(w, `[{"id":"1","executionId":"e-1","timestamp":"`+now+`","payload":`+row.log+`}]`)
			})}, onAttempt(2))
			result, err := runActivity[asteroid.SendMessageResult](env, asteroid.SendMessageName, asteroid.SendMessageInput{ExecutionID: "e-1", Message: "yes"})
			require.NoError(t, err)
			require.Equal(t, row.sent, sent.Load())
			require.Equal(t, !row.sent, result.AlreadySent)
		})
	}
}

func TestSendMessageRetryIgnoresOldEqualMessage(t *testing.T) {
	t.Parallel()
	var sent atomic.Bool
	env := newEnvWith(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			sent.Store(true)
			w.WriteHeader(http.StatusCreated)
			return
		}
		_, _ = io.WriteString(w, `[{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"user_message_received","message":"yes"}}]`)
	})}, onAttempt(2))
	_, err := env.ExecuteActivity(asteroid.SendMessageName, asteroid.SendMessageInput{ExecutionID: "e-1", Message: "yes"})
	require.NoError(t, err)
	require.True(t, sent.Load())
}

func TestSendMessageRejectsEmptyMessage(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: expectNoRequest(t)})
	_, err := env.ExecuteActivity(asteroid.SendMessageName, asteroid.SendMessageInput{ExecutionID: "e-1", Message: strings.Repeat(" ", 3)})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
}
