package activities_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// readExecution reads an execution with what it asks.
func readExecution(t *testing.T, options worker.Options, id string) *asteroid.Execution {
	t.Helper()
	e, err := runActivity[asteroid.Execution](newEnv(t, options), asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: id})
	require.NoError(t, err)
	return e
}

// messages returns the texts that an execution has received.
func messages(api *testsuite.API, id string) []string {
	e, _ := api.Execution(id)
	texts := []string{}
	for _, m := range e.Messages {
		texts = append(texts, m.Text)
	}
	return texts
}

func TestGetExecutionNamesEachAskingOfTheSameWords(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	ask := testsuite.Ask("Go on?", "Yes", "No")
	id := executeSteps(t, api, options, ask, ask, testsuite.AwaitConfirmation("Pay?"), testsuite.Complete("success", "", 1))
	seen := map[string]bool{}
	for range 3 {
		clock.Advance(time.Minute)
		e := readExecution(t, options, id)
		require.NotEmpty(t, e.Asking)
		require.Equal(t, e.Asking, readExecution(t, options, id).Asking)
		require.False(t, seen[e.Asking])
		seen[e.Asking] = true
		_, err := runActivity[asteroid.SetExecutionStatusResult](newEnv(t, options), asteroid.SetExecutionStatusName,
			asteroid.SetExecutionStatusInput{ExecutionID: id, Status: asteroid.StatusRunning, Asking: e.Asking})
		require.NoError(t, err)
	}
	clock.Advance(time.Minute)
	require.Empty(t, readExecution(t, options, id).Asking)
}

func TestSendMessageAnswersOnlyTheNamedAsking(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	id := executeSteps(t, api, options, testsuite.Ask("Continue?", "Yes", "No"), testsuite.Work(time.Minute),
		testsuite.Ask("Pay 10,000?", "Yes", "No"), testsuite.Work(time.Hour), testsuite.Complete("success", "", 1))
	send := func(asking, message string) (*asteroid.SendMessageResult, error) {
		return runActivity[asteroid.SendMessageResult](newEnv(t, options), asteroid.SendMessageName,
			asteroid.SendMessageInput{ExecutionID: id, Asking: asking, Message: message})
	}
	refused := func(err error, says string) {
		t.Helper()
		requireErrorType(t, invalidInput, err)
		require.True(t, applicationError(t, err).NonRetryable())
		details, _ := asteroid.DetailsOf(err)
		require.Equal(t, "asking", details.Field)
		require.ErrorContains(t, err, says)
	}
	clock.Advance(time.Minute)
	first := readExecution(t, options, id).Asking
	_, err := send("", "Yes")
	refused(err, fmt.Sprintf(`now asks "Continue?" (asking %q)`, first))
	_, err = send("0123456789ab", "Yes")
	refused(err, `"0123456789ab" is not what the agent asks`)
	sent, err := send(first, "Yes")
	require.NoError(t, err)
	require.Equal(t, asteroid.SendMessageResult{ExecutionID: id}, *sent)

	_, err = send(first, "No")
	refused(err, `was answered already, with "Yes"; execution `+id+` asks nothing now: it is running`)
	clock.Advance(2 * time.Minute)
	_, err = send(first, "No")
	refused(err, `now asks "Pay 10,000?"`)
	again, err := send(first, "  Yes\r\n")
	require.NoError(t, err, "a reset sends an accepted answer again")
	require.True(t, again.AlreadySent)
	require.Equal(t, []string{"Yes"}, messages(api, id))

	_, err = send(readExecution(t, options, id).Asking, "No")
	require.NoError(t, err)
	_, err = send("", "Mind the total.")
	require.NoError(t, err)
	require.Equal(t, []string{"Yes", "No", "Mind the total."}, messages(api, id))
}

func TestSendMessageSendsNothingWhileTheQuestionCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]testsuite.Fault{
		"an empty log": testsuite.Answer(http.StatusOK, "[]", "Content-Type", "application/json"),
		"no log":       testsuite.Answer(http.StatusServiceUnavailable, ""),
		"an old log": testsuite.Answer(http.StatusOK, `[{"id":"1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"status_changed","status":"running"}},
			{"id":"0","timestamp":"2026-01-02T03:04:00Z","payload":{"activityType":"status_changed","status":"paused_by_agent","pausedPayload":{"reason":"Which?"}}}]`,
			"Content-Type", "application/json"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clock, options := newAPI(t)
			id := executeSteps(t, api, options, testsuite.Ask("Which?"), testsuite.Complete("success", "", 1))
			clock.Advance(time.Minute)
			asking := readExecution(t, options, id).Asking
			api.Inject("ExecutionActivitiesGet", answer, 3)
			_, err := runActivity[asteroid.SendMessageResult](newEnv(t, options), asteroid.SendMessageName,
				asteroid.SendMessageInput{ExecutionID: id, Asking: asking, Message: "Savings"})
			requireErrorType(t, unavailable, err)
			require.False(t, applicationError(t, err).NonRetryable())
			require.Empty(t, messages(api, id))
		})
	}
}

func TestSendMessageDeliversOnceAfterUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		asks, noise bool
		fault       testsuite.Fault
		waits       bool // before the message is sent again
	}{
		"an answer that arrived":              {true, false, testsuite.LoseResponse(), false},
		"a message that arrived":              {false, false, testsuite.LoseResponse(), false},
		"a message with a log after it":       {false, true, testsuite.LoseResponse(), false},
		"an answer that did not arrive":       {true, false, testsuite.Answer(http.StatusBadGateway, ""), true},
		"a message that did not arrive":       {false, true, testsuite.Answer(http.StatusBadGateway, ""), true},
		"an answer that was refused for rate": {true, false, testsuite.Answer(http.StatusTooManyRequests, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clock, options := newAPI(t)
			steps := []testsuite.Step{testsuite.Work(2 * time.Minute)}
			if row.asks {
				steps = []testsuite.Step{testsuite.Ask("Which?"), testsuite.Work(time.Hour)}
			}
			for range 300 {
				if row.noise {
					steps = append(steps, testsuite.Reason("I think."))
				}
			}
			id := executeSteps(t, api, options, append(steps, testsuite.Work(time.Hour), testsuite.Complete("success", "", 1))...)
			clock.Advance(time.Minute)
			in := asteroid.SendMessageInput{ExecutionID: id, Asking: readExecution(t, options, id).Asking, Message: "Savings,\r\n  please"}
			api.Inject("ExecutionUserMessagesAdd", row.fault, 1)
			a := attempts[asteroid.SendMessageResult]{t: t, name: asteroid.SendMessageName, options: options, in: in}
			require.Error(t, a.nextErr())
			clock.Advance(90 * time.Second) // the log grows
			if row.waits {
				clock.Advance(-89 * time.Second)
				require.ErrorContains(t, a.nextErr(), "not known yet")
				clock.Advance(time.Minute)
			}
			_, err := a.next()
			require.NoError(t, err)
			require.Equal(t, []string{"Savings,\r\n  please"}, messages(api, id))
		})
	}
}

// logService serves one execution at work and its log, and takes messages.
type logService struct {
	log  []map[string]any // the newest first
	sent []string
}

func (s *logService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodPost:
		var body struct{ Message string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		s.sent = append(s.sent, body.Message)
		w.WriteHeader(http.StatusCreated)
	case strings.HasSuffix(r.URL.Path, "/activities"):
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		_ = json.NewEncoder(w).Encode(s.log[:min(limit, len(s.log))])
	default:
		_, _ = io.WriteString(w, executionJSON("running"))
	}
}

func received(at time.Time, message string) map[string]any {
	return map[string]any{"id": at.String(), "timestamp": at, "payload": map[string]any{"activityType": "user_message_received", "message": message}}
}

// An operator who resets an activity takes what its attempts have recorded.
func TestSendMessageLooksBackToItsSchedulingWithoutProgress(t *testing.T) {
	t.Parallel()
	now := time.Now().Add(time.Hour) // the service's clock is ahead
	reasoning := map[string]any{"id": "r", "timestamp": now, "payload": map[string]any{"activityType": "reasoning", "message": "yes, go on"}}
	noise := make([]map[string]any, 700)
	for i := range noise {
		noise[i] = reasoning
	}
	for name, row := range map[string]struct {
		log     []map[string]any
		attempt int32
		sent    bool
	}{
		"received since":                  {[]map[string]any{received(now, "yes, go on")}, 2, false},
		"with other white space":          {[]map[string]any{received(now, " yes,\r\ngo  on\n")}, 2, false},
		"far back":                        {append(noise, received(now, "yes, go on")), 2, false},
		"an equal one three seconds ago":  {[]map[string]any{received(time.Now().Add(-3*time.Second), "yes, go on")}, 2, true},
		"an equal one of somebody else's": {[]map[string]any{received(now, "yes, go on")}, 1, true},
		"another one":                     {[]map[string]any{received(now, "no")}, 2, true},
		"only quoted by the agent":        {[]map[string]any{reasoning}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &logService{log: row.log}
			env := newEnvWith(t, worker.Options{Connections: serveAPI(t, service.ServeHTTP)}, onAttempt(row.attempt))
			result, err := runActivity[asteroid.SendMessageResult](env, asteroid.SendMessageName, asteroid.SendMessageInput{ExecutionID: "e-1", Message: "yes, go on"})
			require.NoError(t, err)
			require.Equal(t, !row.sent, result.AlreadySent)
			require.Equal(t, row.sent, len(service.sent) == 1)
		})
	}
}

// The console is faster than the request, and the agent asks the next question.
func TestSendMessageReportsAMisplacedMessage(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		asks      bool
		console   string
		misplaced bool
	}{
		"nobody else":                     {true, "", false},
		"another answer":                  {true, "No", true},
		"the same answer":                 {true, "Yes", true},
		"a question to an agent at work":  {false, "", true},
		"an answered one before the next": {false, "No", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clock, options := newAPI(t)
			steps := []testsuite.Step{testsuite.Work(time.Minute), testsuite.Ask("One?"), testsuite.Ask("Two?")}
			if row.asks {
				steps = steps[1:]
			}
			id := executeSteps(t, api, options, append(steps, testsuite.Work(time.Hour), testsuite.Complete("success", "", 1))...)
			clock.Advance(30 * time.Second)
			in := asteroid.SendMessageInput{ExecutionID: id, Asking: readExecution(t, options, id).Asking, Message: "Yes"}
			options.Connections = connectThrough(api, func(r *http.Request) error {
				if r.Method == http.MethodPost {
					clock.Advance(time.Minute)
					if row.console != "" {
						sendDirectly(t, api, id, row.console)
					}
				}
				return nil
			})
			result, err := runActivity[asteroid.SendMessageResult](newEnv(t, options), asteroid.SendMessageName, in)
			require.NoError(t, err)
			require.Equal(t, row.misplaced, result.Misplaced)

			if row.console == in.Message {
				return // the log then shows the answer in its place, whoever sent it
			}
			// As if the response had been lost.
			env := newEnvWith(t, options, onAttempt(2))
			result, err = runActivity[asteroid.SendMessageResult](env, asteroid.SendMessageName, in)
			require.NoError(t, err)
			require.Equal(t, asteroid.SendMessageResult{ExecutionID: id, AlreadySent: true, Misplaced: row.misplaced}, *result)
		})
	}
}

// sendDirectly sends a message as the console does.
func sendDirectly(t *testing.T, api *testsuite.API, id, message string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, api.BaseURL()+"/agents/v2/executions/"+id+"/user-messages", strings.NewReader(fmt.Sprintf(`{"message":%q}`, message)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Asteroid-Agents-Api-Key", api.APIKey())
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusCreated, response.StatusCode)
}

func TestSendMessageRejectsEmptyMessage(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: expectNoRequest(t)})
	_, err := env.ExecuteActivity(asteroid.SendMessageName, asteroid.SendMessageInput{ExecutionID: "e-1", Message: strings.Repeat(" ", 3)})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
}

// The request of an earlier attempt is carried out when it is too late for the answer.
func TestSendMessageReportsMisplacedMessageOfEarlierAttempt(t *testing.T) {
	t.Parallel()
	for name, asks := range map[string]bool{"an answer after somebody else's": true, "a message that becomes an answer": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clock, options := newAPI(t)
			steps := []testsuite.Step{testsuite.Work(2 * time.Minute), testsuite.Ask("Which?"), testsuite.Work(time.Hour), testsuite.Complete("success", "", 1)}
			if asks {
				steps = steps[1:]
			}
			id := executeSteps(t, api, options, steps...)
			clock.Advance(time.Minute)
			in := asteroid.SendMessageInput{ExecutionID: id, Asking: readExecution(t, options, id).Asking, Message: "Savings"}
			a := attempts[asteroid.SendMessageResult]{t: t, name: asteroid.SendMessageName, options: options, in: in}
			api.Inject("ExecutionUserMessagesAdd", testsuite.Answer(http.StatusBadGateway, ""), 1)
			require.Error(t, a.nextErr())
			clock.Advance(2 * time.Minute) // the agent asks
			if asks {
				sendDirectly(t, api, id, "Checking")
			}
			sendDirectly(t, api, id, "Savings")
			result, err := a.next()
			require.NoError(t, err)
			require.Equal(t, asteroid.SendMessageResult{ExecutionID: id, AlreadySent: true, Misplaced: true}, *result)
		})
	}
}

// An attempt may read for long before it sends.
func TestSendMessageCountsGracePeriodFromRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := testsuite.NewAPI(t, testsuite.WithoutNetwork())
		options := worker.Options{Connections: connect(api)}
		changeDefault(options.Connections, func(c *asteroid.Connection) { c.Transport = api.Transport() })
		id := executeSteps(t, api, options, testsuite.Work(time.Hour), testsuite.Complete("success", "", 1))
		time.Sleep(time.Minute)
		api.Inject("ExecutionGet", testsuite.Stall(10*time.Second), 1)
		api.Inject("ExecutionUserMessagesAdd", testsuite.Answer(http.StatusBadGateway, ""), 1)
		a := attempts[asteroid.SendMessageResult]{t: t, name: asteroid.SendMessageName, options: options, in: asteroid.SendMessageInput{ExecutionID: id, Message: "Go on"}}
		require.Error(t, a.nextErr())
		since, err := time.Parse(time.RFC3339Nano, (*a.details)["unknownSince"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), since, 0)
	})
}
