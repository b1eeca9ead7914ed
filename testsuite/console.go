package testsuite

import (
	"fmt"
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// What people do in the vendor's console, for tests.

// RerunExecution runs an execution again, as the console's button does, and returns the new one's id. It has
// the original's metadata, and ui as its trigger source. The id is empty if the rerun was refused, which
// fails the test.
func (a *API) RerunExecution(executionID string) string {
	e, answer := a.service.begin(func(now time.Time) (*execution, *reply) {
		e, refused := a.service.rerun(now, a.key, executionID, api.RerunExecutionRequest{})
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

// LabelExecution puts a human's label on an execution and returns the label's id. Labels of one name are the
// same label.
func (a *API) LabelExecution(executionID, label string) string {
	return a.edit(executionID, func(e *execution, now time.Time) string { return e.label(now, label) })
}

// DeleteExecution makes a terminal execution unknown to clients, as its deletion in the console does.
func (a *API) DeleteExecution(executionID string) {
	a.edit(executionID, func(e *execution, _ time.Time) string {
		e.deleted = e.ended("DeleteExecution")
		return ""
	})
}

// PurgeExecution removes a terminal execution's inputs, result, activities and files, as retention does.
func (a *API) PurgeExecution(executionID string) {
	a.edit(executionID, func(e *execution, now time.Time) string {
		if e.ended("PurgeExecution") {
			e.purgedAt = now
		}
		return ""
	})
}

// ended reports the use of something that only terminal executions allow.
func (e *execution) ended(what string) bool {
	if !terminal(e.status) {
		e.service.report(fmt.Sprintf("%s: execution %s is %s, not terminal", what, e.id, e.status))
	}
	return terminal(e.status)
}

func (a *API) edit(executionID string, change func(e *execution, now time.Time) string) string {
	now := a.service.enter()
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
	for _, other := range e.service.order {
		for _, known := range other.labels {
			if known.Name == name && known.OrganizationID == label.OrganizationID {
				label = known
			}
		}
	}
	e.labels = append(e.labels, label)
	return label.ID
}
