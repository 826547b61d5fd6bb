// Pictures made in the browser: two samples, and the user's drawing.

const INK = "#111111";
const PAPER = "#ffffff";
const PEN = 22; // pixels of the board's 280
const STEP = 10;

function canvas(width, height) {
  const made = document.createElement("canvas");
  made.width = width;
  made.height = height;
  return [made, made.getContext("2d")];
}

const encoded = (made, type) => new Promise((resolve) => made.toBlob(resolve, type, 0.9));

/** A landscape of sky, sun and hills, as a JPEG of 640 x 420 pixels. */
export async function paintLandscape() {
  const [made, pen] = canvas(640, 420);
  const sky = pen.createLinearGradient(0, 0, 0, 300);
  sky.addColorStop(0, "#2c6fbb");
  sky.addColorStop(1, "#f9cf9c");
  pen.fillStyle = sky;
  pen.fillRect(0, 0, 640, 420);
  pen.fillStyle = "#fff2cc";
  pen.beginPath();
  pen.arc(470, 110, 44, 0, 2 * Math.PI);
  pen.fill();
  const hills = [["#6d7fa8", 230, 90, 34], ["#4c8067", 290, 66, 40], ["#2f5d34", 350, 48, 26]];
  for (const [colour, height, wave, rise] of hills) {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(0, 420);
    for (let x = 0; x <= 640; x += 4) {
      pen.lineTo(x, height + rise * (Math.sin(x / wave) + 0.4 * Math.sin((2.7 * x) / wave + 1)));
    }
    pen.lineTo(640, 420);
    pen.fill();
  }
  return encoded(made, "image/jpeg");
}

/** A handwritten digit, a different one each time, as a PNG of 280 x 280 pixels. */
export async function paintDigit() {
  const [made, pen] = canvas(280, 280);
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, 280, 280);
  pen.lineWidth = PEN;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = INK;
  pen.stroke(new Path2D(DIGITS[Math.floor(Math.random() * DIGITS.length)]));
  return encoded(made, "image/png");
}

// Single strokes, as SVG paths within 280 x 280.
const DIGITS = [
  "M140 45 C85 45 80 100 80 140 C80 185 90 235 140 235 C190 235 200 185 200 140 C200 95 190 45 140 45",
  "M85 95 C92 55 190 40 190 100 C190 150 110 175 85 230 L200 230",
  "M88 70 C125 35 190 55 180 100 C175 128 145 133 125 135 C160 135 195 150 190 185 C185 235 115 250 82 205",
  "M165 45 C140 95 110 135 82 175 L205 175 M165 120 L165 240",
  "M190 50 L105 50 L95 130 C140 105 200 130 195 180 C190 230 120 250 85 210",
  "M80 55 L200 55 C170 110 145 170 130 240",
];

/** A board to draw on: mouse, finger, or the arrow keys with Shift. */
export class Board {
  isBlank = true;
  #canvas;
  #pen;
  #at = null;
  #keys = { x: 140, y: 140 };

  /** Draw on a canvas; `changed` is called after each stroke. */
  constructor(board, changed) {
    this.#canvas = board;
    this.changed = changed;
    this.#pen = board.getContext("2d");
    this.#pen.lineWidth = PEN;
    this.#pen.lineCap = this.#pen.lineJoin = "round";
    this.#pen.strokeStyle = INK;
    this.clear();
    board.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      board.focus();
      board.setPointerCapture(event.pointerId);
      this.#at = this.#place(event);
      this.#line(this.#at, this.#at);
    });
    board.addEventListener("pointermove", (event) => {
      if (!this.#at) return;
      for (const each of event.getCoalescedEvents?.() ?? [event]) {
        const to = this.#place(each);
        this.#line(this.#at, to);
        this.#at = to;
      }
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      board.addEventListener(kind, () => {
        if (this.#at) this.changed();
        this.#at = null;
      });
    }
    board.addEventListener("keydown", (event) => this.#key(event));
  }

  clear() {
    this.#pen.fillStyle = PAPER;
    this.#pen.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.isBlank = true;
  }

  blob() {
    return encoded(this.#canvas, "image/png");
  }

  #place(event) {
    const box = this.#canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.#canvas.width,
      y: ((event.clientY - box.top) / box.height) * this.#canvas.height,
    };
  }

  #key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const from = this.#keys;
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    this.#keys = {
      x: within(from.x + move[0] * STEP, this.#canvas.width),
      y: within(from.y + move[1] * STEP, this.#canvas.height),
    };
    if (!event.shiftKey) return;
    this.#line(from, this.#keys);
    this.changed();
  }

  #line(from, to) {
    this.#pen.beginPath();
    this.#pen.moveTo(from.x, from.y);
    this.#pen.lineTo(to.x, to.y);
    this.#pen.stroke();
    this.isBlank = false;
  }
}
