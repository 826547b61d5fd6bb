// A waPC guest by the package wapc-guest-tinygo. Its operations are those of ../c/guest.c.
//
// The package is for TinyGo. Its imports and its export are written anew in wapc/ for Go's own compiler;
// the rest, wapc.go, is its own.
package main

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"guest/wapc"
)

//go:wasmimport wapc __guest_error
func guestError(text unsafe.Pointer, size uint32)

// Not in main, which a reactor never calls.
func init() {
	wapc.RegisterFunctions(wapc.Functions{
		"echo": func(payload []byte) ([]byte, error) { return payload, nil },
		"fail": func([]byte) ([]byte, error) { return nil, errors.New("told to fail") },
		"ask": func(payload []byte) ([]byte, error) {
			return wapc.HostCall("dapr", "json", "GetState", payload)
		},
		"trap": func([]byte) ([]byte, error) {
			text := []byte("told to trap")
			guestError(unsafe.Pointer(unsafe.SliceData(text)), uint32(len(text)))
			panic("told to trap")
		},
		"log": func(payload []byte) ([]byte, error) {
			wapc.ConsoleLog(string(payload))
			fmt.Print(string(payload))
			fmt.Fprint(os.Stderr, string(payload))
			return nil, nil
		},
	})
}

func main() {}
