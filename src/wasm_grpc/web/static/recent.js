// The last calls, as the events service keeps them.

const SHOWN = 10;

/** The panel. It holds what the functions have reported. */
export class Recent {
  #panel;
  #rows;
  #fault;
  #loading = null; // the AbortController of the running request
  #formats;

  /** Fill a panel that has a table body and a sentence for errors; `formats` writes sizes. */
  constructor(panel, formats) {
    this.#panel = panel;
    this.#rows = panel.querySelector("tbody");
    this.#fault = panel.querySelector("[data-for=error]");
    this.#formats = formats;
  }

  /** Show the newest calls. A request that still runs is given up for this one. */
  async refresh() {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    try {
      const response = await fetch("/api/events", { signal: loading.signal });
      const { events, error } = await response.json();
      if (this.#loading !== loading) return;
      if (response.ok) this.#show(events.slice(0, SHOWN));
      else this.#fail(error);
    } catch {
      if (this.#loading === loading) this.#fail("The last calls can't be read; is the server running?");
    }
  }

  #show(events) {
    this.#rows.replaceChildren(...events.map((event) => this.#row(event)));
    this.#panel.dataset.shows = events.length ? "calls" : "none";
  }

  #fail(sentence) {
    this.#fault.textContent = sentence;
    this.#panel.dataset.shows = "error";
  }

  #row({ event_ts, op_type, input_size, output_size, duration_ms }) {
    const row = document.createElement("tr");
    const sizes = `${this.#formats.size(input_size)} → ${output_size === null ? "?" : this.#formats.size(output_size)}`;
    row.append(cell(time(new Date(event_ts))), cell(op_type), cell(sizes), cell(milliseconds(duration_ms)));
    return row;
  }
}

function cell(content) {
  const made = document.createElement("td");
  made.append(content);
  return made;
}

function time(when) {
  const made = document.createElement("time");
  made.dateTime = when.toISOString();
  const isToday = when.toDateString() === new Date().toDateString();
  made.textContent = isToday ? when.toLocaleTimeString() : when.toLocaleString();
  return made;
}

const milliseconds = (value) => (value === null ? "?" : `${value.toFixed(value < 10 ? 1 : 0)} ms`);
