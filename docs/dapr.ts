// Files below /dapr, for AssemblyScript, whose library has none: these are WASI's own calls. See dapr.md.

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

const FIRST_DIRECTORY = 3;

const cells = memory.data(8);
const vector = memory.data(8);
const chunk = new StaticArray<u8>(4096);

/** Return the value of a key, secret or item; null if it is missing. */
export function read(name: string): string | null {
  const error = tryOpen(name, 0, rights.FD_READ);
  if (error == errno.NOENT) return null;
  check(error, name);
  const file = load<u32>(cells);
  const text = receive(file, name);
  check(fd_close(file), name);
  return text;
}

/** Save the value of a key, publish a message, or call a binding whose answer doesn't matter. */
export function write(name: string, text: string): void {
  const file = open(name, oflags.CREAT | oflags.TRUNC, rights.FD_WRITE);
  send(file, text, name);
  check(fd_close(file), name);
}

/** Call a binding or a method of an app, and return the answer. */
export function exchange(name: string, request: string): string {
  const file = open(name, 0, rights.FD_READ | rights.FD_WRITE);
  send(file, request, name);
  const answer = receive(file, name);
  check(fd_close(file), name);
  return answer;
}

/** Delete a key. */
export function remove(name: string): void {
  const path = String.UTF8.encode(name);
  check(path_unlink_file(directory(), changetype<usize>(path), path.byteLength), name);
}

function open(name: string, flags: oflags, wanted: rights): u32 {
  check(tryOpen(name, flags, wanted), name);
  return load<u32>(cells);
}

/** Open a file. Its descriptor is in the first cell. */
function tryOpen(name: string, flags: oflags, wanted: rights): errno {
  const path = String.UTF8.encode(name);
  return path_open(directory(), 0, changetype<usize>(path), path.byteLength, flags, wanted, 0, 0, cells);
}

/** Return the descriptor of /dapr, one of the directories that are open from the start. */
function directory(): u32 {
  // A prestat is a tag, then the length of the name.
  for (let fd: u32 = FIRST_DIRECTORY; fd_prestat_get(fd, changetype<prestat>(cells)) == errno.SUCCESS; ++fd) {
    const name = new ArrayBuffer(load<u32>(cells, 4));
    check(fd_prestat_dir_name(fd, changetype<usize>(name), name.byteLength), "/dapr");
    if (String.UTF8.decode(name) == "/dapr") return fd;
  }
  throw new Error("/dapr: nothing is granted");
}

function send(file: u32, text: string, name: string): void {
  const bytes = String.UTF8.encode(text);
  for (let sent: u32 = 0; sent < <u32>bytes.byteLength; sent += load<u32>(cells)) {
    store<u32>(vector, <u32>changetype<usize>(bytes) + sent);
    store<u32>(vector, bytes.byteLength - sent, 4);
    check(fd_write(file, vector, 1, cells), name);
  }
}

function receive(file: u32, name: string): string {
  const bytes = new Array<u8>();
  let size: u32 = 0;
  do {
    store<u32>(vector, <u32>changetype<usize>(chunk));
    store<u32>(vector, chunk.length, 4);
    check(fd_read(file, vector, 1, cells), name);
    size = load<u32>(cells);
    for (let at: u32 = 0; at < size; ++at) bytes.push(chunk[at]);
  } while (size);
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

function check(error: errno, name: string): void {
  if (error != errno.SUCCESS) throw new Error("/dapr/" + name + ": " + errnoToString(error));
}
