// A label around a native file input: keyboards and screen readers know it, and a file can be dropped on it.
import { bring } from "musae-studio";

export default {
  template: `
    <label class="drop" :class="{ over, filled: piece }" @dragover.prevent="over = true" @dragleave="over = false"
           @drop.prevent="over = false; take($event.dataTransfer.files[0])">
      <input type="file" :accept="accept" :aria-label="label" :aria-describedby="id"
             @change="take($event.target.files[0]); $event.target.value = ''" />
      <span class="drop-label">{{ label }}</span>
      <span :id="id" class="drop-text">
        <template v-if="busy">Reading…</template>
        <template v-else-if="piece"><b>{{ piece.name }}</b><br />{{ piece.facts }}</template>
        <template v-else>Drop a MIDI file or a score here, or press to choose one</template>
      </span>
    </label>`,
  props: { label: String, accept: String, limit: Number, piece: Object },
  emits: ["file", "refusal"],
  data: () => ({ over: false, busy: false, id: "drop-" + Math.random().toString(36).slice(2) }),
  methods: {
    async take(file) {
      if (!file) return;
      if (file.size > this.limit) {
        const size = (file.size / 1e6).toFixed(1);
        this.$emit("refusal", `${file.name} has ${size} MB; a file may have ${this.limit / 1e6} MB.`);
        return;
      }
      this.busy = true;
      const unanswered = `${file.name} could not be read, or the studio does not answer.`;
      await bring(this.$emit, file, file.name, file.name, unanswered);
      this.busy = false;
    },
  },
};
