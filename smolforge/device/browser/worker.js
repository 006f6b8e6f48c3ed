// The worker: loads the model once, then writes one answer at a time; between two tokens it hears whether to stop.
let engine = null, isStopped = false;
const bell = new MessageChannel();
let wake = () => {};
bell.port1.onmessage = () => wake();

function pause() {
  return new Promise((done) => { wake = () => done(isStopped); bell.port2.postMessage(0); });
}

// The latest messages that fit with room for an answer; the system message stays.
function fitted(messages, most) {
  const system = messages[0]?.role === "system" ? [messages[0]] : [];
  const rest = messages.slice(system.length), room = engine.plan.capacity - Math.min(most, engine.plan.capacity >> 2);
  for (let left = 0; left < rest.length; left += 1) {
    if (rest[left].role !== "user") continue;
    const ids = chatIds(engine.tokenizer, engine.plan.chat, [...system, ...rest.slice(left)]);
    if (ids.length <= room) return { ids, left };
  }
  throw new Error("The message is longer than this model can read here (" + room + " tokens).");
}

async function write({ messages, temperature, most }) {
  const { ids, left } = fitted(messages, most), decoder = new TextDecoder();
  const began = performance.now();
  let count = 0, first = 0;
  for await (const token of engine.answer(ids, { temperature, most, pause })) {
    first = first || performance.now();
    count += 1;
    postMessage({ text: decoder.decode(engine.tokenizer.bytes(token), { stream: true }) });
  }
  const isFull = ids.length + count >= engine.plan.capacity;
  const finish = isStopped ? "stopped" : count >= most || isFull ? "length" : "stop";
  postMessage({ text: decoder.decode(), finish, left, count, prompt: ids.length, promptMs: first - began, ms: performance.now() - first });
}

onmessage = async ({ data }) => {
  if (data.stop) { isStopped = true; return; }
  try {
    if (data.file) {
      engine = new Engine(await WebAssembly.compile(data.wasm), data.plan);
      await engine.load(data.file, (share) => postMessage({ share }));
      postMessage({ ready: true });
    } else {
      isStopped = false;
      await write(data);
    }
  } catch (error) {
    postMessage({ trouble: error instanceof WebAssembly.RuntimeError ? "The engine failed; is there enough memory?" : error.message });
  }
};
