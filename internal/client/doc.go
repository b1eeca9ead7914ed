// Package client speaks the Asteroid agents API for one connection.
//
// [New] validates an [asteroid.Connection] and returns a [Client]. Each method makes one request or
// a few, and returns types of the contract or small ones of its own:
//
//	c, err := client.New("default", asteroid.ConnectionFromEnv(), time.Minute, time.Now)
//	accepted, err := c.Execute(ctx, input, metadata)
//	execution, err := c.Execution(ctx, accepted.ExecutionID)
//
// A request that fails returns an [*Error]. [Error.Outcome] reports whether the service may have
// carried it out. Nothing here retries: retry policies belong to Temporal, and a second execute
// starts a second agent.
//
// The API key goes to the connection's own host only. Redirects are not followed with it,
// [Client.Links] follows signed links without it, and no error repeats it.
//
// A 429 holds for the whole connection: until its delay has passed, reads fail without being sent.
// Only an execute's 429 stops nothing, since it means a lack of capacity.
package client
