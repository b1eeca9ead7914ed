package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// temporalSettings say which Temporal service to use.
type temporalSettings struct {
	profile, address, namespace string
}

func (s *temporalSettings) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.profile, "profile", "", "take the connection to Temporal from this `profile` of the temporal CLI's configuration file")
	flags.StringVar(&s.address, "address", "", "connect to Temporal at this `host:port` (default: the profile's, TEMPORAL_ADDRESS, or localhost:7233)")
	flags.StringVar(&s.namespace, "namespace", "", "use this Temporal `namespace` (default: the profile's, TEMPORAL_NAMESPACE, or default)")
}

// options returns the options of a client, without a logger of its own.
func (s *temporalSettings) options() (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: s.profile})
	if err != nil {
		return options, usageErrorf("Temporal's client settings: %w", err)
	}
	if s.address != "" {
		if err := checkAddress(s.address); err != nil {
			return options, err
		}
		options.HostPort = s.address
	}
	if s.namespace != "" {
		options.Namespace = s.namespace
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	return options, nil
}

// checkAddress refuses what is not host:port, also with a resolver's name as in dns:///host:port.
func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(strings.TrimPrefix(address, "dns:///"))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usageErrorf("--address %s: write it as host:port, such as localhost:7233", address)
	}
	return nil
}

// refusesCredentials reports whether Temporal knows the client's key or certificate and refuses it.
func refusesCredentials(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	return denied || status.Code(err) == codes.Unauthenticated || status.Code(err) == codes.PermissionDenied
}

func credentialsError(address, namespace string, err error) error {
	return fmt.Errorf("Temporal at %s refuses the credentials for namespace %s: check the API key or certificate of the profile: %w", address, argument(namespace), err)
}

// dialTimeout bounds the first connection to Temporal.
const dialTimeout = 10 * time.Second

// dial connects a client that logs nothing.
func (s *temporalSettings) dial(ctx context.Context) (client.Client, client.Options, error) {
	options, err := s.options()
	if err != nil {
		return nil, options, err
	}
	options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	dialing, done := context.WithTimeout(ctx, dialTimeout)
	defer done()
	connected, err := client.DialContext(dialing, options)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, options, ctx.Err()
	case refusesCredentials(err):
		return nil, options, codedError{exitFailed, credentialsError(options.HostPort, options.Namespace, err)}
	default:
		return nil, options, codedError{exitFailed, fmt.Errorf("no Temporal service answers at %s: start one (asteroid dev, or temporal server start-dev), or give --address or --profile: %w",
			options.HostPort, err)}
	}
	return connected, options, nil
}
