// What several controls of the page need: the browser's MIDI ports, a file of notes, and the way of a file to the studio.

/** A control that opens MIDI ports when it is told to: `open` sets `midi` and `access`, or says in `words` why not. */
export const opening = {
  data: () => ({ access: false, words: "" }),
  methods: {
    async open() {
      try {
        this.midi = await ports();
      } catch (error) {
        this.words = error.message;
        return;
      }
      this.midi.onstatechange = this.look_for_ports;
      this.access = true;
      this.look_for_ports();
      await this.$nextTick();
      this.$el.querySelector("select").focus();
    },
  },
};

/** What a list shows of ports, an iterable of MIDIPort: those that are there. */
export const listed = (all) =>
  [...all].filter((port) => port.state !== "disconnected").map(({ id, name }) => ({ id, name: name || id }));

/** Ports as the browser gives them: MIDIAccess. An Error whose message is a sentence, if it gives none. */
async function ports() {
  if (!navigator.requestMIDIAccess)
    throw new Error("This browser has no Web MIDI, or the page came over plain http from another machine.");
  try {
    return await navigator.requestMIDIAccess();
  } catch (error) {
    throw new Error(`The browser gives no access to MIDI ports: ${error.message || error.name}.`);
  }
}

const QUARTER = 480; // ticks

/** A standard MIDI file of notes {start, end, pitch, velocity}, in seconds, at a tempo in beats a minute. */
export function file(notes, tempo) {
  const tick = (seconds) => Math.round((seconds * tempo * QUARTER) / 60);
  const events = notes.flatMap(({ start, end, pitch, velocity }) => [
    { at: tick(start), bytes: [0x90, pitch, velocity] },
    { at: Math.max(tick(start) + 1, tick(end)), bytes: [0x80, pitch, 0] },
  ]);
  events.sort((one, other) => one.at - other.at || one.bytes[0] - other.bytes[0]); // ends before beginnings
  const track = [0, 0xff, 0x51, 3, ...big(Math.round(60e6 / tempo), 3)];
  let now = 0;
  for (const { at, bytes } of events) {
    track.push(...variable(at - now), ...bytes);
    now = at;
  }
  track.push(0, 0xff, 0x2f, 0);
  const head = [...text("MThd"), ...big(6, 4), ...big(0, 2), ...big(1, 2), ...big(QUARTER, 2)];
  return new Uint8Array([...head, ...text("MTrk"), ...big(track.length, 4), ...track]);
}

const text = (letters) => [...letters].map((letter) => letter.charCodeAt(0));

const big = (number, bytes) => Array.from({ length: bytes }, (_, at) => (number >>> (8 * (bytes - 1 - at))) & 255);

function variable(number) {
  const bytes = [number & 127];
  while ((number >>>= 7)) bytes.unshift((number & 127) | 128);
  return bytes;
}

/** Bring a file of a name to the studio, and emit `file` with its key, or `refusal` with a sentence. */
export async function bring(emit, body, name, title, unanswered) {
  try {
    const reply = await fetch((window.path_prefix || "") + "/pieces", { method: "POST", body });
    if (reply.ok) emit("file", { key: await reply.text(), name });
    else emit("refusal", `${title}: ${await reply.text()}`);
  } catch {
    emit("refusal", unanswered);
  }
}
