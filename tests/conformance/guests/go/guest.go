// What a Go program does of files and streams, told by its arguments: see test_guests.py.
// Without fmt, which makes a module of 2 MB half as large again.
package main

import (
	"io"
	"os"
	"strconv"
)

// EX_USAGE and EX_IOERR of sysexits.h.
const (
	exitUsage   = 64
	exitIOError = 74
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		code = exitIOError
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch {
	case command == "echo" && len(args) == 1:
		_, err := io.Copy(os.Stdout, os.Stdin)
		return 0, err
	case command == "read" && len(args) == 2:
		return 0, printFile(args[1])
	case command == "scratch" && len(args) == 2:
		return 0, keep(args[1])
	case command == "exists" && len(args) == 2:
		return 0, tellWhetherItExists(args[1])
	case command == "write" && len(args) == 2:
		return 0, writeFile(args[1])
	case command == "leave" && len(args) == 2:
		return 0, leave(args[1])
	case command == "remove" && len(args) == 2:
		return 0, os.Remove(args[1])
	case command == "exchange" && len(args) == 2:
		return 0, exchange(args[1])
	case command == "tour" && len(args) == 3:
		return 0, tour(args[1], args[2])
	case command == "fail" && len(args) == 2:
		os.Stderr.WriteString("told to fail\n")
		return strconv.Atoi(args[1])
	}
	os.Stderr.WriteString("usage: guest echo | tour FROM TO | fail CODE |\n" +
		"    read | scratch | exists | write | leave | remove | exchange PATH\n")
	return exitUsage, nil
}

func printFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(os.Stdout, file)
	return err
}

func writeFile(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err = io.Copy(file, os.Stdin); err != nil {
		return err
	}
	return file.Close()
}

// leave writes a file and leaves it open.
func leave(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, os.Stdin)
	return err
}

func keep(path string) error {
	if err := writeFile(path); err != nil {
		return err
	}
	if err := printFile(path); err != nil {
		return err
	}
	return os.Remove(path)
}

func tellWhetherItExists(path string) error {
	answer := "yes\n"
	if _, err := os.Stat(path); os.IsNotExist(err) {
		answer = "no\n"
	} else if err != nil {
		return err
	}
	_, err := os.Stdout.WriteString(answer)
	return err
}

func exchange(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if _, err = io.Copy(file, os.Stdin); err != nil {
		return err
	}
	if _, err = io.Copy(os.Stdout, file); err != nil {
		return err
	}
	return file.Close()
}
