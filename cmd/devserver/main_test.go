package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/cmd/internal/temporalserver"
)

func TestDevServerServesUntilInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	reader, stdout := io.Pipe()
	var stderr bytes.Buffer
	exited := make(chan int, 1)
	go func() {
		exited <- run(ctx, []string{"--port", "0", "--ui-port", "0", "--json", "--search-attribute", "Customer=Keyword", "--search-attribute", "Count=Int"}, stdout, &stderr)
	}()
	var ready temporalserver.Ready
	require.NoError(t, json.NewDecoder(reader).Decode(&ready))
	require.Equal(t, "default", ready.Namespace)

	c, err := client.DialContext(t.Context(), client.Options{HostPort: ready.Address})
	require.NoError(t, err)
	defer c.Close()
	attributes, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, enumspb.INDEXED_VALUE_TYPE_KEYWORD, attributes.CustomAttributes["Customer"])
	require.Equal(t, enumspb.INDEXED_VALUE_TYPE_INT, attributes.CustomAttributes["Count"])
	response, err := http.Get(ready.UIURL)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)

	interrupt()
	require.Zero(t, <-exited, stderr.String())
	require.Empty(t, stderr.String())
	for _, address := range []string{ready.Address, strings.TrimPrefix(ready.UIURL, "http://")} {
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		require.NoError(t, listener.Close())
	}
}

func TestDevServerReportsMistakeInOneLine(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	port := strconv.Itoa(busy.Addr().(*net.TCPAddr).Port)
	for _, row := range []struct {
		want string
		code int
		args []string
	}{
		{"port is in use; set Port (--port) to another port, or to 0", 1, []string{"--port", port, "--ui-port", "0"}},
		{"its directory does not exist", 1, []string{"--port", "0", "--ui-port", "0", "--db", "none/temporal.db"}},
		{"--port 70000: a port is 1 to 65535", 2, []string{"--port", "70000"}},
		{"--ui-port -1: a port is 1 to 65535", 2, []string{"--ui-port", "-1"}},
		{"--namespace is empty", 2, []string{"--namespace", ""}},
		{`"Customer" is not Name=Type`, 2, []string{"--search-attribute", "Customer"}},
		{`"=Int" is not Name=Type`, 2, []string{"--search-attribute", "=Int"}},
		{`"Customer=String" is not Name=Type`, 2, []string{"--search-attribute", "Customer=String"}},
		{`unexpected argument "stray"`, 2, []string{"stray"}},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, row.code, run(t.Context(), row.args, &stdout, &stderr), row.args)
		require.Contains(t, stderr.String(), row.want)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
		require.Empty(t, stdout.String())
	}
}
