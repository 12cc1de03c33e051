// A melody that is played on a MIDI port, to a click, becomes a file that the studio takes like any other.
import { bring, file, listed, opening } from "musae-studio";

const LONGEST = 600; // seconds
const FASTEST = 10000; // notes
const CLICK = 0.03; // seconds

export default {
  mixins: [opening],
  template: `
    <div class="recorder" role="group" :aria-label="'Record ' + label">
      <button v-if="!access" type="button" @click="open">Record from MIDI</button>
      <template v-else>
        <label>Port
          <select v-model="chosen" :disabled="recording">
            <option v-for="port in inputs" :value="port.id">{{ port.name }}</option>
          </select>
        </label>
        <label>Beats a minute
          <input type="number" min="30" max="300" v-model.number="tempo" :disabled="recording" />
        </label>
        <button type="button" :disabled="!inputs.length" @click="recording ? stop() : start()">
          {{ recording ? "Stop" : "Record" }}
        </button>
      </template>
      <span class="note" role="status">{{ words }}</span>
    </div>`,
  props: { label: String },
  emits: ["file", "refusal"],
  data: () => ({ inputs: [], chosen: "", tempo: 100, recording: false }),
  unmounted() {
    this.quiet();
  },
  methods: {
    look_for_ports() {
      this.inputs = listed(this.midi.inputs.values());
      const there = this.inputs.some((port) => port.id === this.chosen);
      if (this.recording && !there) this.stop();
      if (!there) this.chosen = this.inputs.length ? this.inputs[0].id : "";
      if (!this.recording) this.words = this.inputs.length ? "" : "There is no MIDI port: connect an instrument.";
    },
    async start() {
      if (!(this.tempo >= 30 && this.tempo <= 300)) {
        this.words = `Beats a minute are ${this.tempo || "missing"}, must be from 30 to 300.`;
        return;
      }
      this.notes = [];
      this.sounding = new Map();
      this.port = this.midi.inputs.get(this.chosen);
      this.port.onmidimessage = (event) => this.hear(event);
      this.recording = true;
      this.begun = performance.now();
      this.words = "Recording: play to the click.";
      this.limit = setTimeout(() => this.stop(), LONGEST * 1000);
      this.click();
    },
    // The click is the beat to which the file is written; a page without sound records without it.
    click() {
      const beat = 60 / this.tempo;
      this.sound = new AudioContext();
      let next = 0;
      const ahead = () => {
        for (; next * beat < this.sound.currentTime + 1.5; next++) {
          const tone = this.sound.createOscillator();
          tone.frequency.value = 1200;
          const loud = new GainNode(this.sound, { gain: 0.15 });
          tone.connect(loud).connect(this.sound.destination);
          tone.start(next * beat);
          tone.stop(next * beat + CLICK);
        }
      };
      ahead();
      this.timer = setInterval(ahead, 400);
    },
    // When the first click was heard, by the clock of the messages: sound starts and leaves the machine late.
    zero() {
      const { contextTime, performanceTime } = this.sound.getOutputTimestamp();
      return contextTime > 0 ? performanceTime - contextTime * 1000 : this.begun;
    },
    hear({ data, timeStamp }) {
      const [kind, pitch, velocity] = [data[0] >> 4, data[1], data[2]];
      if (kind !== 8 && kind !== 9) return;
      if (this.sounding.has(pitch)) {
        this.notes.push({ ...this.sounding.get(pitch), pitch, end: timeStamp });
        this.sounding.delete(pitch);
      }
      if (kind === 9 && velocity) this.sounding.set(pitch, { start: timeStamp, velocity });
      if (this.notes.length >= FASTEST) this.stop();
    },
    async stop() {
      const [zero, end] = [this.zero(), performance.now()];
      this.quiet();
      const notes = [...this.notes, ...[...this.sounding].map(([pitch, note]) => ({ ...note, pitch, end }))];
      if (!notes.length) {
        this.words = "Nothing was played.";
        return;
      }
      // The beat that is nearest to the first note is the first of the file; a note before it begins with it.
      const beat = 60000 / this.tempo;
      const first = zero + Math.round((Math.min(...notes.map((note) => note.start)) - zero) / beat) * beat;
      const moved = notes.map((note) => ({
        ...note,
        start: Math.max(0, note.start - first) / 1000,
        end: (note.end - first) / 1000,
      }));
      this.words = `${notes.length} notes at ${this.tempo} beats a minute.`;
      const unanswered = "The recording did not arrive: the studio does not answer.";
      await bring(this.$emit, file(moved, this.tempo), "recorded.mid", "The recording", unanswered);
    },
    quiet() {
      clearTimeout(this.limit);
      clearInterval(this.timer);
      if (this.port) this.port.onmidimessage = null;
      if (this.sound && this.sound.state !== "closed") this.sound.close();
      this.recording = false;
    },
  },
};
