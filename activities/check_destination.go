package activities

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

// CheckDestination checks whether this worker accepts a destination. A workflow calls it before the
// agent starts, so that SaveFiles does not refuse the destination hours later. It writes nothing.
//
// Errors: asteroid.InvalidInput.
func (a *Activities) CheckDestination(_ context.Context, in asteroid.CheckDestinationInput) (*asteroid.CheckDestinationResult, error) {
	if _, _, err := a.sink(in.Destination); err != nil {
		return nil, asteroid.NewInvalidInput("destination", err.Error())
	}
	return &asteroid.CheckDestinationResult{}, nil
}

// sink returns the store and the base URI of a destination. Its errors read on after the field's
// name.
func (a *Activities) sink(destination string) (asteroid.Store, *url.URL, error) {
	const advice = "write file:///srv/results, or s3://bucket/results where the worker has a store for s3"
	scheme, _, ok := strings.Cut(destination, ":")
	switch scheme = strings.ToLower(scheme); {
	case destination == "":
		return nil, nil, errors.New("is required: name the place for the files, such as file:///srv/results")
	case !ok:
		return nil, nil, fmt.Errorf("%q has no scheme: %s", files.Printable(destination), advice)
	case scheme == "file":
		if _, _, err := a.outputs.Beneath(destination, "OutputRoots"); err != nil {
			return nil, nil, err
		}
		base, err := url.Parse(destination)
		return files.Disk{Roots: a.outputs}, base, err
	case slices.Contains(files.OwnSchemes, scheme):
		return nil, nil, fmt.Errorf("%s: is nowhere to put files: %s", scheme, advice)
	}
	store, err := a.store(scheme)
	if err != nil {
		return nil, nil, err
	}
	base, err := files.ParseURI(destination)
	return store, base, err
}
