package testsuite

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// activity is one entry of an execution's log. A file_added entry holds the file, because its
// download link is signed for every reader.
type activity struct {
	id      string
	at      time.Time
	payload any
}

// addActivity appends an entry to the execution's log and sends its webhook.
func (e *execution) addActivity(at time.Time, payload any) {
	e.activities = append(e.activities, activity{id: newUUID(), at: at, payload: payload})
	e.service.webhooks.notify(e, at, payload)
}

func (a activity) wire(e *execution, links linker) api.Activity {
	payload := a.payload
	if file, ok := payload.(*executionFile); ok {
		payload = api.FileAddedPayload{
			ActivityType: "file_added", FileID: file.id, FileName: file.name, MimeType: file.contentType,
			FileSize: file.blob.size, Source: file.source(), PresignedURL: links.file(e, file),
		}
	}
	raw, _ := json.Marshal(payload) // structs of the contract always marshal
	return api.Activity{ID: a.id, ExecutionID: e.id, Timestamp: a.at, Payload: raw}
}

// ExecutionActivitiesGet serves GET /agents/v2/executions/{executionId}/activities. The default is
// all of them, oldest first.
func (s *service) ExecutionActivitiesGet(w http.ResponseWriter, r *http.Request, id string, params api.ExecutionActivitiesGetParams) {
	s.serve(w, r, func(now time.Time) reply {
		e, refused := s.readable(now, caller(r), id)
		switch {
		case refused != nil:
			return *refused
		case unknownQuery(r, params) != nil:
			return *unknownQuery(r, params)
		case params.Order != nil && !params.Order.Valid():
			return invalid("order", "%q is not one of asc and desc", *params.Order)
		case params.Limit != nil && *params.Limit < 1:
			return invalid("limit", "must be at least 1")
		}
		links := s.newLinker(r, now)
		body := []api.Activity{}
		if e.purgedAt.IsZero() {
			for _, a := range e.activities {
				if file, ok := a.payload.(*executionFile); !ok || !now.Before(file.visibleAt) {
					body = append(body, a.wire(e, links))
				}
			}
		}
		if params.Order != nil && *params.Order == api.ExecutionActivitiesGetParamsOrderDesc {
			slices.Reverse(body)
		}
		if params.Limit != nil && int(*params.Limit) < len(body) {
			body = body[:*params.Limit]
		}
		return answer(http.StatusOK, body)
	})
}
