package main

import (
	"reflect"

	"go.opencensus.io/stats/view"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/metrics"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/dapr/pkg/runtime/registry"
	"github.com/dapr/kit/logger"
)

// runtimeConfig turns the command line into the runtime's configuration.
//
// Flag and field have the same name but for those set by hand here. They are matched by name,
// and not listed one by one, so that no flag of this or of a later version is silently without effect.
func runtimeConfig(flags *options.Options, health healthz.Healthz, log logger.Logger) *runtime.Config {
	config := &runtime.Config{
		ApplicationPort:  flags.AppPort,
		SchedulerStreams: flags.SchedulerJobStreams,
		Healthz:          health,
		Registry:         registry.NewOptions(), // the default registries, which registerComponents fills
		Metrics: metrics.Options{
			Enabled:       flags.Metrics.Enabled(),
			ListenAddress: flags.Metrics.ListenAddress(),
			Port:          flags.Metrics.Port(),
			Namespace:     metrics.DefaultMetricNamespace,
			Meter:         view.NewMeter(),
			Healthz:       health,
			Log:           log,
		},
	}

	from, to := reflect.ValueOf(flags).Elem(), reflect.ValueOf(config).Elem()
	for i := range from.NumField() {
		flag := from.Type().Field(i)
		field := to.FieldByName(flag.Name)
		if field.IsValid() && field.Type() == flag.Type {
			field.Set(from.Field(i))
		}
	}
	return config
}
