// The live page's controls. Everything happens in the browser: the page's server only passes the stream on.
import { Session } from "roadmask-live/session.js";
import { cameras, SourceError } from "roadmask-live/source.js";

const WIDTHS = [512, 768, 1024, 1536, 2048];
const REFRESH_MS = 500; // of the figures: more often nobody can read them

export default {
  template: `
    <div class="rm-live">
      <div class="rm-live-bar">
        <q-btn no-caps unelevated color="primary" icon="videocam" :label="words.camera" :loading="state === 'starting'"
          @click="startCamera" />
        <q-btn no-caps unelevated color="primary" icon="movie" :label="words.file" @click="$refs.file.click()" />
        <input ref="file" type="file" accept="video/*" class="rm-live-hidden" tabindex="-1" aria-hidden="true"
          @change="picked" />
        <template v-if="state === 'running' || state === 'paused'">
          <q-btn no-caps outline class="rm-live-plain" :icon="state === 'paused' ? 'play_arrow' : 'pause'"
            :label="state === 'paused' ? words.resume : words.pause" @click="state === 'paused' ? resume() : pause()" />
          <q-btn no-caps outline class="rm-live-plain" icon="stop" :label="words.stop" @click="stop" />
        </template>
        <span class="rm-live-state" role="status">{{ status }}</span>
      </div>
      <div v-if="problem" role="alert" class="rm-live-problem">
        <q-icon name="error_outline" size="sm" aria-hidden="true" /><span>{{ problem }}</span>
      </div>
      <div v-if="down" role="alert" class="rm-live-problem rm-live-down">
        <q-icon name="cloud_off" size="sm" aria-hidden="true" /><span>{{ down }} <br />{{ words.reconnecting }}</span>
      </div>
      <div class="rm-live-stage" @dragover.prevent @drop.prevent="dropped">
        <video ref="video" muted playsinline class="rm-live-video" tabindex="-1" aria-hidden="true"></video>
        <canvas ref="frame" v-show="shown" class="rm-live-frame" width="2" height="1" aria-hidden="true"></canvas>
        <canvas ref="mask" v-show="shown" class="rm-live-mask" width="2" height="1" role="img"
          :aria-label="words.picture" :style="{ opacity: opacity / 100 }"></canvas>
        <div v-if="!shown" class="rm-live-empty">
          <q-icon name="videocam" size="lg" aria-hidden="true" /><p>{{ state === 'idle' ? words.empty : words.waiting }}</p>
        </div>
      </div>
      <ul class="rm-live-legend" :aria-label="words.legend">
        <li v-for="{ id, name, color } in legend" :key="id"><label>
          <input type="checkbox" :checked="!hidden.includes(id)" @change="toggle(id)" />
          <span :style="{ background: color }"></span>{{ name }}
        </label></li>
      </ul>
      <div class="rm-live-options">
        <label class="rm-live-opacity"><span>{{ words.opacity }}: {{ opacity }} %</span>
          <input v-model.number="opacity" type="range" min="0" max="100" step="5" :aria-label="words.opacity"
            :aria-valuetext="opacity + ' %'" />
        </label>
        <q-select v-if="found.length > 1" v-model="camera" :options="cameraOptions" :label="words.which" emit-value
          map-options outlined dense @update:model-value="startCamera" />
        <q-select v-model="width" :options="widths" :label="words.width" emit-value map-options outlined dense
          @update:model-value="resize" />
        <q-select v-if="models.length > 1" v-model="model" :options="modelOptions" :label="words.model" emit-value
          map-options outlined dense @update:model-value="change" />
      </div>
      <dl class="rm-live-figures">
        <div v-for="{ name, value, hint } in rows" :key="name"><dt :title="hint">{{ name }}</dt><dd>{{ value }}</dd></div>
      </dl>
    </div>
  `,
  props: { words: Object, colors: Array, categories: Array, models: Array },
  data() {
    return {
      state: "idle", // starting, running, paused
      kind: null, // camera or file
      shown: false,
      problem: "",
      down: "",
      opacity: 60,
      width: 1024,
      model: "",
      camera: "", // the id of the one to use
      found: [], // cameras, once the visitor has allowed one
      hidden: [],
      figures: {},
    };
  },
  computed: {
    status() {
      return { running: this.words.running, paused: this.words.paused, starting: this.words.starting }[this.state] ?? "";
    },
    legend() {
      const rows = this.categories.map((name, id) => ({ id, name, color: `rgb(${this.colors[id].join(",")})` }));
      return rows.slice(1); // void is never predicted
    },
    cameraOptions() {
      return this.found.map(({ id, name }) => ({ value: id, label: name }));
    },
    widths() {
      return WIDTHS.map((value) => ({ value, label: `${value} px` }));
    },
    modelOptions() {
      return [{ value: "", label: this.words.default_model }, ...this.models.map((value) => ({ value, label: value }))];
    },
    rows() {
      const { rate, median, p90, passedOver, given, timings = {} } = this.figures;
      const ms = (value) => (value == null ? "–" : `${this.number(value, value < 10 ? 1 : 0)} ms`);
      const share = given ? ` (${this.number((100 * passedOver) / given, 0)} %)` : "";
      const { words } = this;
      return [
        { name: words.rate, value: rate == null ? "–" : this.number(rate, 1), hint: words.rate_hint },
        { name: words.latency, value: ms(median), hint: words.latency_hint },
        { name: words.latency_p90, value: ms(p90), hint: words.latency_hint },
        {
          name: words.passed_over,
          value: passedOver == null ? "–" : this.number(passedOver, 0) + share,
          hint: words.passed_over_hint,
        },
        ...Object.entries(words.stages).map(([stage, name]) => ({
          name,
          value: ms(timings[stage]),
          hint: words.stages_hint,
        })),
      ];
    },
  },
  created() {
    this.turn = 0; // of starts and stops: what an older one brings is no news
  },
  mounted() {
    this.session = new Session({
      video: this.$refs.video,
      frame: this.$refs.frame,
      mask: this.$refs.mask,
      colors: this.colors,
      callbacks: {
        onShown: () => {
          if (this.state === "idle") return; // stopped while it was being drawn
          this.shown = true;
          this.down = this.problem = "";
        },
        onDown: (told) => (this.down = this.sentence(told)),
        onRefused: (sentence) => (this.problem = sentence),
        onSourceEnd: (key) => this.fail(this.words[key]),
      },
    });
    this.$refs.video.muted = true; // Vue sets the attribute only, which counts when the element is made
    this.look = () => this.found.length && this.findCameras();
    navigator.mediaDevices?.addEventListener?.("devicechange", this.look);
    this.refresh = setInterval(() => this.measure(), REFRESH_MS);
  },
  unmounted() {
    clearInterval(this.refresh);
    navigator.mediaDevices?.removeEventListener?.("devicechange", this.look);
    this.session.end();
  },
  methods: {
    number(value, digits) {
      const style = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      return value.toLocaleString(document.documentElement.lang, style);
    },
    measure() {
      if (this.state !== "running") return;
      const { session } = this;
      const counts = { passedOver: session.passedOver, given: session.source.given };
      this.figures = { ...session.figures.summary(performance.now()), ...counts };
    },
    async startCamera() {
      await this.start("camera", (source) => source.openCamera(this.camera));
      if (this.state === "running") await this.findCameras();
    },
    async findCameras() {
      this.found = await cameras();
      const { source } = this.session;
      if (this.kind === "camera" && source?.cameraId) this.camera = source.cameraId;
      else if (!this.found.some(({ id }) => id === this.camera)) this.camera = ""; // it was taken away
    },
    toggle(id) {
      this.hidden = this.hidden.includes(id) ? this.hidden.filter((other) => other !== id) : [...this.hidden, id];
      this.session.hide(this.hidden);
    },
    startFile(file) {
      if (file) return this.start("file", (source) => source.openFile(file), file.name);
    },
    async start(kind, open, name = "") {
      const turn = ++this.turn;
      this.problem = this.down = "";
      this.state = "starting";
      this.kind = kind;
      this.figures = {};
      this.session.width = this.width;
      try {
        await this.session.start(open, this.model);
        if (turn === this.turn && this.session.source !== null) this.state = "running";
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
        if (turn !== this.turn) return; // what was started after it goes on
        this.camera = ""; // a camera that was chosen may be gone for good
        this.fail(this.words[error.key].replace("{file}", name));
      }
    },
    fail(sentence) {
      this.stop();
      this.problem = sentence;
    },
    pause() {
      if (this.kind === "camera") this.session.stop(); // the camera is free, the last picture stays
      else this.session.pause();
      this.down = "";
      this.state = "paused";
    },
    async resume() {
      if (this.kind === "camera") return this.startCamera();
      await this.session.resume(this.model);
      this.state = "running";
    },
    stop() {
      this.turn++;
      this.session.stop();
      this.down = "";
      this.state = "idle";
      this.shown = false;
      this.figures = {};
    },
    resize(width) {
      this.session.width = width;
    },
    change(model) {
      if (this.state === "running") this.session.stream.open(model);
    },
    picked(event) {
      this.startFile(event.target.files[0]);
      event.target.value = ""; // or the same file could not be picked again
    },
    dropped(event) {
      this.startFile(event.dataTransfer.files[0]);
    },
    // What happened to the stream, in the API's words where it has some.
    sentence({ code, reason, said, status }) {
      const { words } = this;
      if (said && code !== 1012) return said;
      if (reason) return words[reason].replace("{status}", status);
      if (code === 1012) return words.restarting;
      return code === 1014 ? words.unreachable : words.lost;
    },
  },
};
