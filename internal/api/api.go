// Package api is the wire contract of the Asteroid agents API: its types, a client and a server interface,
// generated from openapi.yaml.
//
// Only [github.com/temporal-asteroid/asteroid/activities] (as client) and the fake in
// [github.com/temporal-asteroid/asteroid/testsuite] (as server) use it, so the contract can grow
// without breaking anyone's code. Nothing here is written by hand but this file, the overlay and the
// generator's settings; `go generate ./internal/api` makes the rest anew.
package api

//go:generate env GOWORK=off go tool -modfile=../../tools/go.mod oapi-codegen -config types.cfg.yaml openapi.yaml
//go:generate env GOWORK=off go tool -modfile=../../tools/go.mod oapi-codegen -config client.cfg.yaml openapi.yaml
//go:generate env GOWORK=off go tool -modfile=../../tools/go.mod oapi-codegen -config server.cfg.yaml openapi.yaml
