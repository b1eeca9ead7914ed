package worker

import (
	"context"

	"github.com/temporal-asteroid/asteroid/activities"
)

// Check asks the service of each connection whether the connection can be used: whether there is a
// key, the service is reached and takes the key, and the organization is one of the key's. It
// starts no agent and changes nothing. It takes at most 15 seconds, or until ctx ends, and is meant
// for the start of a worker and for its readiness:
//
//	if err := asteroidworker.Check(ctx, options); err != nil {
//		log.Fatal(err)
//	}
//
// The error joins one error for each connection that fails, in the order of their names. Each is
// one line that names the connection and says what to do, and never contains a key. Its type is
//
//   - asteroid.Unavailable: there is no key, or the service is not reached or does not answer as
//     the API does
//   - asteroid.Unauthorized: the service refuses the key, or the key is too short to be one
//   - asteroid.InvalidInput: OrganizationID is no organization of the key, or is missing although
//     the key spans several and uploads of files need one
//   - asteroid.RateLimited and asteroid.PaymentRequired
//
// The predicates of package asteroid find these types in the joined error. Invalid options are an
// error without a type.
func Check(ctx context.Context, options Options) error { return activities.Check(ctx, options) }
