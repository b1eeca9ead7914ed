// Package api is the wire contract of the Asteroid agents API: its types, a client and a server
// interface, generated from openapi.yaml.
//
// Only the HTTP client of the activities and the fake in
// [github.com/temporal-asteroid/asteroid/testsuite] use it, so the contract can grow without
// breaking users' code. Only this file, overlay.yaml and the *.cfg.yaml settings are written by
// hand; `go generate ./internal/api` generates the rest.
package api

//go:generate -command codegen env GOWORK=off go tool -modfile=../../tools/go.mod oapi-codegen
//go:generate codegen -config types.cfg.yaml openapi.yaml
//go:generate codegen -config client.cfg.yaml openapi.yaml
//go:generate codegen -config server.cfg.yaml openapi.yaml
