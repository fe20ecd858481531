// Frames from a source into the stream, and each mask over the frame that it belongs to.
import { maskPicture } from "roadmask/mask.js";
import { Figures } from "./figures.js";
import { Source } from "./source.js";
import { Stream } from "./stream.js";

const QUALITY = 0.85; // of JPEG: what street cameras send; the masks of 0.85 and of 1 differ in single pixels

export class Session {
  // video, frame, mask: a <video> and two <canvas> of the page; colors by id. Callbacks: onShown(), onUp(),
  // onDown(told), onRefused(sentence), onSourceEnd(key).
  constructor({ video, frame, mask, colors, callbacks }) {
    Object.assign(this, { video, frame, mask, colors, callbacks });
    this.width = 1024; // of the frames that are sent, at most
    this.hidden = []; // ids that stay transparent
    this.png = null; // of the mask that is shown
    this.figures = new Figures();
    this.source = null;
    this.encoder = new Worker(new URL("./encoder.js", import.meta.url));
    this.stream = new Stream({
      onRoom: () => this.room(),
      onMask: (shot, png, told) => this.show({ shot, png, told }),
      onRefused: (shot, sentence) => {
        this.answered++;
        shot.picture.close();
        callbacks.onRefused(sentence);
      },
      onPassedOver: (shot) => shot.picture.close(),
      onDown: (told) => {
        this.discard(); // what was prepared is old when the API comes back
        callbacks.onDown(told);
      },
    });
    this.next = null; // the mask that waits to be drawn
    this.ready = null; // the frame that is encoded and not sent
    this.timer = null;
    this.answeredAt = 0; // when the API answered last, and by how much it takes on average:
    this.interval = 0; // from one answer to the next,
    this.lead = 0; // to prepare a frame, with half of it to spare; all in milliseconds
    this.drawing = this.encoding = this.fresh = false;
    this.reset();
  }

  reset() {
    this.answered = 0;
    this.figures.clear();
  }

  // Raises SourceError. open: a function that opens the source it is given.
  async start(open, model) {
    this.stop();
    const source = new Source(this.video, () => this.seen(), this.callbacks.onSourceEnd);
    this.source = source;
    await open(source);
    if (this.source === source) this.stream.open(model);
    else source.close(); // stopped while the visitor was asked for the camera
  }

  pause() {
    this.source?.pause();
    this.stream.close();
    this.discard();
  }

  async resume(model) {
    await this.source.play();
    this.stream.open(model);
  }

  stop() {
    this.stream.close();
    this.source?.close();
    this.source = this.png = null;
    this.next?.shot.picture.close();
    this.next = null;
    this.discard();
    this.reset();
  }

  // For good.
  end() {
    this.stop();
    this.encoder.terminate();
  }

  // Pictures of the source that got no mask, because a newer one was there.
  get passedOver() {
    const under_way = this.stream.shots.size + (this.encoding || this.ready !== null ? 1 : 0);
    return Math.max(0, (this.source?.given ?? 0) - this.answered - under_way);
  }

  seen() {
    this.fresh = true;
    this.pump();
  }

  // Send a picture where there is room, and prepare the next one in time for when there will be: late enough to be
  // new, early enough that the API need not wait for it.
  async pump() {
    const { source, stream } = this;
    if (this.ready !== null && stream.room > 0) {
      const { data, shot } = this.ready;
      this.ready = null;
      stream.send(data, shot);
    }
    if (this.encoding || this.ready !== null || !this.fresh || source === null || !stream.isOpen) return;
    const began = performance.now();
    const wait = stream.room > 0 ? 0 : this.answeredAt + this.interval - this.lead - began;
    clearTimeout(this.timer);
    if (wait > 0) {
      this.timer = setTimeout(() => this.pump(), wait);
      return;
    }
    this.fresh = false;
    this.encoding = true;
    const { at } = source;
    try {
      const { data, picture } = await this.encode(await source.picture(this.width));
      if (source === this.source && stream.isOpen) this.ready = { data, shot: { picture, at } };
      else picture.close();
      this.lead = smooth(this.lead, 1.5 * (performance.now() - began));
    } catch (error) {
      if (error.name !== "InvalidStateError") throw error; // the video was closed meanwhile
    } finally {
      this.encoding = false;
    }
    this.pump();
  }

  // The API has answered a frame, or is there at all.
  room() {
    const now = performance.now();
    this.interval = smooth(this.interval, Math.min(now - this.answeredAt, 1000));
    this.answeredAt = now;
    this.pump();
  }

  // Forget what was prepared.
  discard() {
    clearTimeout(this.timer);
    this.ready?.shot.picture.close();
    this.ready = null;
    this.fresh = false;
  }

  // The picture's JPEG, and the picture itself, which was away.
  encode(picture) {
    return new Promise((done) => {
      this.encoder.onmessage = ({ data }) => done(data);
      this.encoder.postMessage({ picture, quality: QUALITY }, [picture]);
    });
  }

  // Draws one after the other; of those that come faster than that, the newest.
  async show(answer) {
    this.answered++;
    this.next?.shot.picture.close();
    this.next = answer;
    if (this.drawing) return;
    this.drawing = true;
    try {
      while (this.next !== null) {
        const { shot, png, told } = this.next;
        this.next = null;
        await this.draw(shot, png);
        const at = performance.now();
        this.figures.add({ at, latency: at - shot.at, timings: told.timings_ms });
        this.callbacks.onShown();
      }
    } finally {
      this.drawing = false;
    }
  }

  async draw(shot, png) {
    const mask = await maskPicture(png, this.colors, this.hidden);
    paint(this.frame, shot.picture);
    paint(this.mask, mask);
    mask.close();
    shot.picture.close();
    this.png = png;
  }

  // Leave these ids of the mask that is shown, and of those to come, transparent.
  async hide(ids) {
    this.hidden = ids;
    const { png } = this;
    if (png === null) return;
    const mask = await maskPicture(png, this.colors, ids);
    if (png === this.png && ids === this.hidden) paint(this.mask, mask); // else a newer one is there
    mask.close();
  }
}

function smooth(before, now) {
  return before + (now - before) / 4;
}

function paint(canvas, picture) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "copy"; // where a mask is transparent nothing of the one before shows
  context.drawImage(picture, 0, 0);
}
