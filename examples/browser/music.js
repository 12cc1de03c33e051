// Tokens to notes, and notes to a picture, to sound and to a MIDI file.

const REST = 128;
const HOLD = 129;
const TICKS_PER_QUARTER = 480;
const VELOCITY = 90;
const SAME_VELOCITY = 8;
const KIT_PITCHES = [36, 38, 42, 46, 45, 48, 50, 49, 51]; // bit i of a symbol strikes piece i
const COLOURS = ['#2563eb', '#d97706', '#059669', '#db2777', '#7c3aed', '#0891b2', '#65a30d', '#dc2626'];

/** The bar of a grid such as "4/4x4": metre, steps and ticks of a step. */
function gridOf(layout) {
  const [numerator, denominator, perBeat] = (layout.grid ?? '4/4x4').match(/\d+/g).map(Number);
  const compound = numerator % 3 === 0 && denominator >= 8;
  const steps = (compound ? numerator / 3 : numerator) * perBeat;
  return { numerator, denominator, steps, ticks: (4 * TICKS_PER_QUARTER * numerator) / (denominator * steps) };
}

/**
 * A piece of tokens.
 * @param {Int32Array} tokens [T * K], all columns of a step side by side
 * @param {object} layout of model.json
 * @param {number} tempo quarter notes a minute
 * @returns tracks with notes { start, end, pitch, velocity } in ticks of 1/480 quarter, the end, tempo and metre
 */
export function pieceOf(tokens, layout, tempo) {
  const grid = gridOf(layout);
  const widths = layout.tracks.map((track) => (track.voices ?? 1) + (track.dynamics ? 1 : 0));
  const width = widths.reduce((sum, one) => sum + one, 0);
  const steps = tokens.length / width;
  let first = 0;
  const tracks = layout.tracks.map((spec, number) => {
    const column = (offset) => Array.from({ length: steps }, (_, step) => tokens[step * width + offset]);
    const voices = Array.from({ length: spec.voices ?? 1 }, (_, voice) => column(first + voice));
    const levels = spec.dynamics ? column(first + widths[number] - 1) : [];
    first += widths[number];
    const notes = spec.vocabulary === 'kit' ? strokes(voices[0]) : struckAgain(voices.flatMap(notesOfVoice));
    return {
      name: spec.name,
      program: spec.program,
      drums: spec.rule === 'drums',
      notes: notes.map((note) => ({
        start: note.start * grid.ticks,
        end: note.end * grid.ticks,
        pitch: note.pitch,
        velocity: velocityAt(levels, note.start),
      })),
    };
  });
  return { tracks, end: steps * grid.ticks, tempo, numerator: grid.numerator, denominator: grid.denominator };
}

/** A symbol below 128 begins a note, 129 holds it, 128 is silence; a hold of nothing is silence. */
function notesOfVoice(symbols) {
  const notes = [];
  let sounding = null;
  symbols.forEach((symbol, step) => {
    if (symbol !== HOLD) {
      sounding = symbol < REST ? { start: step, end: step, pitch: symbol } : null;
      if (sounding) notes.push(sounding);
    }
    if (sounding) sounding.end = step + 1;
  });
  return notes;
}

/** Voices of one track can have one pitch at once: a note ends where it is struck again, and of equal ones the longest stays. */
function struckAgain(notes) {
  const sorted = [...notes].sort((a, b) => a.start - b.start || a.pitch - b.pitch || b.end - a.end);
  const last = new Map();
  return sorted.filter((note) => {
    const before = last.get(note.pitch);
    if (before?.start === note.start) return false;
    if (before) before.end = Math.min(before.end, note.start);
    last.set(note.pitch, note);
    return true;
  });
}

function strokes(symbols) {
  return symbols.flatMap((symbol, start) =>
    KIT_PITCHES.filter((_, bit) => (symbol >> bit) & 1).map((pitch) => ({ start, end: start + 1, pitch })),
  );
}

/** The level that was last given, as a MIDI velocity. */
function velocityAt(levels, step) {
  const given = levels.slice(0, step + 1).findLast((level) => level !== SAME_VELOCITY);
  return given === undefined ? VELOCITY : 16 * given + 8;
}

/** A piano roll, as SVG in `svg`. */
export function draw(piece, svg) {
  const pitches = piece.tracks.flatMap((track) => track.notes.map((note) => note.pitch));
  const [low, high] = pitches.length ? [Math.min(...pitches) - 1, Math.max(...pitches) + 1] : [48, 72];
  svg.setAttribute('viewBox', `0 0 ${piece.end} ${high - low + 1}`);
  svg.replaceChildren(
    ...piece.tracks.flatMap((track, number) =>
      track.notes.map((note) => {
        const rectangle = document.createElementNS(svg.namespaceURI, 'rect');
        const values = { x: note.start, y: high - note.pitch, width: note.end - note.start, height: 1 };
        for (const [key, value] of Object.entries(values)) rectangle.setAttribute(key, value);
        rectangle.setAttribute('fill', COLOURS[number % COLOURS.length]);
        return rectangle;
      }),
    ),
  );
}

/** Play a piece with one oscillator a note, a short one for drums. Returns a function that stops it. */
export function play(piece, ended) {
  const context = new AudioContext();
  const seconds = 60 / (piece.tempo * TICKS_PER_QUARTER);
  const begin = context.currentTime + 0.05;
  for (const track of piece.tracks) {
    for (const note of track.notes) {
      const oscillator = new OscillatorNode(context, { type: track.drums ? 'square' : 'triangle' });
      oscillator.frequency.value = 440 * 2 ** ((note.pitch - 69) / 12);
      const loud = ((note.velocity / 127) * 0.5) / piece.tracks.length;
      const start = begin + note.start * seconds;
      const end = track.drums ? start + 0.05 : begin + note.end * seconds;
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(loud, start + 0.01);
      gain.gain.setValueAtTime(loud, Math.max(start + 0.01, end - 0.03));
      gain.gain.linearRampToValueAtTime(0, end);
      oscillator.connect(gain).connect(context.destination);
      oscillator.start(start);
      oscillator.stop(end);
    }
  }
  const clock = new ConstantSourceNode(context);
  clock.onended = ended;
  clock.start();
  clock.stop(begin + piece.end * seconds);
  return () => context.close();
}

/** A MIDI file of format 1, one track a track; percussion is on channel 10. */
export function midiOf(piece) {
  const tempo = Math.round(60e6 / piece.tempo);
  const metre = [0, 0xff, 0x58, 4, piece.numerator, Math.log2(piece.denominator), 24, 8];
  const head = [...metre, 0, 0xff, 0x51, 3, tempo >> 16, (tempo >> 8) & 255, tempo & 255];
  let melodic = 0;
  const tracks = piece.tracks.map((track) => {
    const next = track.drums ? 9 : melodic++ % 15; // there are fifteen channels for all but percussion
    const channel = next >= 9 && !track.drums ? next + 1 : next;
    const name = new TextEncoder().encode(track.name);
    const events = track.notes.flatMap((note) => [
      [note.start, 0x90 | channel, note.pitch, note.velocity],
      [note.end, 0x80 | channel, note.pitch, 0],
    ]);
    // What ends comes before what begins.
    events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const bytes = [0, 0xff, 0x03, ...quantity(name.length), ...name, 0, 0xc0 | channel, track.program];
    let now = 0;
    for (const [tick, ...message] of events) {
      bytes.push(...quantity(tick - now), ...message);
      now = tick;
    }
    return chunk(bytes, piece.end - now);
  });
  const header = [...ascii('MThd'), ...number(6, 4), ...number(1, 2), ...number(tracks.length + 1, 2)];
  return Uint8Array.from([...header, ...number(TICKS_PER_QUARTER, 2), ...chunk(head, piece.end), ...tracks.flat()]);
}

/** A track of events, with its end so many ticks after the last of them. */
function chunk(events, rest) {
  const bytes = [...events, ...quantity(rest), 0xff, 0x2f, 0];
  return [...ascii('MTrk'), ...number(bytes.length, 4), ...bytes];
}

const ascii = (text) => [...text].map((letter) => letter.charCodeAt(0));

const number = (value, bytes) => Array.from({ length: bytes }, (_, place) => (value >> (8 * (bytes - 1 - place))) & 255);

/** A variable-length quantity: seven bits a byte, the highest first, all but the last with their top bit set. */
function quantity(value) {
  const bytes = [value & 127];
  for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}
