//go:build wip

package main

import (
	_ "github.com/prometheus/prometheus/promql/parser"
	_ "go.opentelemetry.io/otel/exporters/prometheus"
	_ "go.temporal.io/sdk/contrib/opentelemetry"
	_ "go.yaml.in/yaml/v3"
)
