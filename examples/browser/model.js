// The three files of `musae export --format litert`, run by LiteRT, and the numbers of chance that they ask for.

import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core';

const FILES = ['draw', 'decode'];
const ARRAYS = { int32: Int32Array, float32: Float32Array };

/** xoshiro128** of Blackman and Vigna (2018), its state filled by SplitMix32: a seed gives the same numbers everywhere. */
export class Random {
  constructor(seed) {
    let state = seed >>> 0;
    this.state = Uint32Array.from({ length: 4 }, () => {
      state = (state + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    });
  }

  /** A uniform number, 0 <= u < 1, in steps of 2^-24, which float32 holds exactly. */
  uniform() {
    const s = this.state;
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return (result >>> 8) / 2 ** 24;
  }

  /** A standard normal number, by Box and Muller (1958). */
  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}

export class Model {
  /**
   * Load LiteRT and the files of a model. Throws an Error whose message is a sentence for the reader.
   * @param {string} folder of the export, with a slash at the end
   * @param {string} runtime where LiteRT's .wasm files are, with a slash at the end
   */
  static async load(folder, runtime) {
    const answer = await fetch(`${folder}model.json`);
    if (!answer.ok) {
      throw new Error(`${folder}model.json: ${answer.status}. musae export RUN --format litert --to ${folder} writes it.`);
    }
    const facts = await answer.json();
    await loadLiteRt(runtime);
    const compiled = {};
    for (const name of FILES) compiled[name] = await loadAndCompile(`${folder}${name}.tflite`, { accelerator: 'wasm' });
    return new Model(facts, compiled);
  }

  constructor(facts, compiled) {
    this.facts = facts;
    this.compiled = compiled;
  }

  /**
   * A phrase of a genre.
   * @param {number} genre its number
   * @param {number} seed 0 or more
   * @param {number} temperature 0 takes the most probable symbol
   * @returns tokens Int32Array [T * K], their logProbability, and what they were made of: normal, latent, chances
   */
  async sample(genre, seed, temperature) {
    const random = new Random(seed);
    const { latent: size, steps, chances: width } = this.facts;
    const normal = Float32Array.from({ length: size }, () => random.normal());
    const chances = Float32Array.from({ length: steps * width }, () => random.uniform());
    const { latent } = await this.run('draw', { genre: [genre], normal });
    const made = await this.run('decode', { latent, temperature: [temperature], chances });
    return { tokens: made.tokens, logProbability: made.log_probability[0], normal, latent, chances };
  }

  /** Call a file with values by name; what it takes and gives stands in the order of model.json. */
  async run(name, values) {
    const file = this.facts.files[name];
    const inputs = file.inputs.map(({ name: key, dtype, shape }) => new Tensor(ARRAYS[dtype].from(values[key]), shape));
    const outputs = await this.compiled[name].run(inputs);
    const found = {};
    for (const [number, key] of file.outputs.entries()) found[key] = await outputs[number].data();
    for (const tensor of [...inputs, ...outputs]) tensor.delete(); // WebAssembly's memory is not collected
    return found;
  }
}
