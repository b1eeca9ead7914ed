package devserver

import (
	"errors"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const clusterName = "active"

// startTemporal starts all services of a Temporal server on the reserved ports.
func startTemporal(ports *ports, db *config.SQL, logger serverLogger) (_ temporal.Server, err error) {
	cfg := serverConfig(ports, db)
	hosts := map[primitives.ServiceName]static.Hosts{}
	for service, address := range ports.services {
		hosts[service] = static.SingleLocalHost(address.String())
	}

	// The services open their listeners in NewServer, and log a fatal error if that fails: another
	// process took the port after it was released.
	defer func() {
		switch p := recover().(type) {
		case nil:
		case fatalError:
			err = p
		default:
			panic(p)
		}
	}()
	ports.releaseServices()
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(dynamicConfig()),
	)
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return server, nil
}

func serverConfig(ports *ports, db *config.SQL) *config.Config {
	frontend := ports.frontend.String()
	services := map[string]config.Service{}
	for service, address := range ports.services {
		services[string(service)] = config.Service{RPC: config.RPC{GRPCPort: address.Port, BindOnIP: loopback}}
	}
	// Nexus operations use the HTTP port of the frontend.
	withHTTP := services[string(primitives.FrontendService)]
	withHTTP.RPC.HTTPPort = ports.http.Port
	services[string(primitives.FrontendService)] = withHTTP

	return &config.Config{
		Services: services,
		Global:   config.Global{Membership: config.Membership{BroadcastAddress: loopback}},
		Persistence: config.Persistence{
			DefaultStore:     sqlite.PluginName,
			VisibilityStore:  sqlite.PluginName,
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{sqlite.PluginName: {SQL: db}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: frontend},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
}

func dynamicConfig() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// A new search attribute or Nexus endpoint is usable at once, not after the next refresh.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.ForceNexusEndpointRefreshOnRead.Key():         true,
		// The default rates protect a shared database; this one has a single user.
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    10_000,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     45_000,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
		// At the default of 20, every task waits up to 50 ms for the next poll of the queue.
		dynamicconfig.TransferProcessorMaxPollRPS.Key(): 100,
		// These internal workers do not stop with the server: they would dial its closed port until
		// the process exits. The scanners only remove rows that accumulate over weeks. The history
		// service closes the children of a closed parent instead.
		dynamicconfig.TaskQueueScannerEnabled.Key():       false,
		dynamicconfig.HistoryScannerEnabled.Key():         false,
		dynamicconfig.EnableParentClosePolicyWorker.Key(): false,
		// The server would report its version to Temporal.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
	}
}
