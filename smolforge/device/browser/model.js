// Asking the model in this page's own worker; the chat page asks through `health` and `stream`, as it asks a server.
const MODEL_CACHE = "smolforge-models";
let worker = null, hear = () => {};

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

// One message of the worker at a time to whoever waits.
function startWorker() {
  worker = new Worker(URL.createObjectURL(new Blob([DEVICE.worker], { type: "text/javascript" })));
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = (event) => hear({ trouble: "The worker cannot start: " + (event.message || "this browser forbids it") });
}

function telling(words, share) {
  if (!$("loading")) $("log").before(Object.assign(element("p", "note"), { id: "loading" }));
  $("loading").textContent = words + (share === undefined ? "" : " " + Math.floor(100 * share) + "%");
}

// The model's file: kept in the browser's cache, else fetched and kept; where pages may not fetch, a person picks it.
async function modelFile() {
  if (location.protocol === "file:") return pickedFile();
  const address = new URL(DEVICE.plan.file, location.href), key = address.href + "?" + DEVICE.plan.digest;
  const cache = "caches" in globalThis ? await caches.open(MODEL_CACHE) : null;
  const kept = cache && await cache.match(key);
  if (kept) return kept.blob();
  const response = await fetch(address, { cache: "no-store" });
  if (!response.ok) throw new Error("The model's file cannot be fetched: the server answered " + response.status + ".");
  const file = await new Response(response.body.pipeThrough(counting())).blob();
  if (!cache) addNote("This browser keeps files only of pages from https or from this machine; the model is fetched anew each time.");
  else await keep(cache, key, address.href, file);
  return file;
}

async function keep(cache, key, address, file) {
  try {
    for (const old of await cache.keys()) if (old.url.split("?")[0] === address) await cache.delete(old);
    await cache.put(key, new Response(file));
    await navigator.storage?.persist?.();
  } catch { addNote("This browser has no room to keep the model; it is fetched anew each time."); }
}

function counting() {
  let done = 0;
  return new TransformStream({ transform(chunk, out) {
    done += chunk.byteLength;
    telling("Fetching the model:", done / DEVICE.plan.bytes);
    out.enqueue(chunk);
  } });
}

function pickedFile() {
  const note = addNote("Opened from a folder, a page may not read the files beside it. Choose " + DEVICE.plan.file + ", which lies beside this page: ");
  const input = note.appendChild(element("input"));
  input.type = "file"; input.accept = ".gguf"; input.id = "pick"; input.ariaLabel = "The model's file";
  return new Promise((done) => input.addEventListener("change", () => { if (input.files[0]) { note.remove(); done(input.files[0]); } }));
}

let loaded = null;

function load() {
  loaded = loaded || (async () => {
    const file = await modelFile();
    startWorker();
    await new Promise((done, failed) => {
      hear = (data) => {
        if (data.share !== undefined) telling("Preparing the model:", data.share);
        if (data.ready) done();
        if (data.trouble) failed(new Error(data.trouble));
      };
      worker.postMessage({ file, plan: DEVICE.plan, wasm: bytesOf(DEVICE.wasm) });
    });
    telling("");
  })();
  loaded.catch((error) => telling(error.message));
  return loaded;
}

async function health() {
  $("tools").hidden = true;  // no calls are read here
  if ("serviceWorker" in navigator && location.protocol !== "file:") navigator.serviceWorker.register("offline.js").catch(() => {});
  load().catch((error) => addNote(error.message, true));
  return { model: DEVICE.plan.name, key_required: false, examples: [] };
}

// One answer of the model: `{text, calls, finish, trouble, leftOut, speed}`.
async function stream(request, _key, controller, show) {
  const got = { text: "", calls: [], finish: "", trouble: "", leftOut: 0, speed: "" };
  try {
    await load();
    if (controller.signal.aborted) { got.finish = "stopped"; return got; }
    controller.signal.addEventListener("abort", () => worker.postMessage({ stop: true }));
    await new Promise((done, failed) => {
      hear = (data) => {
        if (data.trouble) { failed(new Error(data.trouble)); return; }
        got.text += data.text;
        show(got.text);
        if (data.finish) { finished(got, data); done(); }
      };
      worker.postMessage({ messages: request.messages, temperature: request.temperature, most: request.max_tokens });
    });
  } catch (error) {
    got.trouble = error.message;
  }
  return got;
}

function finished(got, { finish, left, count, ms }) {
  got.finish = finish;
  got.leftOut = left;
  got.speed = count + " tokens" + (count > 1 && ms >= 10 ? ", " + Math.round((count - 1) / ms * 1000) + " per second" : "");
}
