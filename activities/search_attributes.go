package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/attributes"
)

const (
	attributesTimeout  = 5 * time.Second // of the request, for which an execute waits
	attributesFresh    = 5 * time.Minute
	attributesUnlisted = time.Minute // after a request that failed
	maxWarnings        = 100         // an input may name any search attribute
)

// searchAttributesOf returns those search attributes that the workflow of an agent can set, of the
// options' and of the one that its input names. nil: there are none to set.
func (a *Activities) searchAttributesOf(ctx context.Context, in asteroid.ExecuteAgentInput) *asteroid.SearchAttributes {
	wanted := a.attributes
	wanted.Progress = "" // a batch's
	if in.Internal.QuestionSearchAttribute != "" {
		wanted.Question = in.Internal.QuestionSearchAttribute
	}
	return a.usableAttributes(ctx, wanted)
}

// searchAttributesOfBatch returns those of the options' search attributes that a batch can set.
func (a *Activities) searchAttributesOfBatch(ctx context.Context) *asteroid.SearchAttributes {
	wanted := a.attributes
	wanted.Question = "" // an agent's
	return a.usableAttributes(ctx, wanted)
}

// usableAttributes returns those of the search attributes that the activity's workflow can set.
// nil: there are none to set. The test environments have no server, and every search attribute.
func (a *Activities) usableAttributes(ctx context.Context, wanted asteroid.SearchAttributes) *asteroid.SearchAttributes {
	info := activity.GetInfo(ctx)
	if len(wanted.Names()) == 0 || !info.IsWorkflowActivity() {
		return nil
	}
	if a.service(ctx) != nil {
		wanted = a.namespaces.usable(ctx, a, info.Namespace, wanted)
	}
	return &wanted
}

// namespaces remember the search attributes of namespaces.
type namespaces struct {
	list   func(context.Context, sdkclient.Client, string) (attributes.Types, error)
	mu     sync.Mutex
	byName map[string]*namespaceAttributes
}

func newNamespaces() *namespaces {
	return &namespaces{list: attributes.List, byName: map[string]*namespaceAttributes{}}
}

type namespaceAttributes struct {
	types      attributes.Types
	freshUntil time.Time
	warned     map[string]bool // problems that were logged
}

// usable returns those of the wanted search attributes that workflows of the namespace can set, and
// logs once why not the others. Concurrent activities wait for the one that asks the server.
func (n *namespaces) usable(ctx context.Context, a *Activities, namespace string, wanted asteroid.SearchAttributes) asteroid.SearchAttributes {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := n.byName[namespace]
	if known == nil {
		known = &namespaceAttributes{warned: map[string]bool{}}
		n.byName[namespace] = known
	}
	problem := ""
	if !a.now().Before(known.freshUntil) {
		problem = known.refresh(ctx, a, namespace)
	}
	keywords := attributes.Keywords(wanted)
	if known.types != nil {
		problem = known.types.Problem(namespace, keywords)
	}
	if problem != "" && !known.warned[problem] && len(known.warned) < maxWarnings {
		known.warned[problem] = true
		activity.GetLogger(ctx).Warn("Workflows run without some search attributes", "problem", problem)
	}
	return wanted.Only(func(name string) bool { return name != "" && known.types[name] == keywords[name] })
}

// refresh asks the server, and returns why it could not. What was known before stays known.
func (n *namespaceAttributes) refresh(ctx context.Context, a *Activities, namespace string) (problem string) {
	ctx, cancel := context.WithTimeout(ctx, attributesTimeout)
	defer cancel()
	types, err := a.namespaces.list(ctx, a.service(ctx), namespace)
	if err != nil {
		n.freshUntil = a.now().Add(attributesUnlisted)
		return err.Error()
	}
	n.types, n.freshUntil = types, a.now().Add(attributesFresh)
	return ""
}
