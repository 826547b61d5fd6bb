// Runs one example of docs/dapr.md, and writes what it has read: see test_dapr_page.py.
package main

import (
	"io"
	"os"
)

func saveState() (text []byte, err error) {
	{Save state}
	return
}

func getState() (text []byte, err error) {
	{Get state}
	return
}

func deleteState() (text []byte, err error) {
	{Delete state}
	return
}

func publish() (text []byte, err error) {
	{Publish}
	return
}

func invoke() (text []byte, err error) {
	{Invoke}
	return
}

func secret() (text []byte, err error) {
	{Secret}
	return
}

func configuration() (text []byte, err error) {
	{Configuration}
	return
}

func binding() (text []byte, err error) {
	{Binding}
	return
}

func main() {
	examples := map[string]func() ([]byte, error){
		"Save-state":    saveState,
		"Get-state":     getState,
		"Delete-state":  deleteState,
		"Publish":       publish,
		"Invoke":        invoke,
		"Secret":        secret,
		"Configuration": configuration,
		"Binding":       binding,
	}
	text, err := examples[os.Args[1]]()
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	io.WriteString(os.Stdout, string(text))
}
