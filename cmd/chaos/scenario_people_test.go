package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestCheckAnswersFindsMisplacedAnswers(t *testing.T) {
	t.Parallel()
	first, second := noon, noon.Add(time.Second)
	for name, row := range map[string]struct {
		answer  answer
		told    []string
		arrived []string // besides what the agent was told
		finding string   // empty for none
	}{
		"accepted, and in its place":         {answer{"a", second, accepted, false}, []string{"b", "a"}, nil, ""},
		"accepted and lost":                  {answer{"a", first, accepted, false}, []string{"b"}, nil, "did not arrive"},
		"arrived twice":                      {answer{"a", first, accepted, false}, []string{"a"}, []string{"a"}, "arrived 2 times"},
		"arrived twice, as two answers":      {answer{"a", first, unclear, false}, []string{"a", "a"}, nil, "arrived 2 times"},
		"at another question":                {answer{"a", first, accepted, false}, []string{"b", "a"}, nil, "meant for question 0"},
		"at another question, which is told": {answer{"a", first, accepted, true}, []string{"b", "a"}, nil, ""},
		"at no question":                     {answer{"a", first, accepted, false}, []string{"b"}, []string{"a"}, "question -1"},
		"refused":                            {answer{"a", first, refused, false}, []string{"b"}, nil, ""},
		"refused, and it arrived":            {answer{"a", first, refused, false}, []string{"a"}, nil, "was refused and arrived"},
		"unclear, and it arrived":            {answer{"a", first, unclear, false}, []string{"a"}, nil, ""},
		"unclear, and it did not arrive":     {answer{"a", first, unclear, false}, []string{"b"}, nil, ""},
		"unclear, and it arrived elsewhere":  {answer{"a", second, unclear, false}, []string{"a"}, nil, "meant for question 1"},
		"to a question that was never asked": {answer{"a", noon.Add(time.Hour), accepted, false}, []string{"a"}, nil, "meant for question -1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := json.Marshal(map[string]any{"told": row.told})
			require.NoError(t, err)
			e := testsuite.Execution{ID: "e", Result: result}
			for _, text := range append(row.told, row.arrived...) {
				e.Messages = append(e.Messages, testsuite.Message{Text: text})
			}
			var found findings
			checkAnswers(&found, "w", e, []time.Time{first, second}, []answer{row.answer})
			requireFinding(t, &found, foundMisplacedAnswer, row.finding)
		})
	}
}

// requireFinding requires one finding of the class with the text, or none if the text is empty.
func requireFinding(t *testing.T, found *findings, c class, text string) {
	t.Helper()
	if text == "" {
		require.Empty(t, found.all)
		return
	}
	require.Len(t, found.all, 1)
	require.Equal(t, c, found.all[0].class)
	require.Contains(t, found.all[0].text, text)
}

func TestCheckConfirmationsFindsThoseThatNobodyGave(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		resumed map[time.Time]time.Time
		finding string
	}{
		"after a person gave it":  {map[time.Time]time.Time{noon: noon.Add(time.Second)}, ""},
		"before a person gave it": {map[time.Time]time.Time{noon: noon.Add(time.Minute)}, "was given at 12:00:02.000"},
		"nobody gave it":          {map[time.Time]time.Time{noon.Add(-time.Minute): noon.Add(-time.Minute)}, "no person gave it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var found findings
			checkConfirmations(&found, outcome{workflowID: "w", executionID: "e"}, []confirmation{{noon, noon.Add(2 * time.Second)}}, row.resumed)
			requireFinding(t, &found, foundMisplacedAnswer, row.finding)
		})
	}
}

func TestLogTellsAskingsAndConfirmations(t *testing.T) {
	t.Parallel()
	var log []logEntry
	for i, status := range []string{"running", "paused_by_agent", "running", "paused_by_agent", "running", "awaiting_confirmation", "running", "completed"} {
		entry := logEntry{Timestamp: noon.Add(time.Duration(i) * time.Second)}
		entry.Payload.Status = status
		log = append(log, entry)
	}
	require.Equal(t, []time.Time{noon.Add(time.Second), noon.Add(3 * time.Second)}, askingsIn(log))
	require.Equal(t, []confirmation{{noon.Add(5 * time.Second), noon.Add(6 * time.Second)}}, confirmationsIn(log))
}
