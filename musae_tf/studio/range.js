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
    return { now: this.value, told: [] };
  },
  computed: {
    words() {
      return this.texts[Math.round((this.now - this.low) / this.step)];
    },
  },
  watch: {
    value(value) {
      const at = this.told.indexOf(value);
      this.told = this.told.slice(at + 1);
      // An answer to what was told from here may come after the next key.
      if (at < 0) this.now = value;
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
      if (!this.waiting) return;
      this.waiting = false;
      this.told.push(this.now);
      this.$emit("moved", this.now);
    },
  },
};
