// Command daprd is the sidecar that the end-to-end tests run:
// the runtime of github.com/dapr/dapr, whole, with the few components the tests name.
//
// Upstream's own entry point compiles every component there is, or panics; that is 13 minutes and 228 MB.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/buildinfo"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/modes"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/dapr/pkg/security"
	"github.com/dapr/kit/concurrency"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
)

func main() {
	log := logger.NewLogger("dapr.runtime")
	flags, err := options.New(os.Args[1:])
	if err != nil {
		log.Fatalf("command line: %v", err)
	}

	switch {
	case flags.RuntimeVersion:
		fmt.Println(buildinfo.Version())
	case flags.BuildInfo:
		fmt.Printf("Version: %s\nGit Commit: %s\nGit Version: %s\n",
			buildinfo.Version(), buildinfo.Commit(), buildinfo.GitVersion())
	case flags.WaitCommand:
		runtime.WaitUntilDaprOutboundReady(flags.DaprHTTPPort)
	default:
		if err := serve(flags, log); err != nil {
			log.Fatalf("daprd: %v", err)
		}
	}
}

// serve runs the sidecar until SIGTERM, SIGINT or a call of its shutdown API.
func serve(flags *options.Options, log logger.Logger) error {
	// Made first: the flags apply to the loggers that there are.
	components := logger.NewLogger("dapr.contrib")
	flags.Logger.SetAppID(flags.AppID)
	if err := logger.ApplyOptionsToLoggers(&flags.Logger); err != nil {
		return err
	}
	registerComponents(components)
	log.Infof("daprd %s for the tests of wasm-grpc, app %q", buildinfo.Version(), flags.AppID)

	// Hot reload sends the process a SIGHUP when some kinds of resource change, and unhandled it would die.
	// Every reload is a new round: its context ends with the next SIGHUP, or for good with SIGTERM.
	for round := range signals.OnHUP(signals.Context()) {
		if err := runUntilDone(round, flags, log); err != nil {
			return err
		}
		stoppedByItself := round.Err() == nil
		if stoppedByItself {
			break
		}
	}
	return nil
}

// runUntilDone runs one runtime, and beside it the provider of its identity, until ctx ends.
func runUntilDone(ctx context.Context, flags *options.Options, log logger.Logger) error {
	health := healthz.New()
	identity, err := security.New(ctx, security.Options{
		AppID:                   flags.AppID,
		Mode:                    modes.DaprMode(flags.Mode),
		MTLSEnabled:             flags.EnableMTLS,
		SentryAddress:           flags.SentryAddress,
		TrustAnchors:            flags.TrustAnchors,
		ControlPlaneNamespace:   flags.ControlPlaneNamespace,
		ControlPlaneTrustDomain: flags.ControlPlaneTrustDomain,
		JwtAudiences:            flags.SentryRequestJwtAudiences,
		Healthz:                 health,
	})
	if err != nil {
		return err
	}

	sidecar := func(ctx context.Context) error {
		handler, err := identity.Handler(ctx)
		if err != nil {
			return err
		}
		config := runtimeConfig(flags, health, log)
		config.Security = handler
		daprd, err := runtime.FromConfig(ctx, config)
		if err != nil {
			return err
		}
		return daprd.Run(ctx)
	}
	return concurrency.NewRunnerManager(identity.Run, sidecar).Run(ctx)
}
