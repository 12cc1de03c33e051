// Sends the notes of what is heard to a MIDI port of the user's choice; the page itself is silent then.
import { listed, opening } from "musae-studio";

const LOOK = 40; // milliseconds between two looks at what is due
const AHEAD = 0.15; // seconds that notes are sent before they are due
const HIDDEN = 2.0; // the same where the browser looks but once a second: in a page that is not seen

const key = (bytes) => `${bytes[0] & 15},${bytes[1]}`; // of a note

export default {
  mixins: [opening],
  template: `
    <div class="port" role="group" aria-label="MIDI port">
      <button v-if="!access" type="button" @click="open">Send to a MIDI port</button>
      <label v-else>Sound
        <select v-model="chosen">
          <option value="">of this page</option>
          <option v-for="port in outputs" :value="port.id">{{ port.name }}</option>
        </select>
      </label>
      <span class="note" role="status">{{ words }}</span>
    </div>`,
  props: { address: String },
  data: () => ({ outputs: [], chosen: "" }),
  watch: {
    address: "load",
    chosen(now) {
      this.silence();
      this.port = this.outputs.find((port) => port.id === now) || null;
      this.audio.muted = Boolean(this.port);
      this.words = "";
      this.load();
    },
  },
  mounted() {
    this.events = [];
    this.held = new Map(); // notes that have no end yet, and when they begin
    this.audio = this.$el.closest(".player").querySelector("audio");
    this.listeners = { playing: this.start, seeked: this.start, seeking: this.silence, pause: this.silence, ended: this.silence };
    for (const [name, does] of Object.entries(this.listeners)) this.audio.addEventListener(name, does);
    window.addEventListener("pagehide", this.silence);
  },
  unmounted() {
    this.silence();
    for (const [name, does] of Object.entries(this.listeners)) this.audio.removeEventListener(name, does);
    window.removeEventListener("pagehide", this.silence);
    this.audio.muted = false;
  },
  methods: {
    look_for_ports() {
      this.outputs = listed(this.midi.outputs.values());
      this.words = this.outputs.length ? "" : "There is no MIDI port: connect an instrument, or open a port in another program.";
      if (this.chosen && !this.outputs.some((port) => port.id === this.chosen)) {
        this.chosen = "";
        this.$nextTick(() => (this.words = "The MIDI port has gone: the sound is of this page again."));
      }
    },
    // Only for who plays on a port.
    async load() {
      this.silence();
      this.events = [];
      if (!this.port || !this.address) return;
      const address = this.address;
      try {
        const reply = await fetch((window.path_prefix || "") + address);
        if (!reply.ok) throw new Error(await reply.text());
        const events = await reply.json();
        if (address !== this.address) return;
        this.events = events;
        this.start();
      } catch (error) {
        if (address === this.address) this.words = `Nothing for the MIDI port: ${error.message}`;
      }
    },
    start() {
      if (this.timer || !this.port || this.audio.paused || this.audio.seeking) return;
      const place = this.audio.currentTime;
      const next = this.events.findIndex(([second]) => second >= place);
      this.next = next < 0 ? this.events.length : next;
      this.last = 0;
      // What holds here from before: programs, and notes that have not ended.
      const before = new Map();
      for (const [second, bytes] of this.events.slice(0, this.next)) {
        const kind = bytes[0] >> 4;
        if (kind === 8) before.delete(key(bytes));
        else before.set(kind === 9 ? key(bytes) : `program ${bytes[0]}`, [second, bytes]);
      }
      for (const event of before.values()) this.pass(event, place);
      this.timer = setInterval(this.send, LOOK);
      this.send();
    },
    send() {
      const place = this.audio.currentTime;
      const until = place + (document.hidden ? HIDDEN : AHEAD);
      for (; this.next < this.events.length && this.events[this.next][0] < until; this.next++)
        this.pass(this.events[this.next], place);
    },
    // The position is read anew each time, and not exactly: no message may come before one that was sent earlier.
    pass([second, bytes], place) {
      const now = performance.now();
      this.last = Math.max(now, now + (second - place) * 1000, this.last);
      if (bytes[0] >> 4 === 9) this.held.set(key(bytes), this.last);
      if (bytes[0] >> 4 === 8) this.held.delete(key(bytes));
      this.output()?.send(bytes, this.last);
    },
    // One that was pulled out would throw.
    output() {
      const port = this.port && this.midi.outputs.get(this.port.id);
      return port?.state === "disconnected" ? undefined : port;
    },
    // A note that was sent ahead ends as soon as it begins: what plays from another position is not to end with it.
    silence() {
      if (!this.timer) return;
      clearInterval(this.timer);
      this.timer = undefined;
      const port = this.output();
      if (port) {
        const now = performance.now();
        for (const [note, begun] of this.held) {
          const [channel, pitch] = note.split(",").map(Number);
          port.send([0x80 | channel, pitch, 0], Math.max(now, begun + 1));
        }
        for (const channel of new Set(this.events.map(([, bytes]) => bytes[0] & 15))) port.send([0xb0 | channel, 123, 0], now);
      }
      this.held.clear();
    },
  },
};
