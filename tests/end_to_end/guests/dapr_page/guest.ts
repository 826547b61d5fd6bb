// Runs one example of docs/dapr.md, and writes what it has read: see test_dapr_page.py.

import { exchange, read, remove, write } from "./dapr";

const example = process.argv[1];
let text: string | null = "";
if (example == "Save-state") {
  {Save state}
} else if (example == "Get-state") {
  {Get state}
} else if (example == "Delete-state") {
  {Delete state}
} else if (example == "Publish") {
  {Publish}
} else if (example == "Invoke") {
  {Invoke}
} else if (example == "Secret") {
  {Secret}
} else if (example == "Configuration") {
  {Configuration}
} else if (example == "Binding") {
  {Binding}
} else {
  process.exit(64);
}
process.stdout.write(text == null ? "nothing" : text);
