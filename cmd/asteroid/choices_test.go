package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestOptionsNameQuestionAndAnswer(t *testing.T) {
	t.Parallel()
	options := func(labels ...string) (all []asteroid.QuestionOption) {
		for _, label := range labels {
			all = append(all, asteroid.QuestionOption{Label: label})
		}
		return all
	}
	account := asteroid.Question{Question: "Which account?", Header: "Account", Options: options("Checking", "Savings", "a=b", "2")}
	documents := asteroid.Question{Question: "Which documents?", Header: "Documents", MultiSelect: true, Options: options("Invoice", "Photo", "Savings")}
	note := asteroid.Question{Question: "A note?"}
	both := []asteroid.Question{account, documents}
	for name, row := range map[string]struct {
		questions []asteroid.Question
		options   []string
		want      []workflows.Answer
		refused   string
	}{
		"label":             {[]asteroid.Question{account}, []string{"Savings"}, []workflows.Answer{{Labels: []string{"Savings"}}}, ""},
		"other letter case": {[]asteroid.Question{account}, []string{"savings"}, []workflows.Answer{{Labels: []string{"Savings"}}}, ""},
		"number":            {[]asteroid.Question{account}, []string{"1"}, []workflows.Answer{{Labels: []string{"Checking"}}}, ""},
		"label is a number": {[]asteroid.Question{account}, []string{"2"}, []workflows.Answer{{Labels: []string{"2"}}}, ""},
		"label with =":      {[]asteroid.Question{account}, []string{"a=b"}, []workflows.Answer{{Labels: []string{"a=b"}}}, ""},
		"two questions": {both, []string{"account=Savings", "2=1", "Which documents?=Photo"}, []workflows.Answer{
			{Question: "Which account?", Labels: []string{"Savings"}}, {Question: "Which documents?", Labels: []string{"Invoice", "Photo"}},
		}, ""},
		"label of one only":    {both, []string{"Photo"}, []workflows.Answer{{Question: "Which documents?", Labels: []string{"Photo"}}}, ""},
		"label of both":        {both, []string{"Savings"}, nil, "question=label"},
		"unknown in question":  {both, []string{"Account=Photo"}, nil, `"Checking", "Savings"`},
		"unknown":              {both, []string{"Cash"}, nil, `"Invoice", "Photo"`},
		"several of one":       {[]asteroid.Question{account}, []string{"1", "Savings"}, nil, "takes one answer"},
		"question without any": {[]asteroid.Question{note}, []string{"1"}, nil, "give --text"},
		"nothing but a reason": {nil, []string{"1"}, nil, "give --text"},
	} {
		got, err := chooseOptions(row.questions, row.options)
		require.Equal(t, row.want, got, name)
		if row.refused != "" {
			require.ErrorContains(t, err, row.refused, name)
			require.Equal(t, exitUsage, codeOf(t.Context(), err), name)
		}
	}
}

func TestExitCodesOfErrors(t *testing.T) {
	t.Parallel()
	application := func(errorType string) error {
		return fmt.Errorf("context: %w", temporal.NewNonRetryableApplicationError("what happened", errorType, nil))
	}
	for name, row := range map[string]struct {
		err  error
		code int
	}{
		"input":           {asteroid.NewInvalidInput("agentId", "is empty"), exitUsage},
		"outdated asking": {asteroid.NewInvalidInput("asking", "is over"), exitFailed},
		"finished run":    {asteroid.NewInvalidInput("executionId", "is finished"), exitFailed},
		"not found":       {application(asteroid.ErrorTypeNotFound), exitNotFound},
		"failed":          {application(asteroid.ErrorTypeExecutionFailed), exitAgentFailed},
		"cancelled":       {application(asteroid.ErrorTypeExecutionCancelled), exitAgentFailed},
		"unknown status":  {application(asteroid.ErrorTypeUnknownStatus), exitAgentFailed},
		"run timed out":   {application(asteroid.ErrorTypeExecutionTimedOut), exitTimedOut},
		"deadline":        {context.DeadlineExceeded, exitTimedOut},
		"unauthorized":    {application(asteroid.ErrorTypeUnauthorized), exitFailed},
		"other":           {errors.New("other"), exitFailed},
	} {
		require.Equal(t, row.code, codeOf(t.Context(), row.err), name)
		require.NotContains(t, message(row.err), "retryable:", name)
	}
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	require.Equal(t, exitInterrupted, codeOf(interrupted, context.Canceled))
}
