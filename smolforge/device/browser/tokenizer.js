// Token ids of a text and back: byte-level BPE with the vocabulary and merges of a GGUF file.
const SPACE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";  // JavaScript's own \s is another
const ENDINGS = "'(?:[sS\\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])";
const REST = `| ?[^${SPACE}\\p{L}\\p{N}]+[\\r\\n]*|[${SPACE}]*[\\r\\n]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`;
const GPT2 = `'(?:s|t|re|ve|m|ll|d)| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`;
const CUTS = {
  smollm: GPT2, gpt2: GPT2,
  llama3: `${ENDINGS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}${REST}`,
  qwen2: `${ENDINGS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${REST}`,
};

// GPT-2's letter for every byte.
const BYTE_LETTERS = (() => {
  const letters = [];
  let next = 256;
  for (let byte = 0; byte < 256; byte += 1) {
    const shows = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    letters.push(String.fromCharCode(shows ? byte : next));
    if (!shows) next += 1;
  }
  return letters;
})();
const LETTER_BYTES = new Map(BYTE_LETTERS.map((letter, byte) => [letter, byte]));

// Cut where `pattern` matches; what lies between is a part too.
function partsOf(text, pattern) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(pattern)) {
    if (found.index > at) parts.push(text.slice(at, found.index));
    parts.push(found[0]);
    at = found.index + found[0].length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}

function anyOf(texts) {
  const longest = [...texts].sort((a, b) => b.length - a.length).map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return longest.length ? new RegExp(longest.join("|"), "gu") : /(?!)/gu;
}

class Tokenizer {
  // plan: {splits, ignoreMerges, added: [[text, is special]], size}; tokens and merges as the file lists them
  constructor(plan, tokens, merges) {
    this.plan = plan;
    this.tokens = tokens.slice(0, plan.size);
    this.ids = new Map(this.tokens.map((token, id) => [token, id]));
    this.ranks = new Map(merges.map((merge, rank) => [merge, rank]));
    this.added = new Map(plan.added.map(([text, special]) => [this.ids.get(text), special]));
    this.markup = anyOf(plan.added.filter(([, special]) => !special).map(([text]) => text));
    this.cuts = new RegExp(CUTS[plan.splits], "gu");
    this.known = new Map();
  }

  // Ids of a text; with `markup` its tags (<tool_call>, say) are tokens of their own. Control tokens stay words.
  encode(text, markup = false) {
    const ids = [], sound = text.toWellFormed ? text.toWellFormed() : text.replace(/\p{Cs}/gu, "\ufffd");
    for (const part of markup ? partsOf(sound, this.markup) : [sound]) {
      if (markup && part.replace(this.markup, "") === "") ids.push(this.ids.get(part));
      else for (const cut of this.cut(part)) ids.push(...this.merged(cut));
    }
    return ids;
  }

  cut(text) {
    const formed = this.plan.splits === "qwen2" ? text.normalize("NFC") : text;
    const parts = this.plan.splits === "smollm" ? partsOf(formed, /\p{N}/gu) : [formed];
    return parts.flatMap((part) => partsOf(part, this.cuts));
  }

  merged(cut) {
    const found = this.known.get(cut);
    if (found) return found;
    let symbols = Array.from(new TextEncoder().encode(cut), (byte) => BYTE_LETTERS[byte]);
    const whole = symbols.join("");
    if (this.plan.ignoreMerges && this.ids.has(whole)) symbols = [whole];
    symbols = symbols.filter((symbol) => this.ids.has(symbol));
    while (symbols.length > 1) {
      let best = Infinity, pair = "";
      for (let i = 0; i + 1 < symbols.length; i += 1) {
        const rank = this.ranks.get(symbols[i] + " " + symbols[i + 1]);
        if (rank < best) { best = rank; pair = symbols[i] + " " + symbols[i + 1]; }
      }
      if (best === Infinity) break;
      symbols = this.joined(symbols, pair);
    }
    const ids = symbols.map((symbol) => this.ids.get(symbol));
    if (this.known.size < 20000 && cut.length < 50) this.known.set(cut, ids);
    return ids;
  }

  joined(symbols, pair) {
    const made = [];
    for (let i = 0; i < symbols.length; i += 1) {
      if (i + 1 < symbols.length && symbols[i] + " " + symbols[i + 1] === pair) {
        made.push(symbols[i] + symbols[i + 1]);
        i += 1;
      } else made.push(symbols[i]);
    }
    return made;
  }

  // The bytes of a token; none of a control token.
  bytes(id) {
    if (this.added.get(id)) return new Uint8Array();
    const token = this.tokens[id] || "";
    const bytes = Array.from(token, (letter) => LETTER_BYTES.get(letter));
    return this.added.has(id) || bytes.includes(undefined) ? new TextEncoder().encode(token) : new Uint8Array(bytes);
  }
}

// Ids of a conversation in the model's own form. Between two messages stands one of six known texts; only in these are
// control tokens looked for, so that nothing a person writes opens or closes a turn.
function chatIds(tokenizer, chat, messages) {
  const controls = anyOf(tokenizer.plan.added.filter(([, special]) => special).map(([text]) => text));
  const ids = [];
  let run = "";
  const flush = () => { ids.push(...tokenizer.encode(run, chat.markup)); run = ""; };
  const frame = (text, isAnswer) => {
    for (const part of partsOf(text, controls)) {
      if (part.replace(controls, "") === "") { flush(); ids.push(tokenizer.ids.get(part)); }
      else run += part;
    }
    if (chat.apart && isAnswer) flush();
  };
  let before = "start";
  for (const { role, content } of alternating(messages)) {
    frame(chat.between[before + "_" + role], role === "assistant");
    run += content;
    before = role;
  }
  frame(chat.between.user_end, true);
  flush();
  return ids;
}

// A question without an answer was answered by nothing.
function alternating(messages) {
  const made = [];
  for (const one of messages) {
    if (one.role === "tool" || one.tool_calls) throw new Error("This chat has calls of tools, which this page cannot give to the model. Start a new one.");
    if (one.role === "user" && made.at(-1)?.role === "user") made.push({ role: "assistant", content: "" });
    made.push(one);
  }
  return made;
}
