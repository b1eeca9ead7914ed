package asteroid

import (
	"errors"
	"slices"
)

// SearchAttributes are the names of search attributes of type Keyword, in which workflows show
// their agents, and batches how far they are, so that a list of workflows can show and filter them.
// An empty name shows nothing.
//
// They are set once an execution id is known. Of several agents of a workflow they show the first
// that waits for a person, else the last that was started of those at work, else the last one. At
// the workflow's end Agent keeps its value, Status keeps a final one, and Question is unset. All
// are unset before the workflow continues as new.
//
// A batch sets Agent, Status and Progress once its rows are planned. They keep their last values
// when it ends, and while it continues as new.
type SearchAttributes struct {
	// Agent holds the agent's name, or its id until the name is known. A batch has the id.
	Agent string `json:"agent,omitempty"`
	// Status holds the status of the agent's execution, such as running, or the phase of a batch.
	Status string `json:"status,omitempty"`
	// Question holds what the agent asks while it waits for a person.
	Question string `json:"question,omitempty"`
	// Progress holds how far a batch is, such as "37%, 1850 of 5000 rows, 12 failed, 3 wait for
	// people". It is a text for people who look down a list: a number could be compared, but says
	// neither what has failed nor that a person is needed.
	Progress string `json:"progress,omitempty"`
}

// DefaultSearchAttributes returns AsteroidAgent, AsteroidStatus, AsteroidQuestion and
// AsteroidProgress.
func DefaultSearchAttributes() SearchAttributes {
	return SearchAttributes{Agent: "AsteroidAgent", Status: "AsteroidStatus", Question: "AsteroidQuestion", Progress: "AsteroidProgress"}
}

// Names returns the names that are not empty.
func (a SearchAttributes) Names() []string {
	return slices.DeleteFunc([]string{a.Agent, a.Status, a.Question, a.Progress}, func(name string) bool { return name == "" })
}

// Validate returns an error if two of the names are the same.
func (a SearchAttributes) Validate() error {
	names := a.Names()
	slices.Sort(names)
	if len(slices.Compact(names)) < len(a.Names()) {
		return errors.New("SearchAttributes: two have the same name")
	}
	return nil
}

// Only returns the search attributes whose names satisfy the condition.
func (a SearchAttributes) Only(condition func(name string) bool) SearchAttributes {
	for _, name := range []*string{&a.Agent, &a.Status, &a.Question, &a.Progress} {
		if !condition(*name) {
			*name = ""
		}
	}
	return a
}
