// What two controls need of Web MIDI: the browser's ports, and a file of notes that were played.

/** Ports as the browser gives them: MIDIAccess. An Error whose message is a sentence, if it gives none. */
export async function ports() {
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
