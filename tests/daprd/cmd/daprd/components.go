package main

import (
	croninput "github.com/dapr/components-contrib/bindings/cron"
	httpoutput "github.com/dapr/components-contrib/bindings/http"
	fileoutput "github.com/dapr/components-contrib/bindings/localstorage"
	postgresoutput "github.com/dapr/components-contrib/bindings/postgres"
	redisoutput "github.com/dapr/components-contrib/bindings/redis"
	wasmoutput "github.com/dapr/components-contrib/bindings/wasm"
	redisconfiguration "github.com/dapr/components-contrib/configuration/redis"
	redislock "github.com/dapr/components-contrib/lock/redis"
	"github.com/dapr/components-contrib/nameresolution/mdns"
	"github.com/dapr/components-contrib/nameresolution/sqlite"
	memorypubsub "github.com/dapr/components-contrib/pubsub/in-memory"
	redispubsub "github.com/dapr/components-contrib/pubsub/redis"
	envsecrets "github.com/dapr/components-contrib/secretstores/local/env"
	filesecrets "github.com/dapr/components-contrib/secretstores/local/file"
	memorystate "github.com/dapr/components-contrib/state/in-memory"
	redisstate "github.com/dapr/components-contrib/state/redis"

	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/configuration"
	"github.com/dapr/dapr/pkg/components/lock"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/kit/logger"
)

// registerComponents makes known what a resource file of the tests may name as its `type`, by the part after the dot.
// Each line costs build time: its package comes with all that it imports.
func registerComponents(log logger.Logger) {
	states := state.DefaultRegistry
	states.Logger = log
	states.RegisterComponent(memorystate.NewInMemoryStateStore, "in-memory")
	states.RegisterComponent(redisstate.NewRedisStateStore, "redis")

	pubsubs := pubsub.DefaultRegistry
	pubsubs.Logger = log
	pubsubs.RegisterComponent(memorypubsub.New, "in-memory")
	pubsubs.RegisterComponent(redispubsub.NewRedisStreams, "redis")

	bound := bindings.DefaultRegistry
	bound.Logger = log
	bound.RegisterInputBinding(croninput.NewCron, "cron")
	bound.RegisterOutputBinding(httpoutput.NewHTTP, "http")
	bound.RegisterOutputBinding(fileoutput.NewLocalStorage, "localstorage")
	bound.RegisterOutputBinding(postgresoutput.NewPostgres, "postgresql")
	bound.RegisterOutputBinding(redisoutput.NewRedis, "redis")
	bound.RegisterOutputBinding(wasmoutput.NewWasmOutput, "wasm") // what `make bench` compares with

	secrets := secretstores.DefaultRegistry
	secrets.Logger = log
	secrets.RegisterComponent(envsecrets.NewEnvSecretStore, "local.env")
	secrets.RegisterComponent(filesecrets.NewLocalSecretStore, "local.file")

	configurations := configuration.DefaultRegistry
	configurations.Logger = log
	configurations.RegisterComponent(redisconfiguration.NewRedisConfigurationStore, "redis")

	locks := lock.DefaultRegistry
	locks.Logger = log
	locks.RegisterComponent(redislock.NewStandaloneRedisLock, "redis")

	names := nameresolution.DefaultRegistry
	names.Logger = log
	names.RegisterComponent(mdns.NewResolver, "mdns") // what daprd takes when no configuration names one
	names.RegisterComponent(sqlite.NewResolver, "sqlite")
}
