// What an AssemblyScript program does of files and streams, told by its arguments: see test_guests.py.
// Its WASI shim has the streams; files are WASI's own calls.

import {
  errno,
  errnoToString,
  fd_close,
  fd_prestat_dir_name,
  fd_prestat_get,
  fd_read,
  fd_write,
  oflags,
  path_open,
  path_unlink_file,
  prestat,
  rights,
} from "@assemblyscript/wasi-shim/assembly/bindings/wasi_snapshot_preview1";

// EX_USAGE and EX_IOERR of sysexits.h.
const EXIT_USAGE = 64;
const EXIT_IO_ERROR = 74;

const STDIN = 0;
const STDOUT = 1;
const FIRST_FOLDER = 3;

const chunk = new StaticArray<u8>(4096);
const cells = memory.data(8);
const vector = memory.data(8);

function check(error: errno, what: string): void {
  if (error == errno.SUCCESS) return;
  process.stderr.write(what + ": " + errnoToString(error) + "\n");
  process.exit(EXIT_IO_ERROR);
}

function copy(from: u32, to: u32): void {
  for (;;) {
    store<u32>(vector, <u32>changetype<usize>(chunk));
    store<u32>(vector, <u32>chunk.length, 4);
    check(fd_read(from, vector, 1, cells), "read");
    const size = load<u32>(cells);
    if (!size) return;
    let written: u32 = 0;
    while (written < size) {
      store<u32>(vector, <u32>changetype<usize>(chunk) + written);
      store<u32>(vector, size - written, 4);
      check(fd_write(to, vector, 1, cells), "write");
      written += load<u32>(cells);
    }
  }
}

/** A path below the open folder that holds it. */
class Place {
  constructor(public folder: u32, public path: ArrayBuffer) {}
}

function find(path: string): Place {
  // A prestat is a tag, then the length of the name.
  for (let folder: u32 = FIRST_FOLDER; fd_prestat_get(folder, changetype<prestat>(cells)) == errno.SUCCESS; ++folder) {
    const length = load<u32>(cells, 4);
    const name = new ArrayBuffer(length);
    check(fd_prestat_dir_name(folder, changetype<usize>(name), length), path);
    const prefix = String.UTF8.decode(name) + "/";
    if (path.startsWith(prefix)) return new Place(folder, String.UTF8.encode(path.substring(prefix.length)));
  }
  check(errno.NOTCAPABLE, path);
  return unreachable();
}

function open(place: Place, flags: oflags, wanted: rights): u32 {
  const path = changetype<usize>(place.path);
  check(path_open(place.folder, 0, path, place.path.byteLength, flags, wanted, 0, 0, cells), "open");
  return load<u32>(cells);
}

function printFile(path: string): void {
  const file = open(find(path), 0, rights.FD_READ);
  copy(file, STDOUT);
  check(fd_close(file), path);
}

/** Write a file and leave it open. */
function leave(path: string): u32 {
  const file = open(find(path), oflags.CREAT | oflags.TRUNC, rights.FD_WRITE);
  copy(STDIN, file);
  return file;
}

function writeFile(path: string): void {
  check(fd_close(leave(path)), path);
}

function remove(path: string): void {
  const place = find(path);
  check(path_unlink_file(place.folder, changetype<usize>(place.path), place.path.byteLength), path);
}

function keep(path: string): void {
  writeFile(path);
  printFile(path);
  remove(path);
}

function tellWhetherItExists(path: string): void {
  const place = find(path);
  const at = changetype<usize>(place.path);
  const error = path_open(place.folder, 0, at, place.path.byteLength, 0, rights.FD_READ, 0, 0, cells);
  if (error != errno.NOENT) check(error, path);
  process.stdout.write(error == errno.NOENT ? "no\n" : "yes\n");
}

function exchange(path: string): void {
  const file = open(find(path), 0, rights.FD_READ | rights.FD_WRITE);
  copy(STDIN, file);
  copy(file, STDOUT);
  check(fd_close(file), path);
}

const args = process.argv;
const command = args.length > 1 ? args[1] : "";
if (command == "echo" && args.length == 2) {
  copy(STDIN, STDOUT);
} else if (command == "read" && args.length == 3) {
  printFile(args[2]);
} else if (command == "scratch" && args.length == 3) {
  keep(args[2]);
} else if (command == "exists" && args.length == 3) {
  tellWhetherItExists(args[2]);
} else if (command == "write" && args.length == 3) {
  writeFile(args[2]);
} else if (command == "leave" && args.length == 3) {
  leave(args[2]);
} else if (command == "remove" && args.length == 3) {
  remove(args[2]);
} else if (command == "exchange" && args.length == 3) {
  exchange(args[2]);
} else if (command == "fail" && args.length == 3) {
  process.stderr.write("told to fail\n");
  process.exit(I32.parseInt(args[2]));
} else {
  process.stderr.write("usage: guest echo | fail CODE |\n");
  process.stderr.write("    read | scratch | exists | write | leave | remove | exchange PATH\n");
  process.exit(EXIT_USAGE);
}
