// Lanes below a piano roll, one a track with a cell a bar, and a layer over it: bars and tracks are selected on both.
const DRAG = 4; // pixels that a pointer moves before it means bars and not a place

export default {
  template: `
    <div class="selecting">
      <div class="picker" @pointerdown="press" @pointermove="drag" @pointerup="release" @pointercancel="release"
           @click="click">
        <div v-if="filled" class="filled" :style="place(filled.first - 1, filled.last - 1)"></div>
        <div v-if="bars_" class="selected" :style="place(...bars_)"></div>
      </div>
      <div ref="lanes" class="lanes" role="grid" aria-multiselectable="true" @click.stop @keydown="key"
           aria-label="Bars and tracks. Arrows move, with Shift they select, Escape selects nothing.">
        <div v-for="(track, row) in tracks" role="row" :class="['lane', 'track-' + (row % 7)]">
          <span role="rowheader" class="lane-head">
            <button type="button" :aria-pressed="rows.includes(row)" @click="name(row)"><i></i>{{ track.name }}</button>
          </span>
          <div v-for="(start, bar) in bars" role="gridcell" class="cell" :style="place(bar, bar)"
               :class="{ chosen: inside(row, bar), new: fresh(row, bar) }" :aria-selected="inside(row, bar)"
               :aria-label="label(row, bar)" :tabindex="row === at[0] && bar === at[1] ? 0 : -1"
               :data-cell="row + '-' + bar" @focus="at = [row, bar]"
               @pointerdown="begin(row, bar, $event)" @pointerenter="extend(row, bar, $event)">
            <i :style="{ opacity: weight(row, bar) }"></i>
          </div>
        </div>
      </div>
      <p class="selected-words" role="status" aria-live="polite">{{ words }}</p>
    </div>`,
  props: { piece: String, bars: Array, quarters: Number, tracks: Array, filled: Object },
  emits: ["select"],
  // No bars are all bars, no rows are all tracks; neither is nothing.
  data: () => ({ bars_: null, rows: [], anchor: [0, 0], at: [0, 0] }),
  computed: {
    most() {
      return Math.max(1, ...this.tracks.flatMap((track) => track.counts));
    },
    words() {
      if (!this.bars_ && !this.rows.length) return "Nothing is selected: drag over bars, or press a track's name.";
      const [first, last] = this.bars_ || [0, this.bars.length - 1];
      const bars = !this.bars_ ? "all bars" : first === last ? `bar ${first + 1}` : `bars ${first + 1} to ${last + 1}`;
      const names = this.rows.map((row) => this.tracks[row].name).join(", ");
      return `Selected: ${bars} of ${names || "all tracks"}.`;
    },
  },
  watch: {
    piece() {
      this.bars_ = null;
      this.rows = [];
      this.anchor = this.at = [0, 0];
    },
  },
  methods: {
    place(first, last) {
      const end = this.bars[last + 1] ?? this.quarters;
      const percent = (quarters) => `${(100 * quarters) / this.quarters}%`;
      return { left: percent(this.bars[first]), width: percent(end - this.bars[first]) };
    },
    inside(row, bar) {
      if (!this.bars_ && !this.rows.length) return false;
      const [first, last] = this.bars_ || [0, this.bars.length - 1];
      return bar >= first && bar <= last && (!this.rows.length || this.rows.includes(row));
    },
    fresh(row, bar) {
      return this.filled && bar >= this.filled.first - 1 && bar < this.filled.last && this.filled.tracks.includes(row);
    },
    label(row, bar) {
      const count = this.tracks[row].counts[bar];
      const notes = count === 1 ? "1 note" : `${count} notes`;
      return `${this.tracks[row].name}, bar ${bar + 1}, ${notes}${this.fresh(row, bar) ? ", filled" : ""}`;
    },
    weight(row, bar) {
      const count = this.tracks[row].counts[bar];
      return count ? 0.25 + (0.75 * count) / this.most : 0;
    },
    tell() {
      const bars = this.bars_ && this.bars_.map((bar) => bar + 1);
      this.$emit("select", { bars, tracks: [...this.rows] });
    },
    rectangle() {
      const order = (values) => values.sort((a, b) => a - b);
      const [top, bottom] = order([this.anchor[0], this.at[0]]);
      this.bars_ = order([this.anchor[1], this.at[1]]);
      this.rows = Array.from({ length: bottom - top + 1 }, (_, number) => top + number);
      this.tell();
    },
    // A track alone if all or none were meant, else one more or less.
    name(row) {
      const all = !this.rows.length || this.rows.length === this.tracks.length;
      const other = this.rows.includes(row) ? this.rows.filter((one) => one !== row) : [...this.rows, row];
      this.rows = all ? [row] : other.sort((a, b) => a - b);
      this.tell();
    },
    begin(row, bar, event) {
      if (event.button !== 0) return;
      if (event.target.hasPointerCapture(event.pointerId)) event.target.releasePointerCapture(event.pointerId);
      this.at = [row, bar];
      if (!event.shiftKey) this.anchor = this.at;
      this.rectangle();
    },
    extend(row, bar, event) {
      if (event.buttons !== 1 || event.pointerType === "touch") return;
      this.at = [row, bar];
      this.rectangle();
    },
    key(event) {
      const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      const cell = event.target.getAttribute("role") === "gridcell";
      const within = (value, count) => Math.max(0, Math.min(count - 1, value));
      if (event.key === "Escape") {
        this.bars_ = null;
        this.rows = [];
        this.tell();
      } else if (cell && (event.key in steps || event.key === "Home" || event.key === "End")) {
        const [down, right] = steps[event.key] || [0, event.key === "Home" ? -this.bars.length : this.bars.length];
        this.at = [within(this.at[0] + down, this.tracks.length), within(this.at[1] + right, this.bars.length)];
        if (!event.shiftKey) this.anchor = this.at;
        this.rectangle();
        this.$nextTick(() => this.$refs.lanes.querySelector(`[data-cell="${this.at.join("-")}"]`)?.focus());
      } else if (cell && (event.key === " " || event.key === "Enter")) {
        if (!event.shiftKey) this.anchor = this.at;
        this.rectangle();
      } else {
        // The keys of a name's button are its own, not those of the piano roll.
        if (!cell) event.stopPropagation();
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    },
    barAt(event) {
      const box = event.currentTarget.getBoundingClientRect();
      const quarter = ((event.clientX - box.left) / box.width) * this.quarters;
      return Math.max(0, this.bars.findLastIndex((start) => start <= quarter));
    },
    // On a phone a finger that moves over the roll scrolls it.
    press(event) {
      if (event.button !== 0 || event.pointerType === "touch") return;
      this.from = { x: event.clientX, bar: this.barAt(event) };
      this.dragged = false;
    },
    drag(event) {
      if (!this.from || (!this.dragged && Math.abs(event.clientX - this.from.x) < DRAG)) return;
      if (!this.dragged) event.currentTarget.setPointerCapture(event.pointerId);
      this.dragged = true;
      this.bars_ = [this.from.bar, this.barAt(event)].sort((a, b) => a - b);
    },
    release() {
      if (this.from && this.dragged) {
        const row = this.rows[0] ?? 0;
        this.anchor = [row, this.bars_[0]];
        this.at = [this.rows.at(-1) ?? this.tracks.length - 1, this.bars_[1]];
        this.tell();
      }
      this.from = null;
    },
    // What was a drag is no press on a place of the music.
    click(event) {
      if (this.dragged) event.stopPropagation();
      this.dragged = false;
    },
  },
};
