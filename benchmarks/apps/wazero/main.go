// Command wazero is a Dapr app that serves each .wasm file of a folder as a method: wazero, with a new instance a call.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dapr/go-sdk/service/common"
	daprd "github.com/dapr/go-sdk/service/grpc"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
	"google.golang.org/grpc"
)

const (
	timeout      = 5 * time.Second // as limits.timeout has it
	memoryPages  = 256 << 4        // 256 MiB, the most that one of the functions is granted
	messageBytes = 64 << 20
)

func main() {
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(folder string) error {
	ctx := context.Background()
	config := wazero.NewRuntimeConfig().WithCloseOnContextDone(true).WithMemoryLimitPages(memoryPages)
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	wasi_snapshot_preview1.MustInstantiate(ctx, runtime)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	service := daprd.NewServiceWithListener(listener, grpc.MaxRecvMsgSize(messageBytes))
	paths, err := filepath.Glob(filepath.Join(folder, "*.wasm"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		binary, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		module, err := runtime.CompileModule(ctx, binary)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".wasm")
		if err := service.AddServiceInvocationHandler(name, handler(runtime, module, name)); err != nil {
			return err
		}
	}
	fmt.Println("serving", listener.Addr())
	return service.Start()
}

func handler(runtime wazero.Runtime, module wazero.CompiledModule, name string) common.ServiceInvocationHandler {
	return func(ctx context.Context, in *common.InvocationEvent) (*common.Content, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		var stdout bytes.Buffer
		// Without a name, instances of one module may run at the same time.
		config := wazero.NewModuleConfig().WithName("").WithArgs(name).
			WithStdin(bytes.NewReader(in.Data)).WithStdout(&stdout)
		instance, err := runtime.InstantiateModule(ctx, module, config)
		var exit *sys.ExitError
		if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 0) {
			return nil, err
		}
		if instance != nil {
			defer instance.Close(ctx)
		}
		return &common.Content{Data: stdout.Bytes(), ContentType: "application/octet-stream"}, nil
	}
}
