// The model: a GGUF file's weights in the WebAssembly engine, and answers token by token.
const ROOM = 64;             // rows of a step
const ARRAY = 9, TEXT = 8;   // GGUF's kinds of values
const WIDTHS = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

// Lists of texts in a GGUF file's header: `{"tokenizer.ggml.tokens": [...], ...}`.
function textsOf(header) {
  const view = new DataView(header), decoder = new TextDecoder(), found = {};
  let at = 24;
  const number = () => { at += 8; return Number(view.getBigUint64(at - 8, true)); };
  const text = () => { const length = number(); at += length; return decoder.decode(new Uint8Array(header, at - length, length)); };
  for (let left = Number(view.getBigUint64(16, true)); left > 0; left -= 1) {
    const name = text(), kind = view.getUint32(at, true);
    at += 4;
    if (kind === TEXT) { text(); continue; }
    if (kind !== ARRAY) { at += WIDTHS[kind]; continue; }
    const inner = view.getUint32(at, true);
    at += 4;
    const count = number();
    if (inner !== TEXT) { at += count * WIDTHS[inner]; continue; }
    found[name] = Array.from({ length: count }, text);
  }
  return found;
}

// The row of the file that each row here comes from: GGUF turns the halves of heads into pairs.
function parted(rows, heads) {
  const width = rows / heads;
  return Int32Array.from({ length: rows }, (_, r) => {
    const head = Math.floor(r / width), inside = r % width, half = inside >= width / 2 ? 1 : 0;
    return head * width + (inside - half * (width / 2)) * 2 + half;
  });
}

function cosinesAndSines({ theta, headWidth, capacity }, divisors) {
  const half = headWidth / 2, cosines = new Float32Array(capacity * half), sines = new Float32Array(capacity * half);
  for (let i = 0; i < half; i += 1) {
    const rate = Math.exp(-Math.log(theta) * 2 * i / headWidth) / (divisors ? divisors[i] : 1);
    for (let s = 0; s < capacity; s += 1) {
      cosines[s * half + i] = Math.cos(s * rate);
      sines[s * half + i] = Math.sin(s * rate);
    }
  }
  return [cosines, sines];
}

class Engine {
  constructor(module, plan) {
    this.plan = plan;
    this.c = new WebAssembly.Instance(module, {}).exports;
    this.c._initialize();
    if (this.c.engine_knows() !== 1) throw new Error("This browser multiplies wrongly: a product known beforehand came out otherwise. Try another browser.");
    this.held = [];            // tokens whose keys and values are in the cache
  }

  // Memory for an array, filled.
  put(array) {
    const place = this.c.malloc(array.byteLength) >>> 0;
    if (!place) throw new Error("There is not enough memory for this model.");
    new Uint8Array(this.c.memory.buffer).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), place);
    return place;
  }

  must(failed) {
    if (failed) throw new Error("There is not enough memory for this model.");
  }

  async load(file, tick = () => {}) {
    const { plan } = this, { shape, capacity } = plan;
    if (file.size !== plan.bytes) throw new Error("This is not the model's file: it has " + file.size + " bytes, not " + plan.bytes + ".");
    const part = async ([from, length]) => file.slice(from, from + length).arrayBuffer();
    const texts = textsOf(await part([0, plan.headerBytes]));
    this.tokenizer = new Tokenizer(plan.tokenizer, texts["tokenizer.ggml.tokens"], texts["tokenizer.ggml.merges"]);
    const at = this.put(new Int32Array([...shape, 1, capacity, 0]));
    new DataView(this.c.memory.buffer).setFloat32(at + 36, plan.eps, true);
    this.handle = this.c.engine_new(at, 1, ROOM);
    this.must(!this.handle);
    for (const [done, one] of plan.matrices.entries()) {
      const bytes = this.put(new Uint8Array(await part(one.bytes)));
      const order = one.heads ? this.put(parted(one.rows, one.heads)) : 0;
      this.must(this.c.engine_matrix(this.handle, one.layer, one.part, one.type, one.rows, one.width, bytes, order));
      this.c.free(bytes); this.c.free(order);
      tick((done + 1) / plan.matrices.length);
    }
    for (const one of plan.vectors) {
      const values = new Float32Array(await part(one.bytes));
      this.vector(one.layer, one.part, one.heads ? Float32Array.from(parted(values.length, one.heads), (r) => values[r]) : values);
    }
    const divisors = plan.rope.divisors ? new Float32Array(await part(plan.rope.divisors)) : null;
    cosinesAndSines({ ...plan.rope, capacity }, divisors).forEach((table, k) => this.vector(-1, k + 1, table));
    for (const layer of plan.still) this.c.engine_still(this.handle, layer);
    this.c.engine_table(this.handle, plan.table.type, this.put(new Uint8Array(await part(plan.table.bytes))));
    [this.tokens, this.places] = [0, 1].map(() => this.put(new Int32Array(ROOM)));
    this.slots = this.put(new Int32Array(ROOM));
    this.wanted = this.put(new Uint8Array(ROOM));
    this.logits = this.put(new Float32Array(plan.vocabulary));
  }

  vector(layer, part, values) {
    const at = this.put(values);
    this.must(this.c.engine_vector(this.handle, layer, part, at, values.length));
    this.c.free(at);
  }

  // Reads up to ROOM tokens after those held; logits of the last.
  step(ids) {
    const memory = this.c.memory.buffer, count = ids.length;
    new Int32Array(memory, this.tokens, count).set(ids);
    new Int32Array(memory, this.places, count).set(ids.map((_, k) => this.held.length + k));
    new Uint8Array(memory, this.wanted, count).fill(0)[count - 1] = 1;
    if (this.c.engine_step(this.handle, count, this.tokens, this.slots, this.places, this.wanted, this.logits))
      throw new Error("The model was asked for a token that it does not have.");
    this.held.push(...ids);
    return new Float32Array(memory, this.logits, this.plan.vocabulary);
  }

  // An answer's ids as they come. What the cache holds of the prompt is not read again.
  async *answer(prompt, { temperature = 0, most = 512, random = Math.random, pause = async () => false }) {
    if (prompt.length >= this.plan.capacity) throw new Error("The model reads " + (this.plan.capacity - 1) + " tokens here, not " + prompt.length + ".");
    const room = Math.min(most, this.plan.capacity - prompt.length);
    let same = 0, logits;
    while (same < prompt.length - 1 && this.held[same] === prompt[same]) same += 1;
    this.held.length = same;
    for (let at = same; at < prompt.length; at += ROOM) {
      logits = this.step(prompt.slice(at, at + ROOM));
      if (await pause()) return;
    }
    for (let written = 0; written < room; written += 1) {
      const token = chosen(logits, temperature, random);
      if (this.plan.ends.includes(token)) return;
      yield token;
      if (written + 1 === room || await pause()) return;
      logits = this.step([token]);
    }
  }
}

function chosen(logits, temperature, random) {
  let best = 0;
  for (let k = 1; k < logits.length; k += 1) if (logits[k] > logits[best]) best = k;
  if (temperature <= 0) return best;
  const weights = Float64Array.from(logits, (x) => Math.exp((x - logits[best]) / temperature));
  let left = random() * weights.reduce((sum, w) => sum + w, 0);
  for (let k = 0; k < weights.length; k += 1) if ((left -= weights[k]) < 0) return k;
  return best;
}
