// The versions of a part side by side: small piano rolls, of which one is chosen.
const HEIGHT = 56;
const WIDTH = 120;

export default {
  template: `
    <div v-if="versions.length" class="versions" role="group" aria-label="Versions">
      <button v-for="(tracks, number) in versions" type="button" :aria-pressed="number === chosen"
              @click="$emit('choose', number)">
        <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
          <g v-for="(notes, track) in tracks" :class="['track-' + (track % 7), { known: !fresh.includes(track) }]">
            <rect v-for="note in notes" v-bind="box(note)" />
          </g>
        </svg>
        Version {{ number + 1 }}
      </button>
    </div>`,
  props: { versions: Array, chosen: Number, span: Array, fresh: Array },
  emits: ["choose"],
  computed: {
    // One scale for all, so that what differs is seen.
    pitches() {
      const found = this.versions.flat(2).map((note) => note[2]);
      return found.reduce(([low, high], pitch) => [Math.min(low, pitch), Math.max(high, pitch)], [127, 0]);
    },
  },
  methods: {
    box([start, length, pitch]) {
      const [low, high] = this.pitches;
      const row = HEIGHT / (high - low + 3);
      const scale = WIDTH / (this.span[1] - this.span[0]);
      const left = Math.max(0, (start - this.span[0]) * scale);
      const right = Math.min(WIDTH, (start + length - this.span[0]) * scale);
      return { x: left, width: Math.max(1, right - left - 0.5), y: (high - pitch + 1) * row, height: Math.max(1.5, row) };
    },
  },
};
