package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tour tells all that is below one folder, does to another what a program does with files, and tells what
// became of it. It prints nothing that may differ between machines: no time, permission or number of a file.
func tour(from, to string) error {
	if err := tell(from); err != nil {
		return err
	}
	steps := []func(string) error{seek, grow, rename, link}
	for _, step := range steps {
		if err := step(to); err != nil {
			return err
		}
	}
	refused(from, to)
	return tell(to)
}

func say(words ...string) {
	os.Stdout.WriteString(strings.Join(words, " ") + "\n")
}

func tell(folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch entry.Type() {
		case fs.ModeDir:
			say(path + "/")
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			say(path, "->", target)
		default:
			info, err := entry.Info()
			if err != nil {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			say(path, strconv.FormatInt(info.Size(), 10), strconv.Quote(string(content)))
		}
		return nil
	})
}

// seek writes, reads and overwrites at offsets of one file.
func seek(folder string) error {
	file, err := os.OpenFile(filepath.Join(folder, "sought"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err = file.WriteString("0123456789"); err != nil {
		return err
	}
	if _, err = file.WriteAt([]byte("after a gap"), 16); err != nil {
		return err
	}
	if _, err = file.Seek(-4, io.SeekEnd); err != nil {
		return err
	}
	rest, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	piece := make([]byte, 3)
	if _, err = file.ReadAt(piece, 4); err != nil {
		return err
	}
	say("sought", strconv.Quote(string(rest)), strconv.Quote(string(piece)))
	return nil
}

// grow appends to a file, cuts another and lengthens a third.
func grow(folder string) error {
	log := filepath.Join(folder, "log")
	for _, line := range []string{"one\n", "two\n"} {
		file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = file.WriteString(line)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	for _, size := range []int64{2, 6} {
		path := filepath.Join(folder, "cut-"+strconv.FormatInt(size, 10))
		if err := errors.Join(os.WriteFile(path, []byte("cut"), 0o644), os.Truncate(path, size)); err != nil {
			return err
		}
	}
	return nil
}

// rename moves a file into a new folder, and that folder.
func rename(folder string) error {
	deep := filepath.Join(folder, "a", "b", "c")
	return errors.Join(
		os.MkdirAll(deep, 0o755),
		os.WriteFile(filepath.Join(folder, "moved"), []byte("moved"), 0o644),
		os.Rename(filepath.Join(folder, "moved"), filepath.Join(deep, "moved")),
		os.Rename(filepath.Join(folder, "a", "b"), filepath.Join(folder, "z")),
		os.Remove(filepath.Join(folder, "a")),
	)
}

// link gives a file a second name and a symbolic one, and removes the first.
func link(folder string) error {
	first := filepath.Join(folder, "first")
	return errors.Join(
		os.WriteFile(first, []byte("linked"), 0o644),
		os.Link(first, filepath.Join(folder, "second")),
		os.Symlink("second", filepath.Join(folder, "symbolic")),
		os.Remove(first),
	)
}

// refused tells how what can't be done is refused.
func refused(from, to string) {
	_, missing := os.ReadFile(filepath.Join(from, "missing"))
	_, above := os.ReadDir(filepath.Join(from, "missing", "above"))
	existing := os.Mkdir(to, 0o755)
	full := os.Remove(filepath.Join(to, "z"))
	say("missing", strconv.FormatBool(errors.Is(missing, fs.ErrNotExist)))
	say("above", strconv.FormatBool(errors.Is(above, fs.ErrNotExist)))
	say("existing", strconv.FormatBool(errors.Is(existing, fs.ErrExist)))
	say("full", strconv.FormatBool(full != nil))
}
