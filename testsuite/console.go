package testsuite

import (
	"fmt"
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// This file simulates actions in the vendor's console.

// RerunExecution reruns an execution, as the console's button does, and returns the new one's id.
// The new execution has the original's metadata, and ui as its trigger source. If the rerun is
// refused, the test fails and the id is empty.
func (a *API) RerunExecution(executionID string) string {
	e, answer := a.service.startExecution(func(now time.Time) (*execution, *reply) {
		e, refused := a.service.createRerun(now, a.key, executionID, api.RerunExecutionRequest{})
		if refused == nil {
			e.source = "ui"
		}
		return e, refused
	})
	if answer.status != http.StatusAccepted {
		a.service.report(fmt.Sprintf("RerunExecution(%q): %+v", executionID, answer.body))
		return ""
	}
	return e.id
}

// LabelExecution adds a human's label to an execution and returns the label's id. Equal names are
// the same label.
func (a *API) LabelExecution(executionID, label string) string {
	return a.editExecution(executionID, func(e *execution, now time.Time) string { return e.label(now, label) })
}

// DeleteExecution makes a terminal execution unknown to clients, as deleting it in the console
// does.
func (a *API) DeleteExecution(executionID string) {
	a.editExecution(executionID, func(e *execution, _ time.Time) string {
		e.deleted = e.requireTerminal("DeleteExecution")
		return ""
	})
}

// PurgeExecution removes a terminal execution's inputs, result, activities and files, as the
// service does when its retention ends.
func (a *API) PurgeExecution(executionID string) {
	a.editExecution(executionID, func(e *execution, now time.Time) string {
		if e.requireTerminal("PurgeExecution") {
			e.purgedAt = now
		}
		return ""
	})
}

// requireTerminal returns whether the execution is terminal. It reports a problem if it is not.
func (e *execution) requireTerminal(what string) bool {
	if !terminal(e.status) {
		e.service.report(fmt.Sprintf("%s: execution %s is %s, not terminal", what, e.id, e.status))
	}
	return terminal(e.status)
}

func (a *API) editExecution(executionID string, change func(e *execution, now time.Time) string) string {
	now := a.service.lockAndAdvance()
	defer a.service.mu.Unlock()
	e := a.service.executions[executionID]
	if e == nil {
		a.service.report(fmt.Sprintf("no execution has the id %q", executionID))
		return ""
	}
	return change(e, now)
}

func (e *execution) label(now time.Time, name string) string {
	label := api.HumanLabel{ID: newUUID(), OrganizationID: e.agent.organization.id, Name: name, Color: "#3366FF", CreatedAt: now}
	for _, other := range e.service.executionOrder {
		for _, known := range other.labels {
			if known.Name == name && known.OrganizationID == label.OrganizationID {
				label = known
			}
		}
	}
	e.labels = append(e.labels, label)
	return label.ID
}
