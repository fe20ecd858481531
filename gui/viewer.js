// An image with its mask over or beside it. The server gives two addresses; decoding, colouring and drawing happen here.

import { overlay, paintMask, readMask } from "roadmask/mask.js";

const LARGEST = 40; // times
const NARROWEST = 1 / 20; // of width to height, and of height to width: beyond, a picture is stretched to be seen at all
const within = (value, low, high) => Math.min(Math.max(value, low), high);

// Addresses that a server gives to `src` carry the prefix of a sub-path already, see Pictures.
export default {
  template: `
    <div class="rm-viewer" :data-drawn="drawn">
      <div v-if="controls" class="rm-bar">
        <div class="rm-group" role="group" :aria-label="words.modes">
          <button v-for="name in ['swipe', 'overlay', 'beside']" :key="name" type="button" class="rm-button"
            :aria-pressed="shownMode === name" @click="shownMode = name">{{ words[name] }}</button>
        </div>
        <label class="rm-opacity">
          <span>{{ words.opacity }}</span>
          <input type="range" min="0" max="100" :value="percent" :disabled="shownMode === 'beside'"
            @input="percent = Number($event.target.value)" />
          <output>{{ percent }} %</output>
        </label>
        <div class="rm-group" role="group" :aria-label="words.zoom">
          <button v-for="[icon, name, act] in zooms" :key="name" type="button" class="rm-button" :title="words[name]"
            :aria-label="words[name]" @click="act"><q-icon :name="icon" size="1.3em" aria-hidden="true" /></button>
        </div>
      </div>
      <div ref="view" class="rm-view" :class="{ 'rm-view-zoomed': zoom > 1, 'rm-view-sharp': sharp }"
        :data-mode="shownMode" :style="{ '--ratio': ratio }" role="application" tabindex="0"
        :aria-label="(label ? label + '. ' : '') + words.view"
        @wheel="wheeled" @pointerdown="pressed" @pointermove="moved" @pointerup="released" @pointercancel="released"
        @pointerleave="touching.size || (probe = null)" @keydown="typed" @blur="probe = null">
        <div class="rm-pane"><div class="rm-stage" :style="stage">
          <img v-if="image && !unshown" ref="image" :src="image" :alt="label" draggable="false"
            @load="loaded" @error="failed" />
        </div></div>
        <div class="rm-pane rm-pane-mask" :style="maskStyle"><div class="rm-stage" :style="stage">
          <canvas v-show="drawn" ref="canvas"></canvas>
        </div></div>
        <p v-if="unshown" class="rm-view-words">{{ words.waiting }}</p>
        <div v-if="shownMode === 'swipe' && drawn" class="rm-divider" role="slider" tabindex="0"
          aria-orientation="horizontal" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="Math.round(at)"
          :aria-label="words.divider" :style="{ left: at + '%' }" @keydown.stop="nudged">
          <span></span>
        </div>
        <template v-if="probe && found !== null">
          <div class="rm-cross" v-if="probe.keys" :style="place"></div>
          <div class="rm-tip" :class="{ 'rm-tip-left': probe.x > 0.6, 'rm-tip-up': probe.y > 0.7 }" :style="place"
            aria-hidden="true"><i :style="{ background: 'rgb(' + colors[found] + ')' }"></i>{{ names[found] }}</div>
        </template>
      </div>
      <div class="rm-hidden" aria-live="polite">{{ probe && found !== null ? names[found] : "" }}</div>
    </div>`,
  props: {
    image: String,
    mask: String,
    colors: Array,
    names: Array,
    hidden: Array,
    mode: String,
    opacity: Number,
    swipe: Number,
    controls: Boolean,
    label: String,
    words: Object,
  },
  emits: ["unshown"],
  data() {
    return {
      shownMode: this.mode,
      percent: Math.round(100 * this.opacity),
      at: this.swipe,
      size: null, // of the image or the mask, whichever came first
      zoom: 1,
      x: 0, // of the stage in its pane; both as shares of the pane, so that nothing changes with the window
      y: 0,
      drawn: "",
      unshown: false,
      sharp: false,
      held: false, // the divider
      probe: null, // where a category is asked for: shares of the pane, its left and top in the view, by keys or not
      touching: new Map(), // pointers that are down
    };
  },
  computed: {
    ratio() {
      return this.size ? within(this.size.width / this.size.height, NARROWEST, 1 / NARROWEST) : 2;
    },
    stage() {
      return { transform: `translate(${100 * this.x}%, ${100 * this.y}%) scale(${this.zoom})` };
    },
    maskStyle() {
      if (this.shownMode === "beside") return {};
      const cut = this.shownMode === "swipe" ? { clipPath: `inset(0 0 0 ${this.at}%)` } : {};
      return { opacity: this.percent / 100, ...cut };
    },
    place() {
      return { left: `${this.probe.left}px`, top: `${this.probe.top}px` };
    },
    zooms() {
      return [
        ["zoom_in", "zoom_in", () => this.zoomBy(1.5)],
        ["zoom_out", "zoom_out", () => this.zoomBy(1 / 1.5)],
        ["fit_screen", "zoom_fit", this.fit],
      ];
    },
    // The id under the probe; null beside the picture and without a mask.
    found() {
      if (!this.drawn || !this.probe) return null;
      const { width, height, ids } = this.read;
      const column = Math.floor(((this.probe.x - this.x) / this.zoom) * width);
      const row = Math.floor(((this.probe.y - this.y) / this.zoom) * height);
      return column < 0 || row < 0 || column >= width || row >= height ? null : ids[row * width + column];
    },
  },
  created() {
    this.read = null; // no part of the data above: nothing need watch two million ids
  },
  mounted() {
    this.draw();
  },
  watch: {
    mode(mode) {
      this.shownMode = mode;
    },
    swipe(at) {
      this.at = at;
    },
    image() {
      this.unshown = false;
    },
    mask() {
      this.draw();
    },
    hidden() {
      this.paint();
    },
    colors() {
      this.paint();
    },
    zoom() {
      this.sharpen();
    },
    shownMode() {
      this.$nextTick(this.sharpen);
    },
  },
  methods: {
    sized(width, height) {
      if (this.size && this.size.width === width && this.size.height === height) return;
      this.size = { width, height };
      this.fit();
    },
    loaded(event) {
      this.sized(event.target.naturalWidth, event.target.naturalHeight);
    },
    failed() {
      this.unshown = true;
      this.$emit("unshown", "image");
    },
    async draw() {
      const url = this.mask;
      this.drawn = ""; // an old mask over a new image would be a lie
      this.read = null;
      if (!url) return;
      try {
        const read = await readMask(url);
        if (url !== this.mask) return; // another one came meanwhile
        this.read = read;
        this.sized(read.width, read.height);
        this.paint();
        this.drawn = url;
        // The second frame after the change begins when the first is on the screen.
        requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("roadmask:drawn")));
      } catch {
        if (url === this.mask) this.$emit("unshown", "mask");
      }
    },
    paint() {
      if (this.read) paintMask(this.$refs.canvas, this.read, this.colors, this.hidden);
    },

    // What is seen, zoom and divider aside, as a JPEG of the picture's own size that the browser saves.
    async save(name) {
      const { image } = this.$refs;
      if (!this.read || !image) return;
      await image.decode();
      if (!this.read) return; // another picture came meanwhile
      const jpeg = await overlay(image, this.read, this.colors, this.hidden, this.percent / 100);
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(jpeg), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000); // by then the browser has it
    },

    // Zoom and position. A point is a pair of shares of the pane.
    zoomBy(factor, [u, v] = [0.5, 0.5]) {
      const zoom = within(this.zoom * factor, 1, LARGEST);
      this.put(u - ((u - this.x) * zoom) / this.zoom, v - ((v - this.y) * zoom) / this.zoom, zoom);
    },
    put(x, y, zoom = this.zoom) {
      this.zoom = zoom;
      this.x = within(x, 1 - zoom, 0);
      this.y = within(y, 1 - zoom, 0);
    },
    fit() {
      this.put(0, 0, 1);
    },
    // Single pixels are shown as they are once they are large; smaller ones are smoothed.
    sharpen() {
      const pane = this.$refs.view?.querySelector(".rm-pane");
      this.sharp = Boolean(pane && this.size) && (this.zoom * pane.clientWidth) / this.size.width > 1.5;
    },
    // Where an event is: in its pane as shares, in the view in CSS pixels.
    point(event) {
      const panes = [...this.$refs.view.querySelectorAll(".rm-pane")].map((pane) => pane.getBoundingClientRect());
      const inside = (box) =>
        event.clientX >= box.left && event.clientX < box.right && event.clientY >= box.top && event.clientY < box.bottom;
      const box = panes.find(inside) || panes[0];
      const view = this.$refs.view.getBoundingClientRect();
      return {
        x: (event.clientX - box.left) / box.width,
        y: (event.clientY - box.top) / box.height,
        left: event.clientX - view.left,
        top: event.clientY - view.top,
      };
    },
    wheeled(event) {
      const zoom = this.zoom;
      const { x, y } = this.point(event);
      // Lines and pages are what some mice count in.
      const turned = event.deltaY * [1, 30, 300][event.deltaMode];
      this.zoomBy(Math.exp(-within(turned, -300, 300) / 400), [x, y]);
      if (zoom !== this.zoom) event.preventDefault(); // at its smallest the picture lets the page scroll on
      this.probe = this.point(event);
    },
    pressed(event) {
      if (event.button) return;
      this.touching.set(event.pointerId, this.point(event));
      // A second finger means a pinch, wherever the first one lies.
      this.held = this.touching.size === 1 && event.target.closest(".rm-divider") !== null;
      if (this.held || this.zoom > 1 || this.touching.size > 1) event.currentTarget.setPointerCapture(event.pointerId);
    },
    moved(event) {
      const now = this.point(event);
      const before = this.touching.get(event.pointerId);
      if (this.held) {
        const view = this.$refs.view.getBoundingClientRect();
        this.at = within((100 * (event.clientX - view.left)) / view.width, 0, 100);
      } else if (before && this.touching.size === 1 && this.zoom > 1) {
        this.put(this.x + now.x - before.x, this.y + now.y - before.y);
      } else if (before && this.touching.size === 2) {
        this.pinched(event.pointerId, before, now);
      }
      if (before) this.touching.set(event.pointerId, now);
      this.probe = now;
    },
    pinched(id, before, now) {
      const [other] = [...this.touching].filter(([key]) => key !== id).map(([, point]) => point);
      const apart = (point) => Math.hypot(point.left - other.left, point.top - other.top);
      this.zoomBy(apart(now) / Math.max(apart(before), 1), [(now.x + other.x) / 2, (now.y + other.y) / 2]);
      this.put(this.x + (now.x - before.x) / 2, this.y + (now.y - before.y) / 2);
    },
    released(event) {
      this.touching.delete(event.pointerId);
      this.held = false;
      if (event.pointerType === "touch" && event.type === "pointercancel") this.probe = null; // the page scrolls
    },

    // Keys: the cross goes where a mouse would, and takes the picture along at the border.
    typed(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const way = ways[event.key];
      const middle = this.probe ? [this.probe.x, this.probe.y] : undefined;
      if (way) this.step(way, event.shiftKey ? 0.1 : 0.02);
      else if (event.key === "+" || event.key === "=") this.zoomBy(1.5, middle);
      else if (event.key === "-") this.zoomBy(1 / 1.5, middle);
      else if (event.key === "0") this.fit();
      else if (event.key === "Escape") this.probe = null;
      else return;
      event.preventDefault();
    },
    step([right, down], by) {
      const from = this.probe || { x: 0.5, y: 0.5 };
      const x = this.probe ? from.x + right * by : from.x;
      const y = this.probe ? from.y + down * by : from.y;
      const kept = { x: within(x, 0.02, 0.98), y: within(y, 0.02, 0.98) };
      this.put(this.x - (x - kept.x), this.y - (y - kept.y));
      const pane = this.$refs.view.querySelector(".rm-pane");
      this.probe = { ...kept, left: kept.x * pane.clientWidth, top: kept.y * pane.clientHeight, keys: true };
    },

    nudged(event) {
      const by = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };
      if (!(event.key in by)) return;
      event.preventDefault();
      this.at = within(this.at + by[event.key], 0, 100);
    },
  },
};
