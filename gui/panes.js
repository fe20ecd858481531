// Pictures of one frame side by side, zoomed, moved and pointed at together.
// The values of masks and differences are painted in the page's own colours.

import { paintMask, readMask } from "roadmask/mask.js";

const LARGEST = 32; // times
const NARROWEST = 1 / 4; // of width to height: beyond, pictures are stretched, so that both rows can be seen
const WIDEST = 20;
const within = (value, low, high) => Math.min(high, Math.max(low, value));

// 1 where two masks agree, 2 where they do not: as in a difference map.
function verdictOf(first, second) {
  if (first.width !== second.width || first.height !== second.height) throw new Error("sizes differ");
  return { ...first, ids: first.ids.map((id, i) => (id === second.ids[i] ? 1 : 2)) };
}

export default {
  template: `
    <div class="rm-sides" :data-state="state">
      <div class="rm-sides-bar">
        <div class="rm-group" role="group" :aria-label="words.zoom">
          <button type="button" class="rm-button" :aria-label="words.closer" :title="words.closer" @click="zoom(1.5)">+</button>
          <button type="button" class="rm-button" :aria-label="words.farther" :title="words.farther" @click="zoom(1 / 1.5)">−</button>
          <button type="button" class="rm-button" :aria-label="words.whole + ': ' + percent" :title="words.whole" @click="whole">{{ percent }}</button>
        </div>
        <output class="rm-sides-told" :aria-live="byKey ? 'polite' : 'off'">{{ told || words.hint }}</output>
      </div>
      <div class="rm-sides-grid" role="group" tabindex="0" :aria-label="words.label" @keydown="onKey">
        <figure v-for="pane in panes" :key="pane.key" class="rm-side">
          <figcaption>{{ pane.title }}</figcaption>
          <div class="rm-side-view" :class="{ 'rm-side-near': scale > 1 }" @wheel="onWheel" @pointerdown="onDown"
               @pointermove="onMove" @pointerup="onUp" @pointercancel="onUp" @pointerleave="onLeave">
            <img v-if="pane.kind === 'image' && pane.url" :src="pane.url" :alt="pane.alt" :data-pane="pane.key"
                 :style="placed" draggable="false" @load="unmark(pane.key)" @error="unshown(pane)" />
            <canvas v-else :ref="(element) => keep(pane.key, element)" :data-pane="pane.key" role="img"
                    :aria-label="pane.alt" :style="placed"></canvas>
            <template v-if="probe">
              <i class="rm-side-row" :style="{ top: (probe.y - y) * scale * 100 + '%' }"></i>
              <i class="rm-side-column" :style="{ left: (probe.x - x) * scale * 100 + '%' }"></i>
            </template>
            <p v-if="failed[pane.key]" class="rm-side-failed">{{ words.failed }}</p>
          </div>
        </figure>
      </div>
    </div>`,
  props: { panes: Array, categories: Array, verdicts: Array, words: Object },
  emits: ["measured", "unshown"],
  data() {
    // x and y: the view's left upper corner, as shares of the picture; probe: the point that is looked at, likewise.
    return { scale: 1, x: 0, y: 0, ratio: "auto", probe: null, byKey: false, failed: {}, state: "loading" };
  },
  created() {
    // Beside Vue: it must not watch millions of pixels.
    this.canvases = {};
    this.masks = {};
    this.pointers = new Map();
  },
  async mounted() {
    const masks = this.panes.filter((pane) => pane.kind !== "image");
    await Promise.all(masks.filter((pane) => pane.url).map((pane) => this.guarded(pane, this.load)));
    for (const pane of masks.filter((pane) => !pane.url)) await this.guarded(pane, this.derive);
    this.state = "done";
  },
  computed: {
    placed() {
      const transform = `translate(${-this.x * this.scale * 100}%, ${-this.y * this.scale * 100}%) scale(${this.scale})`;
      return { transform, aspectRatio: this.ratio };
    },
    percent() {
      return `${Math.round(this.scale * 100)} %`;
    },
    told() {
      const size = Object.values(this.masks)[0];
      if (this.state !== "done" || !this.probe || !size) return "";
      const column = Math.min(size.width - 1, Math.floor(this.probe.x * size.width));
      const row = Math.min(size.height - 1, Math.floor(this.probe.y * size.height));
      const parts = this.panes
        .filter((pane) => this.masks[pane.key])
        .map((pane) => {
          const index = this.masks[pane.key].ids[row * size.width + column];
          return `${pane.title}${this.words.colon}${this.coding(pane).names[index]}`;
        });
      return [`x ${column}, y ${row}`, ...parts].join(" · ");
    },
  },
  methods: {
    keep(key, element) {
      this.canvases[key] = element;
    },
    coding(pane) {
      const rows = pane.kind === "mask" ? this.categories : this.verdicts;
      return {
        shown: rows.map((row) => row.shown),
        names: rows.map((row) => row.name),
      };
    },
    async guarded(pane, work) {
      try {
        await work(pane);
      } catch {
        this.failed[pane.key] = true;
      }
    },
    // The page's server may know another address for it.
    unshown(pane) {
      this.failed[pane.key] = true;
      this.$emit("unshown", pane.key);
    },
    unmark(key) {
      delete this.failed[key];
    },
    async load(pane) {
      this.show(pane, await readMask(pane.url));
    },
    show(pane, mask) {
      const canvas = this.canvases[pane.key];
      if (!canvas) return; // the page went on meanwhile
      const { shown } = this.coding(pane);
      this.masks[pane.key] = mask;
      this.ratio = within(mask.width / mask.height, NARROWEST, WIDEST);
      paintMask(canvas, mask, shown.map((color) => color || [0, 0, 0]), shown.flatMap((color, id) => (color ? [] : [id])));
    },
    derive(pane) {
      const mask = verdictOf(...pane.of.map((key) => this.masks[key]));
      this.show(pane, mask);
      const differing = mask.ids.reduce((count, verdict) => count + (verdict === 2), 0);
      this.$emit("measured", { differing, pixels: mask.ids.length });
    },
    place(x, y) {
      const most = 1 - 1 / this.scale;
      this.x = within(x, 0, most);
      this.y = within(y, 0, most);
    },
    // Zooms about a point of the picture, which stays where it is on the screen.
    zoom(factor, about = this.probe || { x: this.x + 0.5 / this.scale, y: this.y + 0.5 / this.scale }) {
      const before = this.scale;
      this.scale = within(before * factor, 1, LARGEST);
      const kept = before / this.scale;
      this.place(about.x - (about.x - this.x) * kept, about.y - (about.y - this.y) * kept);
    },
    whole() {
      this.scale = 1;
      this.place(0, 0);
    },
    at(event) {
      const box = event.currentTarget.getBoundingClientRect();
      const x = this.x + (event.clientX - box.left) / box.width / this.scale;
      const y = this.y + (event.clientY - box.top) / box.height / this.scale;
      return { x: within(x, 0, 1), y: within(y, 0, 1), box };
    },
    onWheel(event) {
      if (!event.ctrlKey) return; // the page's own: the pictures fill a screen, and would hold the visitor fast
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), this.at(event));
    },
    onDown(event) {
      event.currentTarget.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      this.look(event);
    },
    onMove(event) {
      const last = this.pointers.get(event.pointerId);
      if (last) {
        const { box } = this.at(event);
        const before = this.spread();
        this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
        if (this.pointers.size === 2) this.zoom(this.spread() / before, this.at(event));
        else {
          const dx = (event.clientX - last[0]) / box.width / this.scale;
          this.place(this.x - dx, this.y - (event.clientY - last[1]) / box.height / this.scale);
        }
      }
      this.look(event);
    },
    onUp(event) {
      this.pointers.delete(event.pointerId);
    },
    onLeave(event) {
      if (event.pointerType === "mouse" && !this.pointers.size) this.probe = null; // a finger leaves its point behind
    },
    spread() {
      const [first, second] = [...this.pointers.values()];
      return second ? Math.max(1, Math.hypot(first[0] - second[0], first[1] - second[1])) : 1;
    },
    look(event) {
      this.byKey = false;
      const { x, y } = this.at(event);
      this.probe = { x, y };
    },
    onKey(event) {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const actions = { "+": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: this.whole, Escape: () => (this.probe = null) };
      if (event.ctrlKey || event.metaKey || event.altKey || !(moves[event.key] || actions[event.key])) return;
      event.preventDefault();
      if (actions[event.key]) return actions[event.key]();
      const from = this.probe || { x: this.x + 0.5 / this.scale, y: this.y + 0.5 / this.scale };
      const [x, y] = ["x", "y"].map((axis, i) => {
        const to = from[axis] + (moves[event.key][i] * (event.shiftKey ? 0.05 : 0.01)) / this.scale;
        return within(to, 0, 1);
      });
      this.byKey = true;
      this.probe = { x, y };
      // The view follows the point out of its frame.
      const follow = (corner, point) => within(corner, point - 1 / this.scale, point);
      this.place(follow(this.x, x), follow(this.y, y));
    },
  },
};
