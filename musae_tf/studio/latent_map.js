// Dots on a canvas. A pointer or the arrow keys move a cross; press or Enter picks the dot under it, or the empty place.
const REACH = 12; // pixels within which a dot is meant
const AIR = 24;

export default {
  template: `
    <div class="map">
      <canvas ref="canvas" tabindex="0" role="application" aria-roledescription="map" :aria-label="words"
              @pointermove="hover" @pointerleave="leave" @click="pick" @keydown="key" @focus="draw" @blur="draw"></canvas>
      <p class="map-words" aria-live="polite">{{ under }}</p>
      <ul class="legend" aria-label="Genres">
        <li v-for="(genre, number) in genres" :class="'track-' + (number % 7)"><i></i>{{ genre }}</li>
      </ul>
    </div>`,
  props: { genres: Array, points: Array, titles: Array, of: String },
  emits: ["pick"],
  data: () => ({ cross: null, chosen: null }),
  computed: {
    words() {
      return `Map of ${this.points.length} ${this.of}. Arrows move the cross, with Shift farther; Enter plays what is there.`;
    },
    under() {
      const dot = this.of === "songs" ? "its song as the model has it" : "its music";
      if (!this.cross) return `Press a dot to hear ${dot}, or an empty place to hear what lies there.`;
      const point = this.nearest();
      if (point < 0) return "An empty place: press to hear what lies there.";
      if (this.of !== "songs") return this.titles[point]; // which names its genre
      const genre = this.genres[this.points[point][2]];
      return this.titles[point] + (genre ? ` (${genre})` : "");
    },
    bounds() {
      const xs = this.points.map((point) => point[0]);
      const ys = this.points.map((point) => point[1]);
      const range = (values) => [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
      return [...range(xs), ...range(ys)];
    },
  },
  watch: { cross: "draw", chosen: "draw" },
  mounted() {
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.$refs.canvas);
    this.scheme = new MutationObserver(() => this.draw());
    this.scheme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  },
  unmounted() {
    this.observer.disconnect();
    this.scheme.disconnect();
  },
  methods: {
    // One scale for both axes: distances on the map are distances in the space.
    view() {
      const { clientWidth: width, clientHeight: height } = this.$refs.canvas;
      const [left, right, low, high] = this.bounds;
      const scale = Math.min((width - 2 * AIR) / (right - left || 1), (height - 2 * AIR) / (high - low || 1));
      return { width, height, scale, x: (left + right) / 2, y: (low + high) / 2 };
    },
    toScreen(x, y, view) {
      return [view.width / 2 + (x - view.x) * view.scale, view.height / 2 - (y - view.y) * view.scale];
    },
    toMap([left, top], view) {
      return [view.x + (left - view.width / 2) / view.scale, view.y - (top - view.height / 2) / view.scale];
    },
    nearest() {
      const view = this.view();
      let [best, least] = [-1, REACH];
      this.points.forEach(([x, y], number) => {
        const [left, top] = this.toScreen(x, y, view);
        const distance = Math.hypot(left - this.cross[0], top - this.cross[1]);
        if (distance < least) [best, least] = [number, distance];
      });
      return best;
    },
    place(event) {
      const box = this.$refs.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    },
    hover(event) {
      this.cross = this.place(event);
    },
    leave() {
      this.cross = null;
    },
    pick(event) {
      this.cross = this.place(event);
      this.choose();
    },
    choose() {
      const view = this.view();
      const point = this.nearest();
      const [x, y] = point < 0 ? this.toMap(this.cross, view) : this.points[point];
      this.chosen = [x, y];
      this.$emit("pick", { point, x, y });
    },
    key(event) {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key === "Enter" || event.key === " ") {
        if (!this.cross) return;
        event.preventDefault();
        this.choose();
      } else if (event.key in steps) {
        event.preventDefault();
        const { width, height } = this.view();
        const [left, top] = this.cross || [width / 2, height / 2];
        const far = event.shiftKey ? 40 : 8;
        const [right, down] = steps[event.key];
        const within = (value, most) => Math.max(0, Math.min(most, value));
        this.cross = [within(left + right * far, width), within(top + down * far, height)];
      }
    },
    draw() {
      const canvas = this.$refs.canvas;
      if (!canvas || !canvas.clientWidth) return;
      const view = this.view();
      const ratio = window.devicePixelRatio || 1;
      canvas.width = view.width * ratio;
      canvas.height = view.height * ratio;
      const brush = canvas.getContext("2d");
      brush.scale(ratio, ratio);
      const style = getComputedStyle(canvas);
      const colour = (name) => style.getPropertyValue(name).trim();
      const colours = Array.from({ length: 7 }, (_, number) => colour(`--track-${number}`));
      brush.globalAlpha = 0.8;
      for (const [x, y, genre] of this.points) {
        const [left, top] = this.toScreen(x, y, view);
        brush.fillStyle = genre < 0 ? colour("--quiet") : colours[genre % 7];
        brush.beginPath();
        brush.arc(left, top, 3.5, 0, 2 * Math.PI);
        brush.fill();
      }
      brush.globalAlpha = 1;
      brush.strokeStyle = colour("--ink");
      if (this.chosen) {
        brush.lineWidth = 2;
        brush.beginPath();
        brush.arc(...this.toScreen(...this.chosen, view), 8, 0, 2 * Math.PI);
        brush.stroke();
      }
      if (this.cross) {
        brush.lineWidth = 1;
        brush.globalAlpha = 0.6;
        brush.beginPath();
        brush.moveTo(this.cross[0], 0);
        brush.lineTo(this.cross[0], view.height);
        brush.moveTo(0, this.cross[1]);
        brush.lineTo(view.width, this.cross[1]);
        brush.stroke();
      }
    },
  },
};
