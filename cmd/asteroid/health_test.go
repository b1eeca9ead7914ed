package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// probe returns the response to a probe.
func probe(handler http.Handler, path string) (status int, body string) {
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return response.Code, response.Body.String()
}

func TestReadinessFollowsChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var problem error
		var log bytes.Buffer
		checks := 0
		ready := newReadiness(slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) error { checks++; return problem })
		handler := healthHandler(ready, http.NotFoundHandler())
		status, body := probe(handler, "/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "the first check is under way\n", body)

		ctx, cancel := context.WithCancel(t.Context())
		go ready.run(ctx, time.Minute)
		synctest.Wait()
		status, body = probe(handler, "/readyz")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "ready\n", body)

		problem = errors.Join(errors.New("asteroid: one\nis long"), nil, fmt.Errorf("two: %w", errors.New("three")))
		for range 1000 {
			status, _ = probe(handler, "/readyz")
			require.Equal(t, http.StatusOK, status, "a probe does not check")
		}
		require.Equal(t, 1, checks)
		for range 3 {
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		status, body = probe(handler, "/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "one\nis long\ntwo: three\n", body)
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("two: three")), "a problem that lasts is logged once")

		problem = nil
		time.Sleep(time.Minute)
		synctest.Wait()
		status, _ = probe(handler, "/readyz")
		require.Equal(t, http.StatusOK, status)

		ready.drain()
		time.Sleep(time.Minute)
		synctest.Wait()
		status, body = probe(handler, "/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "the worker stops\n", body)
		status, _ = probe(handler, "/healthz")
		require.Equal(t, http.StatusOK, status)
		cancel()
	})
}

func TestReadinessKeepsStateWhenCheckIsCutShort(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ready := newReadiness(slog.New(slog.DiscardHandler), func(context.Context) error { cancel(); return ctx.Err() })
	ready.run(ctx, time.Minute)
	_, body := probe(ready, "/readyz")
	require.Equal(t, "the first check is under way\n", body)
}

func TestReadinessToleratesRateLimit(t *testing.T) {
	t.Parallel()
	limited := temporal.NewNonRetryableApplicationError("too many requests", asteroid.ErrorTypeRateLimited, nil)
	other := errors.New("other")
	require.NoError(t, withoutRateLimits(nil))
	require.NoError(t, withoutRateLimits(errors.Join(limited, limited)))
	require.Equal(t, other, withoutRateLimits(other))
	require.EqualError(t, withoutRateLimits(errors.Join(limited, other)), "other")
}

func TestHealthHandlerServesItsPagesOnly(t *testing.T) {
	t.Parallel()
	handler := healthHandler(http.NotFoundHandler(), http.NotFoundHandler())
	for _, path := range []string{"/", "/debug/pprof/", "/healthz/x", "/webhooks"} {
		status, _ := probe(handler, path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest(http.MethodPost, "/healthz", http.NoBody))
	require.Equal(t, http.StatusMethodNotAllowed, response.Code)
}
