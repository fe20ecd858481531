// The stream of frames to the API and of masks back, over the page's own server; it opens again by itself.

export const IN_FLIGHT = 2; // as many as the API works on at a time: one is decoded while the other is inferred

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10000;

export class Stream {
  // Callbacks: onRoom() when a frame may be sent; onMask(shot, png, told), onRefused(shot, sentence) for each that was
  // answered; onPassedOver(shot) for each that was not and never will be; onUp(), onDown({reason, said, seconds}).
  constructor(callbacks) {
    this.callbacks = callbacks;
    this.socket = null;
    this.timer = null;
    this.retry = FIRST_RETRY_MS;
    this.shots = new Map(); // seq to the shot that was sent and not answered
    this.sent = 0;
    this.told = null; // the text message whose mask comes next
    this.complaint = null; // why the page's server could not open the API's stream
  }

  get isOpen() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  get room() {
    return this.isOpen ? IN_FLIGHT - this.shots.size : 0;
  }

  open(model) {
    this.model = model;
    clearTimeout(this.timer);
    this.drop();
    const address = new URL(`${window.path_prefix || ""}/live/stream`, window.location.href);
    address.protocol = address.protocol.replace("http", "ws");
    if (model) address.searchParams.set("model", model);
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.callbacks.onRoom();
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.text(data) : this.mask(data));
    socket.onclose = (event) => this.lost(event);
    this.socket = socket;
  }

  close() {
    clearTimeout(this.timer);
    this.drop();
  }

  // The socket and what was under way on it.
  drop() {
    const socket = this.socket;
    this.socket = null;
    if (socket !== null) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const shot of this.shots.values()) this.callbacks.onPassedOver(shot);
    this.shots.clear();
    this.sent = 0;
    this.told = this.complaint = null;
  }

  send(data, shot) {
    this.shots.set(this.sent++, shot);
    this.socket.send(data);
  }

  text(data) {
    const told = JSON.parse(data);
    if ("reason" in told) {
      this.complaint = told;
    } else if ("seq" in told && "error" in told) {
      const shot = this.answered(told.seq);
      this.callbacks.onRefused(shot, told.error);
      this.callbacks.onRoom();
    } else if ("seq" in told) {
      this.told = told;
    }
  }

  mask(data) {
    const told = this.told;
    this.told = null;
    this.retry = FIRST_RETRY_MS; // a stream that works, not just one that opens
    const shot = this.answered(told.seq);
    this.callbacks.onRoom(); // first of all: while this mask is drawn the API has the next frame
    this.callbacks.onMask(shot, data, told);
  }

  // The shot of a seq; those before it that are still there were passed over.
  answered(seq) {
    const shot = this.shots.get(seq);
    for (const [earlier, passed] of this.shots) {
      if (earlier > seq) break;
      this.shots.delete(earlier);
      if (earlier < seq) this.callbacks.onPassedOver(passed);
    }
    return shot;
  }

  lost(event) {
    const { reason, said } = this.complaint ?? { reason: null, said: event.reason };
    const status = event.code >= 4000 ? event.code - 4000 : null;
    this.drop();
    const wait = this.retry * (0.75 + Math.random() / 2); // so that not all pages come back at once
    this.retry = Math.min(this.retry * 2, LAST_RETRY_MS);
    this.timer = setTimeout(() => this.open(this.model), wait);
    this.callbacks.onDown({ code: event.code, reason, said, status });
  }
}
