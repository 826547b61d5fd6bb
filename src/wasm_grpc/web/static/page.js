// The page: one picture, two functions, one answer at a time.

import { Board, paintDigit, paintLandscape } from "./paint.js";
import { Recent } from "./recent.js";

const LIMIT_BYTES = 16 * 1024 * 1024; // the server's limit
const TIMEOUT_MS = 60_000;
// Measured on 1,410 unseen digits: 7 that the model read correctly have a lower score. So have 38 of 53 other
// pictures (photos, letters, shapes, scribbles).
const RECOGNISED = 0.6;

const $ = (id) => document.getElementById(id);
const functions = [$("grayscale"), $("classify")];

let picture = null; // the chosen Blob
let name = ""; // name of its file
let pictureUrl = "";
let greyUrl = "";
let running = null; // the AbortController of the running call
let drawing = null; // the picture of the last stroke, while it is encoded

function choose(blob, file, { isOnDisk = true, shows = "picture" } = {}) {
  stop();
  drawing = null;
  if (blob.size > LIMIT_BYTES || blob.size === 0) {
    forget();
    const fault = blob.size ? `is too large: it has ${mebibytes(blob.size)} MiB; at most 16 are taken.` : "is empty.";
    showError(`${file} ${fault}`);
    return;
  }
  picture = blob;
  name = file;
  URL.revokeObjectURL(pictureUrl);
  pictureUrl = URL.createObjectURL(blob);
  compare("");
  $("before").src = pictureUrl;
  stage(shows);
  $("chosen-name").textContent = `${file}, ${size(blob.size)}`;
  // A drawing is not a file yet, so the shell command has no file to send.
  $("save").hidden = isOnDisk;
  $("save").href = pictureUrl;
  $("save").download = file;
  enable(true);
  show("nothing");
  $("hint").textContent = "Now choose a function.";
}

function forget() {
  picture = drawing = null;
  compare("");
  stage("nothing");
  $("chosen-name").textContent = "No picture yet";
  $("save").hidden = true;
  enable(false);
  show("nothing");
  $("hint").textContent = "Choose a picture, then a function.";
}

function stage(shows) {
  $("stage").dataset.shows = shows;
  $("draw").setAttribute("aria-pressed", String(shows === "board"));
  $("draw-clear").hidden = shows !== "board";
}

function enable(isEnabled) {
  for (const button of functions) button.disabled = !isEnabled;
}

function stop() {
  running?.abort();
  running = null;
  $("answer").setAttribute("aria-busy", "false");
}

function show(what) {
  $("shown").dataset.shows = what;
  $("trace").hidden = what === "nothing";
}

async function call(api) {
  const call = (running = new AbortController());
  const late = setTimeout(() => call.abort("late"), TIMEOUT_MS);
  $("answer").setAttribute("aria-busy", "true");
  enable(false);
  $("status").textContent = "Working…";
  const began = performance.now();
  let response = null;
  try {
    response = await fetch("/api/hello", {
      method: "POST",
      headers: { api, "Content-Type": picture.type || "application/octet-stream" },
      body: picture,
      signal: call.signal,
    });
    const answer = await (response.ok ? (api === "grayscale" ? response.blob() : response.json()) : refusal(response));
    if (running !== call) return;
    if (!response.ok && api === "classify" && response.status === 400 && answer.reason === "NOTHING_DRAWN") {
      showNone(answer.error, []);
    } else if (!response.ok) {
      showError(answer.error);
    } else if (api === "grayscale") {
      showGrey(answer);
    } else {
      showDigit(answer);
    }
  } catch (error) {
    if (running !== call) return;
    showError(
      call.signal.reason === "late" ? "It took too long; try again." : "The server can't be reached; is it running?",
    );
  } finally {
    clearTimeout(late);
    if (running === call) {
      running = null;
      $("answer").setAttribute("aria-busy", "false");
      enable(picture !== null);
      trace(api, response, Math.round(performance.now() - began));
      $("shown").focus({ preventScroll: true });
      $("shown").scrollIntoView({ block: "nearest" });
      recent.refresh();
    }
  }
}

async function refusal(response) {
  try {
    return await response.json();
  } catch {
    return { error: `The server answered ${response.status}.` };
  }
}

function showGrey(blob) {
  URL.revokeObjectURL(greyUrl);
  greyUrl = URL.createObjectURL(blob);
  $("download").href = greyUrl;
  $("download").download = picture.type === "image/gif" ? "grey.gif" : "grey.png";
  $("grey-facts").textContent = size(blob.size);
  compare(greyUrl);
  show("grey");
  $("status").textContent = "The picture is grey.";
}

/** Lay the grey picture over the chosen one, with a handle between them. Without a grey one show only the other. */
function compare(url) {
  const isOn = url !== "";
  $("after").hidden = $("slider").hidden = !isOn;
  $("frame").classList.toggle("compares", isOn);
  if (!isOn) return;
  if ($("stage").dataset.shows === "board") stage("picture");
  $("after").src = url;
  $("slider").value = 50;
  slide();
}

function slide() {
  $("frame").style.setProperty("--share", `${$("slider").value}%`);
}

function showDigit({ model, labels }) {
  compare("");
  const [best] = labels;
  if (!best || best.score < RECOGNISED) {
    showNone("The model reads single digits, and is sure of none here.", labels, model);
    return;
  }
  $("digit").textContent = best.label;
  $("confidence").textContent = `${percent(best.score)} sure`;
  guesses(labels, model);
  show("digit");
  $("status").textContent = `It reads ${best.label}, ${percent(best.score)} sure.`;
}

function showNone(why, labels, model = "") {
  compare("");
  $("why-none").textContent = why;
  guesses(labels, model);
  show("none");
  $("status").textContent = `No digit recognised. ${why}`;
}

function guesses(labels, model) {
  $("guesses-box").classList.toggle("answerless", labels.length === 0);
  $("bars").replaceChildren(...labels.map(bar));
  $("model").textContent = model && `Model: ${model}`;
}

function bar({ label, score }) {
  const item = document.createElement("li");
  const part = (kind, text = "") => {
    const made = document.createElement("span");
    made.className = kind;
    made.textContent = text;
    return made;
  };
  const track = part("track");
  const length = part("length");
  length.style.display = "block";
  length.style.width = `${score * 100}%`;
  track.style.display = "block";
  track.append(length);
  item.append(part("label", label), track, part("score", percent(score)));
  return item;
}

function showError(text) {
  compare("");
  $("error").textContent = text;
  show("error");
  $("trace").hidden = true;
  $("status").textContent = "";
}

/** Show the route of the call, and the same call as a shell command. */
function trace(api, response, ms) {
  const app = response?.headers.get("Dapr-App-Id");
  $("trace").hidden = !app;
  if (!app) return;
  const strong = (text) => Object.assign(document.createElement("b"), { textContent: text });
  $("route").replaceChildren(
    strong(api), " in app ", strong(app), `, through the sidecar at ${response.headers.get("Dapr-Sidecar")}: `,
    strong(`${ms} ms`),
  );
  const output = api === "grayscale" ? ` -o ${$("download").download || "grey.png"}` : "";
  $("command").textContent =
    `curl --fail-with-body -H 'api: ${api}' --data-binary @${quoted(name)} ${location.origin}/api/hello${output}`;
}

const quoted = (text) => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
const percent = (share) => `${(share * 100).toFixed(1)} %`;
const mebibytes = (bytes) => (bytes / 1024 / 1024).toFixed(1);
const size = (bytes) => (bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${mebibytes(bytes)} MiB`);

// If the browser can't show a picture, leave out the preview: a function may still be able to read it.
$("before").addEventListener("error", () => picture && stage("unseen"));
$("slider").addEventListener("input", slide);
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("command").textContent);
  $("copy").textContent = "Copied";
  setTimeout(() => ($("copy").textContent = "Copy"), 1500);
});

$("file").addEventListener("change", ({ target }) => {
  if (target.files.length) choose(target.files[0], target.files[0].name);
  target.value = ""; // so that the same file can be chosen again
});

for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("stage").classList.add("over");
  });
}
for (const kind of ["dragleave", "drop", "dragend"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind !== "dragleave" || !event.relatedTarget) $("stage").classList.remove("over");
  });
}
document.addEventListener("drop", (event) => {
  const [file] = event.dataTransfer.files;
  if (file) choose(file, file.name);
  else showError("That is not a file; drop a picture from your computer.");
});
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) choose(file, file.name || "pasted.png", { isOnDisk: false });
});

$("sample-landscape").addEventListener("click", async () =>
  choose(await paintLandscape(), "landscape.jpg", { isOnDisk: false }),
);
$("sample-digit").addEventListener("click", async () => choose(await paintDigit(), "digit.png", { isOnDisk: false }));

// A stroke replaces any chosen picture: the functions get the drawing.
const board = new Board($("board"), async () => {
  const stroke = (drawing = board.blob());
  const blob = await stroke;
  // Strokes may be encoded out of order, and only the last one has all of the drawing.
  if (stroke === drawing) choose(blob, "drawing.png", { isOnDisk: false, shows: "board" });
});
$("draw").addEventListener("click", () => {
  stop();
  if (board.isBlank) forget();
  stage("board");
  if (!board.isBlank) board.changed();
  $("board").focus();
});
$("draw-clear").addEventListener("click", () => {
  board.clear();
  stop();
  forget();
  stage("board");
});

const recent = new Recent($("recent"), { size });
recent.refresh();

stage("nothing");
for (const button of functions) {
  button.addEventListener("click", async () => {
    // Choosing the last stroke's picture would stop this call.
    if (drawing) await drawing;
    call(button.id);
  });
}
