package testsuite

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// ExecutionsList serves GET /agents/v2/executions, newest first by default. An execution must match
// every filter.
func (s *service) ExecutionsList(w http.ResponseWriter, r *http.Request, params api.ExecutionsListParams) {
	key := caller(r)
	s.serve(w, r, func(now time.Time) reply {
		o, refused := s.organizationOf(key, params.OrganizationID)
		if refused != nil {
			return *refused
		}
		if refused := unknownQuery(r, params); refused != nil {
			return *refused
		}
		page, refused := newPage(params.Page, params.PageSize)
		if refused != nil {
			return *refused
		}
		for _, name := range []string{"createdAfter", "createdBefore"} { // the generated code accepts bare dates
			for _, value := range r.URL.Query()[name] { // and ignores empty values
				if _, err := time.Parse(time.RFC3339, value); err != nil {
					return invalid(name, "%q is not an RFC 3339 date and time, such as 2026-03-01T09:00:00Z", value)
				}
			}
		}
		f := executionFilter{params: params}
		if refused := f.parse(now); refused != nil {
			return *refused
		}
		less, refused := sortOrder(params)
		if refused != nil {
			return *refused
		}

		var found []*execution
		for _, e := range slices.Backward(s.executionOrder) {
			if !e.deleted && s.listed(e, now) && key.memberOf(e.agent.organization) && (o == nil || e.agent.organization == o) && f.matches(e, now) {
				found = append(found, e)
			}
		}
		if len(found) == 0 {
			s.futile++
		}
		slices.SortStableFunc(found, less)
		body := api.ExecutionPage{Items: []api.Execution{}, Page: page.number, PageSize: page.size, Total: int64(len(found))}
		for _, e := range pageOf(page, found) {
			body.Items = append(body.Items, e.wire(now))
		}
		return answer(http.StatusOK, body)
	})
}

// executionFilter holds the parsed filtering parameters of a list.
type executionFilter struct {
	params        api.ExecutionsListParams
	after, before time.Time // zero if not given
	metadata      map[string]string
	contradictory bool // two values for one metadata key: nothing matches
}

// parse reads the parameters, and refuses invalid ones.
func (f *executionFilter) parse(now time.Time) *reply {
	p := f.params
	for _, status := range valueOrZero(p.Status) {
		if !status.Valid() {
			return new(invalid("status", "%q is not a status", status))
		}
	}
	for _, phase := range valueOrZero(p.Phase) {
		if !phase.Valid() {
			return new(invalid("phase", "%q is not one of pending, active and terminal", phase))
		}
	}
	for _, source := range valueOrZero(p.TriggerSource) {
		if !slices.Contains([]string{"api", "ui", "schedule", "warmup"}, source) {
			return new(invalid("triggerSource", "%q is not one of api, ui, schedule and warmup", source))
		}
	}
	for _, label := range valueOrZero(p.HumanLabels) {
		if !isUUID(label) {
			return new(invalid("humanLabels", "%q is not a UUID", label))
		}
	}
	if (p.MetadataKey == nil) != (p.MetadataValue == nil) {
		return new(invalid("metadataKey", "send metadataKey and metadataValue together"))
	}
	f.metadata = map[string]string{}
	pairs := valueOrZero(p.Metadata)
	if p.MetadataKey != nil {
		pairs = append(slices.Clone(pairs), *p.MetadataKey+"="+*p.MetadataValue)
	}
	for i, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if i == len(valueOrZero(p.Metadata)) { // metadataKey may contain an equals sign
			name, value, ok = *p.MetadataKey, *p.MetadataValue, true
		}
		if !ok || name == "" {
			return new(invalid("metadata", "%q is not of the form key=value", pair))
		}
		if earlier, twice := f.metadata[name]; twice && earlier != value {
			f.contradictory = true
		}
		f.metadata[name] = value
	}
	if (p.InputsKey == nil) != (p.InputsValue == nil) {
		return new(invalid("inputsKey", "is only valid together with inputsValue"))
	}
	for name, ids := range map[string]*[]string{"profileIds": p.ProfileIds, "agentProfileIds": p.AgentProfileIds} {
		for _, id := range valueOrZero(ids) {
			if !isUUID(id) {
				return new(invalid(name, "%q is not a UUID", id))
			}
		}
	}
	if p.CreatedAfter != nil {
		f.after = p.CreatedAfter.Truncate(time.Microsecond) // the precision of the API's times
	}
	if p.CreatedBefore != nil {
		f.before = *p.CreatedBefore
	}
	if p.CreatedWithin != nil {
		if p.CreatedAfter != nil {
			return new(invalid("createdWithin", "excludes createdAfter"))
		}
		age, ok := parseAge(*p.CreatedWithin)
		if !ok {
			return new(invalid("createdWithin", "%q is not an age such as 30m, 24h or 1d12h, of at most 10 years", *p.CreatedWithin))
		}
		f.after = now.Add(-age)
	}
	return nil
}

func (f *executionFilter) matches(e *execution, now time.Time) bool {
	p := f.params
	for name, value := range f.metadata {
		if actual, ok := e.metadata[name]; !ok || actual != value {
			return false
		}
	}
	result := e.visibleResult(now)
	return !f.contradictory &&
		(p.ExecutionID == nil || containsFold(e.id, *p.ExecutionID)) &&
		(p.AgentID == nil || strings.EqualFold(e.agent.id, *p.AgentID)) &&
		(p.WorkflowID == nil || strings.EqualFold(e.agent.id, *p.WorkflowID)) &&
		(p.Status == nil || slices.Contains(*p.Status, e.status)) &&
		(p.Phase == nil || slices.Contains(*p.Phase, phaseOf(e.status))) &&
		(p.ProfileIds == nil || containsID(*p.ProfileIds, e.profileID)) &&
		(p.AgentProfileIds == nil || containsID(*p.AgentProfileIds, e.profileID)) &&
		(p.BatchID == nil) && // the fake has no batches
		(p.HasScriptFailures == nil || *p.HasScriptFailures == (len(e.failures) > 0)) &&
		(p.InputsKey == nil || e.hasInput(*p.InputsKey, *p.InputsValue)) &&
		(p.TriggerSource == nil || slices.Contains(*p.TriggerSource, e.source)) &&
		(p.HumanLabels == nil || slices.ContainsFunc(e.labels, func(l api.HumanLabel) bool { return slices.Contains(*p.HumanLabels, l.ID) })) &&
		(p.OutcomeLabel == nil || result != nil && containsFold(result.Outcome, *p.OutcomeLabel)) &&
		(p.WorkflowVersion == nil || int(*p.WorkflowVersion) == e.runs.number) &&
		(f.after.IsZero() || !e.createdAt.Before(f.after)) &&
		(f.before.IsZero() || !e.createdAt.After(f.before))
}

// hasInput reports whether the text of an input contains a part of a value.
func (e *execution) hasInput(name, part string) bool {
	value, given := e.inputs[name]
	if !given || !e.purgedAt.IsZero() {
		return false
	}
	text, ok := value.(string)
	if !ok {
		raw, _ := json.Marshal(value) // decoded from JSON
		text = string(raw)
	}
	return containsFold(text, part)
}

func containsID(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(wanted string) bool { return strings.EqualFold(wanted, id) })
}

func phaseOf(status api.ExecutionStatus) api.ExecutionPhase {
	switch {
	case status == api.ExecutionStatusQueued:
		return api.Pending
	case terminal(status):
		return api.Terminal
	default:
		return api.Active
	}
}

// sortOrder returns how two executions compare. Equal ones stay newest first.
func sortOrder(p api.ExecutionsListParams) (func(a, b *execution) int, *reply) {
	field, direction := api.ExecutionSortFieldCreatedAt, api.SortDirectionDesc
	if p.SortField != nil {
		field = *p.SortField
	}
	if p.SortDirection != nil {
		direction = *p.SortDirection
	}
	parameter := "sortField"
	if p.Sort != nil {
		if parameter = "sort"; p.SortField != nil || p.SortDirection != nil {
			return nil, new(invalid(parameter, "excludes sortField and sortDirection"))
		}
		name, suffix, _ := strings.Cut(*p.Sort, ":")
		field, direction = api.ExecutionSortField(name), api.SortDirection(suffix)
	}
	if !field.Valid() {
		return nil, new(invalid(parameter, "%q is not one of created_at, status and started_at", field))
	}
	if !direction.Valid() {
		if parameter == "sortField" {
			parameter = "sortDirection"
		}
		return nil, new(invalid(parameter, "%q is not one of asc and desc", direction))
	}
	return func(a, b *execution) int {
		order := 0
		switch field {
		case api.ExecutionSortFieldStatus:
			order = cmp.Compare(a.status, b.status)
		case api.ExecutionSortFieldStartedAt:
			order = a.startedAt.Compare(b.startedAt)
		case api.ExecutionSortFieldCreatedAt:
			order = cmp.Compare(a.seq, b.seq)
		}
		if direction == api.SortDirectionDesc {
			order = -order
		}
		return order
	}, nil
}

var agePattern = regexp.MustCompile(`^(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,8})m)?$`)

const longestAge = 10 * 366 * 24 * time.Hour

// parseAge parses an age such as 1w2d3h4m, longest unit first.
func parseAge(text string) (time.Duration, bool) {
	parts := agePattern.FindStringSubmatch(text)
	if text == "" || parts == nil {
		return 0, false
	}
	var age time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute} {
		count, _ := strconv.ParseInt(parts[i+1], 10, 64)
		if count > int64(longestAge/unit) {
			return 0, false
		}
		age += time.Duration(count) * unit
	}
	return age, age > 0 && age <= longestAge
}

// valueOrZero returns the value of an optional member or parameter, or zero if it is absent.
func valueOrZero[T any](value *T) (zero T) {
	if value == nil {
		return zero
	}
	return *value
}
