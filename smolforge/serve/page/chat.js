const $ = (id) => document.getElementById(id);
const MOST_CALLS = 4;        // rounds of tools for one question
const LONG_TEXT = 20000;     // from here on an answer is shown as plain text until it is complete
let chat = newChat();
let running = null;          // the AbortController of the answer being written
let undo = null;             // the chat that was removed last
let isExample = false;       // an example is answered as it was seen to be: by the likeliest words

// ---- turns

function addTurn(message, at) {
  $("empty").hidden = true;
  const role = message.role === "tool" || message.tool_calls ? "call" : message.role;
  const turn = element("article", "turn " + role);
  turn.append(element("p", "who", role === "user" ? "You" : role === "call" ? "Tool" : $("name").textContent));
  const body = turn.appendChild(element("div", "text"));
  const about = turn.appendChild(element("div", "about"));
  if (role === "assistant") {
    showMarkdown(message.content, body);
    about.append(button("Copy", (b) => copyText(message.content, b, "Copy")));
    about.append(button("Again", () => again(at), "again"), element("span", "speed"));
  } else if (role === "user") {
    body.textContent = message.content;
    about.append(button("Edit", () => edit(turn, at), "edit-it"));
  } else {
    body.textContent = message.tool_calls ? message.tool_calls.map(callWords).join("\n") : "gives " + message.content;
  }
  $("log").append(turn);
  return { turn, body, about };
}

function callWords(call) {
  return "asks for " + call.function.name + " " + call.function.arguments;
}

function showChat() {
  $("log").replaceChildren();
  $("empty").hidden = chat.messages.length > 0;
  chat.messages.forEach(addTurn);
  showAgain();
  toEnd();
}

// Only the last answer can be asked for again; an earlier one would take what follows with it.
function showAgain() {
  const all = [...document.querySelectorAll(".again")];
  all.forEach((one, n) => { one.hidden = n < all.length - 1 || chat.messages.at(-1)?.role !== "assistant"; });
}

function addNote(text, bad) {
  $("empty").hidden = true;
  const note = element("p", bad ? "note bad" : "note", text);
  $("log").append(note);
  toEnd();
  return note;
}

function cutBack(length) {
  chat.messages.length = length;
  showChat();
}

function again(at) {
  if (running) return;
  cutBack(at);
  answer();
}

function edit(turn, at) {
  if (running || turn.querySelector("textarea")) return;
  const before = chat.messages[at].content, body = turn.querySelector(".text"), about = turn.querySelector(".about");
  const area = element("textarea", "edit");
  area.value = before; area.rows = Math.min(12, before.split("\n").length + 1); area.ariaLabel = "Edit your message";
  const leave = () => { body.textContent = before; about.replaceChildren(button("Edit", () => edit(turn, at), "edit-it")); $("message").focus(); };
  const send = () => {
    if (!area.value.trim() || running) return;
    cutBack(at);
    ask(area.value.trim());
  };
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.stopPropagation(); leave(); }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
  });
  body.replaceChildren(area);
  about.replaceChildren(button("Send", send), button("Cancel", leave));
  area.focus();
}

// ---- chats

function listChats() {
  const chats = readChats();
  $("chats").replaceChildren(...chats.map((one) => {
    const item = element("li");
    if (one.id === chat.id) item.setAttribute("aria-current", "true");
    const open = button(one.title || "(no title)", () => openChat(one.id), "open"), gone = button("×", () => remove(one), "remove");
    open.title = one.title + ", " + new Date(one.changed).toLocaleString();
    gone.ariaLabel = "Remove " + (one.title || "this chat");
    item.append(open, gone);
    return item;
  }));
}

function openChat(id) {
  if (running) return;
  chat = (id && readChat(id)) || newChat();
  showChat();
  listChats();
  showSide(false);
  $("message").focus();
}

function remove(one) {
  if (running) return;
  undo = one;
  removeChat(one.id);
  $("side-note").replaceChildren("Removed. ", button("Bring it back", () => {
    keepChat(undo);
    $("side-note").textContent = "Chats are kept in this browser alone.";
    listChats();
  }));
  if (one.id === chat.id) { chat = newChat(); showChat(); }
  listChats();
}

function showSide(open) {
  $("side").classList.toggle("open", open);
  $("veil").hidden = !open;
  $("show-chats").setAttribute("aria-expanded", String(open));
}

function save() {
  if (chat.messages.length && !keepChat(chat) && !$("log").querySelector(".unkept"))
    addNote("This browser has no room for the chat; it is lost when you leave.", true).classList.add("unkept");
  listChats();
}

// ---- asking

const box = $("log-box");
const atEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 80;
function toEnd() { box.scrollTop = box.scrollHeight; }

function fitMessage() {
  const area = $("message");
  area.style.height = "auto";
  area.style.height = area.scrollHeight + "px";
}

function setRunning(controller) {
  running = controller;
  const works = controller !== null;
  $("send").hidden = works;
  $("stop").hidden = !works;
  for (const one of document.querySelectorAll("#new, #chats button, .again, .edit-it, #examples button")) one.disabled = works;
}

function number(id, least, most, usual) {
  const value = $(id).valueAsNumber;
  return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : usual;
}

const toolsChosen = () => [...document.querySelectorAll("#tools input:checked")].map((one) => one.value);

function request() {
  const system = $("system").value.trim(), tools = toolsAsked(toolsChosen());
  return {
    messages: system ? [{ role: "system", content: system }, ...chat.messages] : chat.messages,
    ...(tools.length ? { tools } : {}),
    temperature: isExample ? 0 : number("temperature", 0, 2, 0.2),
    max_tokens: Math.round(number("tokens", 1, 100000, 512)),
    stream: true, stream_options: { include_usage: true }, truncation: "auto",
  };
}

// Shows what has come, at most once a frame; a reader of the screen hears it when it is complete.
function painter(body) {
  let text = "", waiting = false;
  const paint = () => {
    waiting = false;
    const follow = atEnd();
    if (text.length > LONG_TEXT) body.textContent = text; else showMarkdown(text, body);
    if (follow) toEnd();
  };
  return (whole) => { text = whole; if (!waiting) { waiting = true; requestAnimationFrame(paint); } };
}

async function answer() {
  const controller = new AbortController();
  let got;
  for (let round = 0; ; round += 1) {
    got = await answerOnce(controller);
    if (!got.calls.length || got.trouble || got.finish === "stopped") break;
    runCalls(got);
    if (round === MOST_CALLS) { addNote("The model called tools " + MOST_CALLS + " times for one question; it is stopped here."); break; }
  }
  if (!got.text && !got.calls.length && (got.trouble || got.finish === "stopped")) takeBack();
  if (got.trouble) addNote(got.trouble, true);
  else if (got.finish === "stopped") addNote("Stopped.");
  else if (got.finish === "length") addNote("Cut at the longest answer; Settings can raise it.");
  else if (!got.text && !got.calls.length) addNote("The model said nothing.");
  if (got.leftOut) addNote("The model can no longer see the oldest " + got.leftOut + " messages.");
  isExample = false;
  setRunning(null);
  save();
  showAgain();
  $("message").focus();
}

async function answerOnce(controller) {
  const at = chat.messages.length, message = { role: "assistant", content: "" };
  const { turn, body, about } = addTurn(message, at);
  setRunning(controller);
  turn.classList.add("writing");
  turn.setAttribute("aria-busy", "true");
  toEnd();
  const got = await stream(request(), $("key").value, controller, painter(body));
  turn.classList.remove("writing");
  turn.removeAttribute("aria-busy");
  message.content = got.text;
  if (got.text) { chat.messages.push(message); showMarkdown(got.text, body); about.querySelector(".speed").textContent = got.speed; }
  else turn.remove();
  return got;
}

// The calls, and what this page gives for them, as the model will see them.
function runCalls(got) {
  const said = got.text ? chat.messages.pop() : { role: "assistant", content: null };
  if (got.text) $("log").lastElementChild.remove();
  const asked = { ...said, tool_calls: got.calls };
  const results = got.calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: runTool(call) }));
  for (const one of [asked, ...results]) { chat.messages.push(one); addTurn(one, chat.messages.length - 1); }
  toEnd();
}

// A message without an answer goes back into the box, so that nobody types it twice.
function takeBack() {
  const last = chat.messages.at(-1);
  if (last?.role !== "user") return;
  cutBack(chat.messages.length - 1);
  if (!$("message").value) { $("message").value = last.content; fitMessage(); }
}

function ask(text) {
  chat.messages.push({ role: "user", content: text });
  addTurn(chat.messages.at(-1), chat.messages.length - 1);
  save();
  answer();
}

// ---- the page

function readBack() {
  const state = readSettings();
  for (const id of ["system", "temperature", "tokens", "key"]) if (typeof state[id] === "string") $(id).value = state[id];
  for (const tool of TOOLS) {
    const label = $("tools").appendChild(element("label")), check = label.appendChild(element("input"));
    check.type = "checkbox"; check.value = tool.name;
    check.checked = Array.isArray(state.chosen) && state.chosen.includes(tool.name);
    label.append(element("span", "", tool.name.replace("_", " ") + ": “" + tool.ask + "”"));
  }
  chat = readOpen() || newChat();
}

function keepState() {
  keepSettings({ system: $("system").value, temperature: $("temperature").value, tokens: $("tokens").value, key: $("key").value, chosen: toolsChosen() });
}

function showExamples(told) {
  const asked = Array.isArray(told.examples) ? told.examples : [];
  $("examples-told").hidden = !asked.length;
  $("examples-told").textContent = told.examples_seen ? "It was seen to answer these rightly, at temperature 0:" : "To begin with:";
  $("examples").replaceChildren(...asked.map((text) => {
    const item = element("li");
    item.append(button(text, () => { isExample = Boolean(told.examples_seen); ask(text); }));
    return item;
  }));
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("message").value.trim();
  if (!text || running) return;
  $("message").value = "";
  fitMessage();
  ask(text);
});
$("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("ask").requestSubmit();
  } else if (event.key === "ArrowUp" && !$("message").value) {
    const last = [...document.querySelectorAll(".edit-it")].at(-1);
    if (last) { event.preventDefault(); last.click(); }
  }
});
$("message").addEventListener("input", fitMessage);
$("stop").addEventListener("click", () => running && running.abort());
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (running) running.abort();
  else if ($("side").classList.contains("open")) { showSide(false); $("show-chats").focus(); }
});
$("new").addEventListener("click", () => openChat(null));
$("show-chats").addEventListener("click", () => { showSide(true); $("new").focus(); });
$("veil").addEventListener("click", () => showSide(false));
$("show-settings").addEventListener("click", () => {
  const open = $("settings").hidden;
  $("settings").hidden = !open;
  $("show-settings").setAttribute("aria-expanded", String(open));
  if (open) { box.scrollTop = 0; $("system").focus(); }
});
$("settings").addEventListener("input", keepState);
$("settings").addEventListener("submit", (event) => event.preventDefault());
addEventListener("storage", listChats);
addEventListener("pagehide", () => keepOpen(chat.id));
health().then((told) => {
  $("name").textContent = told.model;
  document.title = told.model + " · chat";
  $("key-box").hidden = !told.key_required;
  showExamples(told);
  for (const who of document.querySelectorAll(".assistant .who")) who.textContent = told.model;
}).catch(() => addNote("The server cannot be reached.", true));
readBack();
showChat();
listChats();
