// Chats as this browser keeps them: one entry each, so that two windows do not overwrite each other's. What is read back
// is checked, for anybody with the browser can have written it.
const PREFIX = "smolforge-chat:", SETTINGS = "smolforge-settings", KEY = "smolforge-key", OPEN = "smolforge-open";
const MOST_CHATS = 100;
const ROLES = ["user", "assistant", "tool"];

function newChat() {
  return { id: Date.now().toString(36) + Math.random().toString(36).slice(2, 8), title: "", changed: 0, messages: [] };
}

function isMessage(one) {
  if (!one || !ROLES.includes(one.role)) return false;
  const calls = one.role === "assistant" && Array.isArray(one.tool_calls) ? one.tool_calls : null;
  const isCall = (call) => typeof call?.function?.name === "string" && typeof call.function.arguments === "string";
  return calls ? calls.every(isCall) : typeof one.content === "string" && one.tool_calls === undefined;
}

function readChat(id) {
  try {
    const read = JSON.parse(localStorage.getItem(PREFIX + id));
    if (!read || !Array.isArray(read.messages)) return null;
    return { id, title: String(read.title || "").slice(0, 80), changed: Number(read.changed) || 0, messages: read.messages.filter(isMessage) };
  } catch { return null; }
}

// All of them, the latest first.
function readChats() {
  const found = [];
  try {
    for (let n = 0; n < localStorage.length; n += 1) {
      const key = localStorage.key(n);
      const chat = key.startsWith(PREFIX) ? readChat(key.slice(PREFIX.length)) : null;
      if (chat) found.push(chat);
    }
  } catch { /* switched off: none is kept */ }
  return found.sort((a, b) => b.changed - a.changed);
}

// Whether it could be kept; the oldest make room.
function keepChat(chat) {
  const first = chat.messages.find((m) => m.role === "user");
  chat.title = chat.title || (first ? first.content.trim().split("\n")[0].slice(0, 80) : "");
  chat.changed = Date.now();
  const older = readChats().filter((one) => one.id !== chat.id);
  for (const one of older.slice(MOST_CHATS - 1)) removeChat(one.id);
  for (;;) {
    try { localStorage.setItem(PREFIX + chat.id, JSON.stringify(chat)); return true; } catch { /* full, or switched off */ }
    const oldest = older.pop();
    if (!oldest) return false;
    removeChat(oldest.id);
  }
}

function removeChat(id) {
  try { localStorage.removeItem(PREFIX + id); } catch { /* it was never kept */ }
}

// The chat that this window had open, when it is loaded again.
function readOpen() {
  try { return readChat(sessionStorage.getItem(OPEN)); } catch { return null; }
}

function keepOpen(id) {
  try { sessionStorage.setItem(OPEN, id); } catch { /* switched off: a new one is opened */ }
}

function readSettings() {
  try { return { ...JSON.parse(localStorage.getItem(SETTINGS)), key: sessionStorage.getItem(KEY) || "" }; } catch { return {}; }
}

// The key is kept as long as the window is open, and no longer.
function keepSettings({ key, ...settings }) {
  try {
    localStorage.setItem(SETTINGS, JSON.stringify(settings));
    sessionStorage.setItem(KEY, key);
  } catch { /* switched off: not kept */ }
}
