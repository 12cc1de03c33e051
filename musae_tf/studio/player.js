// One result: piano roll, cursor, play and stop, position, files, link. All text goes through Vue, which escapes it.
const ROW = 7; // pixels of a semitone
const QUARTER = 21; // pixels, at least
const FAINT = 0.3; // how opaque the softest note is
const DRUM_ROWS = [36, 38, 42, 46, 45, 48, 50, 49, 51]; // pitches of the kit, the kick at the bottom

export default {
  template: `
    <section v-if="result" class="player">
      <h2>{{ title }}</h2>
      <div class="views" role="group" aria-label="View">
        <button type="button" :aria-pressed="!engraved" @click="engraved = false">Piano roll</button>
        <button type="button" :aria-pressed="engraved" @click="engraved = true">Score</button>
      </div>
      <div v-if="engraved" class="engraving">
        <img v-if="pages" :src="pages" :alt="'Score of ' + title" />
        <p v-else role="status">{{ unengraved || "Engraving …" }}</p>
      </div>
      <div v-show="!engraved" ref="scroll" class="roll" tabindex="0" role="group" :aria-label="words"
           @keydown.space.prevent="toggle" @keydown.left.prevent="move(-1)" @keydown.right.prevent="move(1)">
        <div class="sheet" :style="{ width: width + 'px' }" @click="point">
        <svg :width="width" :height="height" :viewBox="'0 0 ' + width + ' ' + height" aria-hidden="true">
          <rect v-for="line in shades" x="0" :width="width" :y="line.y" :height="line.height" class="shade" />
          <line v-for="line in beats" :x1="line.x" :x2="line.x" y1="0" :y2="height" :class="line.kind" />
          <text v-for="line in labels" :x="line.x + 4" y="11" class="bar-number">{{ line.text }}</text>
          <g v-for="(track, number) in drawn" :class="'track-' + (number % 7)">
            <rect v-for="note in track" :x="note.x" :y="note.y" :width="note.width" :height="note.height" rx="2"
                  :opacity="note.opacity" :class="{ fresh: note.fresh }" />
          </g>
        </svg>
        <slot name="selecting"></slot>
        <div ref="cursor" class="cursor"></div>
        </div>
      </div>
      <slot></slot>
      <ul v-if="!$slots.selecting" class="legend" aria-label="Tracks">
        <li v-for="(track, number) in result.tracks" :class="'track-' + (number % 7)"><i></i>{{ track.name }}</li>
      </ul>
      <div class="transport">
        <button type="button" class="play" :aria-label="playing ? 'Stop' : 'Play'" @click="toggle">
          <svg viewBox="0 0 24 24" aria-hidden="true"><path v-if="playing" d="M6 6h12v12H6z" /><path v-else d="M8 5v14l11-7z" /></svg>
        </button>
        <input ref="position" type="range" aria-label="Position" min="0" :max="result.seconds" step="0.05" value="0"
               @input="seek(Number($event.target.value))" />
        <span class="clock"><span ref="clock">0:00</span> / {{ clock(result.seconds) }}</span>
      </div>
      <slot name="port"></slot>
      <div class="files">
        <a :href="address('mid')" :download="result.stem + '.mid'" draggable="true" @dragstart="carry"
           title="Press to save, or drag it into another program">MIDI</a>
        <a :href="address('musicxml')" :download="result.stem + '.musicxml'">Score</a>
        <a :href="address('wav')" :download="result.stem + '.wav'">WAV</a>
        <button type="button" @click="copy">{{ copied ? 'Copied' : 'Copy link' }}</button>
        <span class="note" role="status">{{ copied ? 'The link is in the clipboard.' : '' }}</span>
      </div>
      <p v-if="note" class="note">{{ note }}</p>
      <audio ref="audio" :src="sound" @ended="stop" @playing="begin" preload="auto"></audio>
    </section>`,
  props: { result: Object, title: String, note: String },
  emits: ["failure"],
  // The time is no part of it: it changes with every frame, and the notes are not to be drawn anew for that.
  data: () => ({ playing: false, sound: undefined, room: 600, copied: false, engraved: false, pages: undefined, unengraved: "" }),
  computed: {
    words() {
      const notes = this.result.tracks.map((track) => `${track.name}: ${track.notes.length} notes`).join(", ");
      return `Piano roll. ${notes}. Space plays and stops, arrows move by a bar.`;
    },
    width() {
      return Math.max(this.room, this.result.quarters * QUARTER);
    },
    scale() {
      return this.width / this.result.quarters;
    },
    span() {
      const pitches = this.result.tracks.filter((t) => !t.drums).flatMap((t) => t.notes.map((note) => note[2]));
      if (!pitches.length) return this.melodic ? [57, 75] : null;
      const [low, high] = pitches.reduce(([a, b], pitch) => [Math.min(a, pitch), Math.max(b, pitch)], [127, 0]);
      const air = Math.max(2, Math.ceil((24 - (high - low)) / 2));
      return [low - air, high + air];
    },
    melodic() {
      return this.result.tracks.some((track) => !track.drums);
    },
    floor() {
      return this.span ? 16 + (this.span[1] - this.span[0] + 1) * ROW : 16;
    },
    height() {
      const drums = this.result.tracks.some((track) => track.drums);
      return this.floor + (drums ? 8 + DRUM_ROWS.length * ROW : 0) + 2;
    },
    shades() {
      if (!this.span) return [];
      const found = [];
      for (let pitch = this.span[0]; pitch <= this.span[1]; pitch++)
        if ([1, 3, 6, 8, 10].includes(((pitch % 12) + 12) % 12)) found.push({ y: this.row(pitch), height: ROW });
      return found;
    },
    beats() {
      const found = [];
      this.result.bars.forEach((start, bar) => {
        const end = this.result.bars[bar + 1] ?? this.result.quarters;
        for (let quarter = start; quarter < end; quarter++)
          found.push({ x: quarter * this.scale, kind: quarter === start ? "bar" : "beat" });
      });
      return found;
    },
    labels() {
      return this.result.bars.map((start, bar) => ({ x: start * this.scale, text: bar + 1 }));
    },
    // Where all notes are equally loud, none is drawn as soft.
    dynamic() {
      const loud = this.result.tracks.flatMap((track) => track.notes.map((note) => note[3]));
      return loud.some((velocity) => velocity !== loud[0]);
    },
    drawn() {
      const { filled, bars, quarters } = this.result;
      const [from, until] = filled ? [bars[filled.first - 1], bars[filled.last] ?? quarters] : [0, 0];
      return this.result.tracks.map((track, number) =>
        track.notes.map(([start, length, pitch, velocity]) => ({
          fresh: start >= from && start < until && filled.tracks.includes(number),
          x: start * this.scale + 0.5,
          y: (track.drums ? this.drum(pitch) : this.row(pitch)) + 0.5,
          width: Math.max(length * this.scale - 1, 2),
          height: ROW - 1,
          opacity: this.dynamic ? FAINT + ((1 - FAINT) * velocity) / 127 : 1,
        })),
      );
    },
  },
  watch: {
    "result.key": { immediate: true, handler: "load" },
    engraved: "engrave",
  },
  mounted() {
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.$el.parentElement);
    this.measure();
  },
  updated() {
    this.measure();
  },
  unmounted() {
    this.observer.disconnect();
    this.forget();
  },
  methods: {
    row(pitch) {
      return 16 + (this.span[1] - pitch) * ROW;
    },
    drum(pitch) {
      const place = DRUM_ROWS.indexOf(pitch);
      return this.floor + 8 + (DRUM_ROWS.length - 1 - (place < 0 ? 1 : place)) * ROW;
    },
    measure() {
      const room = this.$refs.scroll?.clientWidth;
      if (room && room !== this.room) this.room = room;
    },
    address(kind) {
      return `${window.path_prefix || ""}/results/${this.result.key}/${encodeURIComponent(this.result.stem)}.${kind}`;
    },
    // Chromium makes a file of it where it is dropped; others give the program the address.
    carry(event) {
      const url = new URL(this.address("mid"), location.href).href;
      event.dataTransfer.effectAllowed = "copy";
      event.dataTransfer.setData("DownloadURL", `audio/midi:${this.result.stem}.mid:${url}`);
      event.dataTransfer.setData("text/uri-list", url);
      event.dataTransfer.setData("text/plain", url);
    },
    forget() {
      cancelAnimationFrame(this.frame);
      if (this.sound) URL.revokeObjectURL(this.sound);
      if (this.pages) URL.revokeObjectURL(this.pages);
      this.sound = this.pages = undefined;
    },
    async load(key) {
      this.stop();
      this.forget();
      this.copied = false;
      if (!key) return;
      this.engrave();
      await this.$nextTick();
      if (this.result?.play) this.$el.scrollIntoView({ block: "nearest" });
      await this.ready();
      if (key !== this.result?.key || !this.result.play || !this.sound) return;
      const { filled, bars, quarters, seconds } = this.result;
      if (filled) this.seek((bars[filled.first - 1] * seconds) / quarters);
      this.play();
    },
    // The whole sound as a blob: any position can be reached at once, and a failure has a sentence.
    async ready() {
      const key = this.result.key;
      try {
        const reply = await fetch(this.address("wav"));
        if (!reply.ok) throw new Error(await reply.text());
        const blob = await reply.blob();
        if (key !== this.result?.key) return;
        this.sound = URL.createObjectURL(blob);
        await this.$nextTick();
      } catch (error) {
        if (key !== this.result?.key) return;
        const silent = error instanceof TypeError ? "the studio does not answer" : error.message;
        this.$emit("failure", `No sound: ${silent}`);
      }
    },
    // Only for who looks at it: engraving takes the server longer than anything else here.
    async engrave() {
      if (!this.engraved || this.pages || !this.result) return;
      const key = this.result.key;
      this.unengraved = "";
      try {
        const reply = await fetch(this.address("svg"));
        if (!reply.ok) throw new Error(await reply.text());
        const blob = await reply.blob();
        if (key !== this.result?.key) return;
        if (this.pages) URL.revokeObjectURL(this.pages);
        this.pages = URL.createObjectURL(blob);
      } catch (error) {
        if (key !== this.result?.key) return;
        this.unengraved = `No score: ${error instanceof TypeError ? "the studio does not answer" : error.message}`;
      }
    },
    async toggle() {
      if (this.playing) return this.stop();
      if (!this.sound) await this.ready();
      if (this.sound) this.play();
    },
    async play() {
      try {
        await this.$refs.audio.play();
      } catch {
        // A page that nobody has touched may not make noise: the button is there.
        this.playing = false;
      }
    },
    begin() {
      this.playing = true;
      this.follow();
    },
    stop() {
      const audio = this.$refs.audio;
      if (audio && audio.src) {
        audio.pause();
        audio.currentTime = 0;
      }
      this.playing = false;
      this.seek(0);
    },
    follow() {
      cancelAnimationFrame(this.frame);
      if (!this.playing || !this.$refs.audio) return;
      this.time = Math.min(this.$refs.audio.currentTime, this.result.seconds);
      this.draw(true);
      this.frame = requestAnimationFrame(() => this.follow());
    },
    seek(seconds) {
      this.time = Math.max(0, Math.min(seconds, this.result?.seconds || 0));
      if (this.$refs.audio && this.sound) this.$refs.audio.currentTime = this.time;
      this.draw(false);
    },
    // To the next bar line, or the one before.
    move(way) {
      const { bars, quarters, seconds } = this.result;
      const now = ((this.time || 0) * quarters) / seconds;
      const next = bars.filter((start) => (way > 0 ? start > now + 0.01 : start < now - 0.01));
      const place = way > 0 ? (next[0] ?? quarters) : (next[next.length - 1] ?? 0);
      this.seek((place * seconds) / quarters);
    },
    point(event) {
      const left = event.currentTarget.getBoundingClientRect().left;
      this.seek(((event.clientX - left) / this.width) * this.result.seconds);
    },
    draw(follow) {
      const { cursor, scroll, position, clock } = this.$refs;
      if (!cursor) return;
      const x = (this.time / this.result.seconds) * this.width;
      cursor.style.transform = `translateX(${x}px)`;
      position.value = this.time;
      const words = this.clock(this.time);
      if (clock.textContent !== words) {
        clock.textContent = words;
        position.setAttribute("aria-valuetext", `${words} of ${this.clock(this.result.seconds)}`);
      }
      if (follow && (x < scroll.scrollLeft || x > scroll.scrollLeft + scroll.clientWidth - 40))
        scroll.scrollLeft = x - 40;
    },
    clock(seconds) {
      return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    },
    async copy() {
      try {
        await navigator.clipboard.writeText(location.href);
        this.copied = true;
      } catch {
        window.prompt("This link makes the result again:", location.href);
      }
    },
  },
};
