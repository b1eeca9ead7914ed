//go:build !noadoption

package main

import "net/http"

// adoption says whether workers find what earlier attempts have started.
const adoption = true

func transport() http.RoundTripper { return http.DefaultTransport }
