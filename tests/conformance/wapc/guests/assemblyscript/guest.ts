// A waPC guest by the package @wapc/as-guest. Its operations are those of ../c/guest.c.
import { Result, consoleLog, handleAbort, handleCall, hostCall, register } from "@wapc/as-guest";

register("echo", (payload: ArrayBuffer): Result<ArrayBuffer> => Result.ok(payload));
register("fail", (_: ArrayBuffer): Result<ArrayBuffer> => Result.error<ArrayBuffer>(new Error("told to fail")));
register("ask", (payload: ArrayBuffer): Result<ArrayBuffer> => hostCall("dapr", "json", "GetState", payload));
// The package hands over the message of an exception, and then the module traps.
register("trap", (_: ArrayBuffer): Result<ArrayBuffer> => {
  throw new Error("told to trap");
});
register("log", (payload: ArrayBuffer): Result<ArrayBuffer> => {
  consoleLog(String.UTF8.decode(payload));
  return Result.ok(new ArrayBuffer(0));
});

export function __guest_call(operationSize: usize, payloadSize: usize): bool {
  return handleCall(operationSize, payloadSize);
}

function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  handleAbort(message, file, line, column);
}
