//go:build wip

package main

import (
	_ "go.yaml.in/yaml/v3"
)
