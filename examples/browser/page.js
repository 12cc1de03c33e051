// The page: choices to a sample, which is shown, played and saved.

import { Model } from './model.js';
import { draw, midiOf, pieceOf, play } from './music.js';

const at = (id) => document.getElementById(id);
let piece = null;
let stop = null;

function silence() {
  stop?.();
  stop = null;
  at('play').textContent = 'Play';
}

async function sample(model) {
  const genre = model.facts.genres[at('genre').value];
  const begin = performance.now();
  const made = await model.sample(Number(at('genre').value), at('seed').valueAsNumber, at('temperature').valueAsNumber);
  const milliseconds = performance.now() - begin;
  silence();
  piece = pieceOf(made.tokens, model.facts.layout, model.facts.tempos[genre] ?? 120);
  draw(piece, at('roll'));
  at('play').disabled = at('save').disabled = false;
  const notes = piece.tracks.reduce((sum, track) => sum + track.notes.length, 0);
  at('status').textContent = `${model.facts.bars} bars of ${genre}, ${notes} notes, in ${milliseconds.toFixed(0)} ms.`;
}

function save() {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([midiOf(piece)], { type: 'audio/midi' }));
  link.download = 'sample.mid';
  link.click();
  URL.revokeObjectURL(link.href);
}

async function start() {
  const model = await Model.load('model/', 'node_modules/@litertjs/core/wasm/');
  model.facts.genres.forEach((name, number) => at('genre').add(new Option(name, number)));
  at('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    at('choices').disabled = true;
    await sample(model).catch(tell);
    at('choices').disabled = false;
  });
  at('play').addEventListener('click', () => {
    if (stop) return silence();
    stop = play(piece, silence);
    at('play').textContent = 'Stop';
  });
  at('save').addEventListener('click', save);
  at('choices').disabled = false;
  at('status').textContent = 'Ready.';
  return model;
}

function tell(error) {
  at('status').textContent = error.message;
}

/** The model, when it is loaded; nothing if it cannot be. */
export const loaded = start().catch(tell);
