package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestLimitRulesFindAgentsThatWorkAtOnce(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	with := func(profile, intent string, from, until int) testsuite.Execution {
		return testsuite.Execution{
			ID: intent, Inputs: map[string]any{inputIntent: intent}, AgentProfileID: profile, CreatedAt: at(from), TerminalAt: at(until), Status: "completed",
		}
	}
	open := func(e testsuite.Execution) testsuite.Execution {
		e.TerminalAt = time.Time{}
		return e
	}
	one := limitRule{workflowID: "w", profileID: "p", most: 1}
	for name, row := range map[string]struct {
		rule   limitRule
		ledger []testsuite.Execution
		want   string // part of the finding; empty for none
	}{
		"one after the other":              {one, []testsuite.Execution{with("p", "a", 0, 5), with("p", "b", 5, 9)}, ""},
		"two at once":                      {one, []testsuite.Execution{with("p", "a", 0, 5), with("p", "b", 4, 9)}, "2 agents work with the profile p, which 1 may: [a b]"},
		"one inside the other":             {one, []testsuite.Execution{with("p", "b", 4, 5), with("p", "a", 0, 9)}, "2 agents"},
		"one that does not end":            {one, []testsuite.Execution{open(with("p", "a", 0, 0)), with("p", "b", 4, 9)}, "2 agents"},
		"as many as may":                   {limitRule{profileID: "p", most: 2}, []testsuite.Execution{with("p", "a", 0, 5), with("p", "b", 4, 9)}, ""},
		"one too many":                     {limitRule{profileID: "p", most: 2}, []testsuite.Execution{with("p", "a", 0, 9), with("p", "b", 0, 9), with("p", "c", 0, 9)}, "3 agents"},
		"of another profile":               {one, []testsuite.Execution{with("p", "a", 0, 5), with("q", "b", 4, 9)}, ""},
		"a duplicate":                      {one, []testsuite.Execution{with("p", "a", 0, 5), with("p", "a", 1, 3)}, ""},
		"a person's rerun":                 {one, []testsuite.Execution{with("p", "a", 0, 5), rerun(with("p", "b", 1, 3))}, ""},
		"before the rule":                  {limitRule{profileID: "p", most: 1, from: at(6)}, []testsuite.Execution{with("p", "a", 0, 5), with("p", "b", 1, 7)}, ""},
		"still at work when it begins":     {limitRule{profileID: "p", most: 1, from: at(3)}, []testsuite.Execution{with("p", "a", 0, 5), with("p", "b", 1, 7)}, "at 12:00:03.000 2 agents"},
		"after the holder's termination":   {limitRule{profileID: "p", most: 1, freed: map[string]time.Time{"a": at(4)}}, []testsuite.Execution{with("p", "a", 0, 9), with("p", "b", 4, 6)}, ""},
		"before the holder's termination":  {limitRule{profileID: "p", most: 1, freed: map[string]time.Time{"a": at(4)}}, []testsuite.Execution{with("p", "a", 0, 9), with("p", "b", 3, 6)}, "2 agents"},
		"two others after the termination": {limitRule{profileID: "p", most: 1, freed: map[string]time.Time{"a": at(4)}}, []testsuite.Execution{with("p", "a", 0, 9), with("p", "b", 4, 6), with("p", "c", 5, 6)}, "[b c]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rules limitRules
			var found findings
			rules.add(row.rule)
			rules.check(&found, row.ledger)
			if row.want == "" {
				require.Empty(t, found.all)
				return
			}
			require.Len(t, found.all, 1)
			require.Equal(t, foundOverLimit, found.all[0].class)
			require.Contains(t, found.all[0].text, row.want)
		})
	}
}
