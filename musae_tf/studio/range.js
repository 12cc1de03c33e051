// A native range with its name and value above it: keyboards and screen readers know it.
const PAUSE = 150; // milliseconds after the last key until the studio is told

export default {
  template: `
    <div class="field">
      <div class="field-head" aria-hidden="true"><span>{{ label }}</span><span class="field-value">{{ words }}</span></div>
      <input type="range" :min="low" :max="high" :step="step" :value="now" :aria-label="label" :aria-valuetext="words"
             @input="now = Number($event.target.value)" @change="later" @blur="tell" />
    </div>`,
  props: { label: String, low: Number, high: Number, step: Number, value: Number, texts: Array },
  emits: ["moved"],
  data() {
    return { now: this.value };
  },
  computed: {
    words() {
      return this.texts[Math.round((this.now - this.low) / this.step)];
    },
  },
  watch: {
    value(value) {
      this.now = value;
    },
  },
  methods: {
    later() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.tell(), PAUSE);
      this.waiting = true;
    },
    tell() {
      clearTimeout(this.timer);
      if (this.waiting) this.$emit("moved", this.now);
      this.waiting = false;
    },
  },
};
