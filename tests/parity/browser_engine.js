// The exported page's scripts without a browser: `node browser_engine.js FOLDER` reads asked.json, writes answered.json.
const { readFileSync, writeFileSync, openAsBlob } = require("fs");
const { join } = require("path");
const vm = require("vm");
const folder = process.argv[2];
const page = readFileSync(join(folder, "index.html"), "utf8");
const device = JSON.parse(/^const DEVICE = (.*);$/m.exec(page)[1]);
globalThis.onmessage = null;
vm.runInThisContext(device.worker + "\nglobalThis.ours = { Engine, chatIds };");

(async () => {
  const asked = JSON.parse(readFileSync(join(folder, "asked.json"), "utf8"));
  const engine = new ours.Engine(await WebAssembly.compile(Buffer.from(device.wasm, "base64")), device.plan);
  await engine.load(await openAsBlob(join(folder, "model.gguf")));
  const answers = [];
  for (const ids of asked.prompts || []) {
    const answer = [];
    for await (const token of engine.answer(ids, { most: asked.most })) answer.push(token);
    answers.push(answer);
  }
  const { tokenizer } = engine;
  writeFileSync(join(folder, "answered.json"), JSON.stringify({
    answers,
    ids: (asked.texts || []).map((text) => tokenizer.encode(text)),
    markup: (asked.texts || []).map((text) => tokenizer.encode(text, true)),
    bytes: (asked.ids || []).map((ids) => ids.flatMap((id) => [...tokenizer.bytes(id)])),
    chats: (asked.chats || []).map((messages) => ours.chatIds(tokenizer, device.plan.chat, messages)),
  }));
  process.exit();
})();
