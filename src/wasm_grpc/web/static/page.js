// The page: one picture, two functions, one result at a time.

import { Board, paintDigit, paintLandscape } from "./paint.js";

const LIMIT_BYTES = 16 * 1024 * 1024; // what the server takes
const TIMEOUT_MS = 60_000;

const $ = (id) => document.getElementById(id);
const functions = [$("grayscale"), $("classify")];

let picture = null; // the chosen Blob
let pictureUrl = "";
let resultUrl = "";
let running = null; // the AbortController of the call that runs

function choose(blob, name) {
  running?.abort();
  running = null;
  hideResult();
  showError("");
  if (blob.size > LIMIT_BYTES) {
    forget();
    showError(`${name} is too large: it has ${mebibytes(blob.size)} MiB; at most 16 are taken.`);
    return;
  }
  if (blob.size === 0) {
    forget();
    showError(`${name} is empty.`);
    return;
  }
  picture = blob;
  URL.revokeObjectURL(pictureUrl);
  pictureUrl = URL.createObjectURL(blob);
  $("before").src = pictureUrl;
  $("before").hidden = false;
  $("chosen-name").textContent = `${name}, ${size(blob.size)}`;
  $("chosen").hidden = false;
  enable(true);
  $("status").textContent = "Ready.";
}

function forget() {
  picture = null;
  $("chosen").hidden = true;
  enable(false);
  $("status").textContent = "Choose a picture first.";
}

function enable(isEnabled) {
  for (const button of functions) button.disabled = !isEnabled;
}

async function call(api) {
  const call = (running = new AbortController());
  const late = setTimeout(() => call.abort("late"), TIMEOUT_MS);
  showError("");
  hideResult();
  enable(false);
  $("status").textContent = "Working…";
  const began = performance.now();
  try {
    const response = await fetch("/api/hello", {
      method: "POST",
      headers: { api, "Content-Type": picture.type || "application/octet-stream" },
      body: picture,
      signal: call.signal,
    });
    if (!response.ok) throw new Refusal(await sentence(response));
    const show = await (api === "grayscale" ? grey(response) : labels(response));
    if (running !== call) return;
    show();
    $("status").textContent = `Done in ${Math.round(performance.now() - began)} ms.`;
    $("result").hidden = false;
    $("result-title").focus({ preventScroll: true });
    $("result").scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (running !== call) return;
    $("status").textContent = "";
    if (error instanceof Refusal) showError(error.message);
    else if (call.signal.reason === "late") showError("It took too long; try again.");
    else showError("The server can't be reached; is it running?");
  } finally {
    clearTimeout(late);
    if (running === call) {
      running = null;
      enable(picture !== null);
    }
  }
}

class Refusal extends Error {}

async function sentence(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

async function grey(response) {
  const blob = await response.blob();
  return () => {
    URL.revokeObjectURL(resultUrl);
    resultUrl = URL.createObjectURL(blob);
    $("original").src = pictureUrl;
    $("after").src = resultUrl;
    $("download").href = resultUrl;
    $("download").download = picture.type === "image/gif" ? "grey.gif" : "grey.png";
    $("pictures").hidden = false;
  };
}

async function labels(response) {
  const answer = await response.json();
  return () => {
    $("classified").src = pictureUrl;
    $("bars").replaceChildren(...answer.labels.map(bar));
    $("model").textContent = answer.labels.length
      ? `Model: ${answer.model}`
      : `The model ${answer.model} is sure of nothing here.`;
    $("labels").hidden = false;
  };
}

function bar({ label, score }) {
  const item = document.createElement("li");
  const length = document.createElement("div");
  length.className = "length";
  length.style.width = `${score * 100}%`;
  const name = document.createElement("span");
  name.className = "label";
  name.textContent = label;
  const share = document.createElement("span");
  share.className = "score";
  share.textContent = `${(score * 100).toFixed(1)} %`;
  item.append(length, name, share);
  return item;
}

function hideResult() {
  $("result").hidden = $("pictures").hidden = $("labels").hidden = true;
}

function showError(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

const mebibytes = (bytes) => (bytes / 1024 / 1024).toFixed(1);
const size = (bytes) => (bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${mebibytes(bytes)} MiB`);

// What the browser can't show, a function may still read: only the preview is left out.
$("before").addEventListener("error", () => ($("before").hidden = true));

$("file").addEventListener("change", ({ target }) => {
  if (target.files.length) choose(target.files[0], target.files[0].name);
  target.value = ""; // the same file may be chosen again
});

const drop = $("drop");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop", "dragend"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind !== "dragleave" || !event.relatedTarget) drop.classList.remove("over");
  });
}
document.addEventListener("drop", (event) => {
  const [file] = event.dataTransfer.files;
  if (file) choose(file, file.name);
  else showError("That is no file; drop a picture from your computer.");
});
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) choose(file, "The pasted picture");
});

$("sample-landscape").addEventListener("click", async () => choose(await paintLandscape(), "Sample landscape"));
$("sample-digit").addEventListener("click", async () => choose(await paintDigit(), "Sample digit"));

const board = new Board($("board"));
$("draw-open").addEventListener("click", () => {
  const isOpen = $("draw").hidden;
  $("draw").hidden = !isOpen;
  $("draw-open").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) $("board").focus();
});
$("draw-clear").addEventListener("click", () => board.clear());
$("draw-use").addEventListener("click", async () => {
  if (board.isBlank) showError("Nothing is drawn yet.");
  else choose(await board.blob(), "Drawing");
});

for (const button of functions) button.addEventListener("click", () => call(button.id));
