// A place that takes one image file, by drop, click or paste, and sends it to the page's server.

const SIGNATURES = [/^\xff\xd8\xff/, /^\x89PNG/, /^RIFF[^]{4}WEBP/, /^BM/, /^II\*\0/, /^MM\0\*/];

// Bytes tell more than a name or a type: both are only what somebody called the file.
async function looksLikeImage(file) {
  try {
    const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
    return SIGNATURES.some((signature) => signature.test(head));
  } catch {
    return false; // a folder, or a file that was taken away
  }
}

const KEPT = 8; // addresses of files: as many as somebody can give before the server has told what to show

const fill = (sentence, told) => sentence.replace(/\{(\w+)\}/g, (_, name) => told[name]);
const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0);
const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");

export default {
  template: `
    <div class="rm-chooser" :class="{ 'rm-chooser-over': over }" role="group" :aria-label="label">
      <input ref="input" type="file" hidden accept="image/*,.tif,.tiff" :aria-label="label" @change="picked" />
      <div class="rm-chooser-row">
        <button type="button" class="rm-button rm-button-main" @click="$refs.input.click()">
          <q-icon name="add_photo_alternate" size="1.4em" aria-hidden="true" />
          <span>{{ label }}<span class="rm-hidden">: {{ words.choose }}</span></span>
        </button>
        <span class="rm-chooser-hint">{{ over ? words.drop : whole_page ? words.hint : words.hint_here }}</span>
      </div>
      <div class="rm-chooser-state" aria-live="polite">
        <template v-if="sending">{{ sending }}<progress :value="sent" max="1" :aria-label="sending"></progress></template>
      </div>
      <div role="alert"><div v-if="refused" class="rm-notice">{{ refused }}</div></div>
    </div>`,
  props: { label: String, action: String, words: Object, max_bytes: Number, whole_page: Boolean },
  data() {
    return { over: false, refused: "", sending: "", sent: 0 };
  },
  mounted() {
    this.kept = [];
    this.turn = 0;
    this.listening = new AbortController();
    const listen = (kind, handler) => window.addEventListener(kind, handler, { signal: this.listening.signal });
    listen("dragover", this.dragged);
    listen("dragleave", (event) => event.relatedTarget === null && (this.over = false));
    listen("drop", this.dropped);
    listen("paste", this.pasted);
  },
  unmounted() {
    this.listening.abort();
    this.leave();
    this.kept.forEach(URL.revokeObjectURL);
  },
  methods: {
    mine(event) {
      return this.whole_page || this.$el.contains(event.target);
    },
    dragged(event) {
      if (!hasFiles(event)) return;
      event.preventDefault(); // beside the place, too: a browser would leave the page for the file
      this.over = this.mine(event);
    },
    dropped(event) {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.over = false;
      if (this.mine(event)) this.choose([...event.dataTransfer.files]);
    },
    pasted(event) {
      const files = [...(event.clipboardData?.files || [])];
      if (files.length && this.mine(event)) this.choose(files);
    },
    picked() {
      const files = [...this.$refs.input.files];
      this.$refs.input.value = ""; // so that the same file can be chosen again
      this.choose(files);
    },
    refuse(sentence) {
      this.refused = sentence;
    },
    async choose(files) {
      if (!files.length) return;
      const turn = ++this.turn;
      performance.mark("roadmask:chosen");
      const [file] = files;
      const told = { name: file.name, count: files.length, size: megabytes(file.size), limit: megabytes(this.max_bytes) };
      let wrong = "";
      if (files.length > 1) wrong = "several";
      else if (file.size > this.max_bytes) wrong = "huge";
      else if (!(await looksLikeImage(file))) wrong = file.size ? "no_image" : "empty";
      if (turn !== this.turn) return; // a newer file came meanwhile
      this.refused = wrong && fill(this.words[wrong], told);
      if (!wrong) this.send(file);
    },
    leave() {
      const request = this.request;
      this.request = null; // its end is no news
      request?.abort();
    },
    send(file) {
      this.leave();
      const url = URL.createObjectURL(file);
      this.kept.push(url);
      // The page may still show one before, or be about to; what is older holds memory for nothing.
      while (this.kept.length > KEPT) URL.revokeObjectURL(this.kept.shift());
      const request = (this.request = new XMLHttpRequest()); // fetch tells no progress
      const told = (percent) => fill(this.words.sending, { name: file.name, percent });
      request.upload.onprogress = (event) => {
        this.sent = event.loaded / Math.max(event.total, 1);
        this.sending = told(Math.round(100 * this.sent));
      };
      request.onloadend = () => {
        if (request !== this.request) return;
        this.sending = "";
        if (request.status !== 204) this.refused = fill(this.words.unsent, { name: file.name });
      };
      request.open("POST", `${window.path_prefix}${this.action}?${new URLSearchParams({ name: file.name, url })}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.send(file);
    },
  },
};
