// Markdown as nodes. Every letter of the text reaches the page through text nodes; nothing is ever parsed as HTML,
// no picture is loaded, and a link leads to http, https or mailto alone. Each line and letter is looked at a bounded
// number of times, whatever the text is.
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`\n]*)$/;
const ITEM = /^( {0,12})([-*+]|\d{1,9}[.)])[ \t]+(.*)$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const DIVIDER = /^ {0,3}\|?[ \t]*:?-{1,40}:?[ \t]*(?:\|[ \t]*:?-{1,40}:?[ \t]*){0,40}\|?[ \t]*$/;
const LINK = /^https?:\/\/|^mailto:/i;
const DEEPEST = 4;
const LONGEST_DIVIDER = 1000;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function button(label, act, className) {
  const made = element("button", className || "", label);
  made.type = "button";
  made.addEventListener("click", () => act(made));
  return made;
}

// The text as nodes below `into`, which is emptied first.
function showMarkdown(text, into) {
  into.replaceChildren(...blocks(text.split("\n"), 0));
}

function blocks(lines, depth) {
  const made = [];
  for (let at = 0; at < lines.length;) {
    const fence = FENCE.exec(lines[at]);
    if (!lines[at].trim()) { at += 1; continue; }
    const [node, next] = fence ? codeBlock(lines, at, fence) : block(lines, at, depth);
    made.push(node);
    at = next;
  }
  return made;
}

function codeBlock(lines, at, fence) {
  const closes = new RegExp("^ {0,3}" + fence[1][0] + "{" + fence[1].length + ",}[ \\t]*$");
  let end = at + 1;
  while (end < lines.length && !closes.test(lines[end])) end += 1;
  const code = lines.slice(at + 1, end).join("\n");
  const box = element("div", "code");
  const bar = box.appendChild(element("div", "code-bar"));
  bar.append(element("span", "", fence[2].trim().slice(0, 40) || "text"), button("Copy code", (b) => copyText(code, b, "Copy code")));
  const pre = box.appendChild(element("pre"));
  pre.tabIndex = 0;
  pre.append(element("code", "", code));
  return [box, end + 1];
}

function block(lines, at, depth) {
  const heading = HEADING.exec(lines[at]);
  if (heading) return [filled(element("h" + Math.min(6, heading[1].length + 2)), heading[2].replace(/[ \t]#+[ \t]*$/, "")), at + 1];
  if (RULE.test(lines[at])) return [element("hr"), at + 1];
  if (depth < DEEPEST && QUOTE.test(lines[at])) return quote(lines, at, depth);
  if (depth < DEEPEST && ITEM.test(lines[at])) return list(lines, at, depth);
  if (at + 1 < lines.length && lines[at].includes("|") && isDivider(lines[at + 1])) return table(lines, at);
  return paragraph(lines, at, depth);
}

function startsBlock(line, depth) {
  return !line.trim() || FENCE.test(line) || HEADING.test(line) || RULE.test(line) ||
    (depth < DEEPEST && (QUOTE.test(line) || ITEM.test(line)));
}

function paragraph(lines, at, depth) {
  let end = at + 1;
  while (end < lines.length && !startsBlock(lines[end], depth)) end += 1;
  return [filled(element("p"), lines.slice(at, end).join("\n")), end];
}

function quote(lines, at, depth) {
  const inside = [];
  for (let found; at < lines.length && (found = QUOTE.exec(lines[at])); at += 1) inside.push(found[1]);
  const made = element("blockquote");
  made.append(...blocks(inside, depth + 1));
  return [made, at];
}

// An item goes on as long as its lines are indented more than its mark.
function list(lines, at, depth) {
  const first = ITEM.exec(lines[at]), isNumbered = /\d/.test(first[2]);
  const made = element(isNumbered ? "ol" : "ul");
  if (isNumbered && first[2].slice(0, -1) !== "1") made.start = Number(first[2].slice(0, -1));
  while (at < lines.length) {
    const found = ITEM.exec(lines[at]);
    if (!found || found[1].length !== first[1].length || /\d/.test(found[2]) !== isNumbered) break;
    const inside = [found[3]], indent = first[1].length + 1;
    for (at += 1; at < lines.length; at += 1) {
      const blank = !lines[at].trim(), deeper = lines[at].search(/\S/) >= indent;
      if (blank ? !(at + 1 < lines.length && lines[at + 1].search(/\S/) >= indent) : !deeper) break;
      inside.push(blank ? "" : lines[at].slice(Math.min(lines[at].search(/\S/), indent + 1 + first[2].length - 1)));
    }
    while (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] || "")) at += 1;  // items with a gap between
    made.appendChild(element("li")).append(...blocks(inside, depth + 1));
  }
  return [made, at];
}

function isDivider(line) {
  return line.length <= LONGEST_DIVIDER && DIVIDER.test(line);
}

function cellsOf(line) {
  return line.trim().replace(/^\||\|$/g, "").split("|").slice(0, 40);
}

function table(lines, at) {
  const box = element("div", "table"), made = box.appendChild(element("table"));
  box.tabIndex = 0;
  const heads = cellsOf(lines[at]);
  const head = made.createTHead().insertRow();
  for (const cell of heads) head.append(filled(element("th"), cell.trim()));
  const body = made.createTBody();
  for (at += 2; at < lines.length && lines[at].includes("|"); at += 1) {
    const row = body.insertRow();
    for (const cell of cellsOf(lines[at]).slice(0, heads.length)) row.append(filled(element("td"), cell.trim()));
  }
  return [box, at];
}

function filled(node, text) {
  node.append(...inline(text, 0));
  return node;
}

const MARKS = [["**", "strong"], ["__", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];

// `none` remembers marks that do not come again, so that a text of a million stars is not searched a million times.
function inline(text, depth) {
  const made = [], none = new Set();
  let plain = "", at = 0;
  const flush = () => { if (plain) made.push(document.createTextNode(plain)); plain = ""; };
  while (at < text.length) {
    const found = inlineAt(text, at, depth, none);
    if (!found) { plain += text[at]; at += 1; continue; }
    flush();
    if (typeof found[0] === "string") plain = found[0]; else made.push(found[0]);
    at = found[1];
  }
  flush();
  return made;
}

// `[node or text, where it ends]` of what begins at a place; nothing where nothing does.
function inlineAt(text, at, depth, none) {
  const letter = text[at];
  if (letter === "\\" && /[\\`*_~[\]()#>|-]/.test(text[at + 1] || "")) return [text[at + 1], at + 2];
  if (letter === "`") return codeSpan(text, at, none);
  if (letter === "[" || letter === "!") return link(text, at);
  if (letter === "h" && text.startsWith("http", at) && !/\w/.test(text[at - 1] || "")) return bareLink(text, at);
  return depth < DEEPEST && "*_~".includes(letter) ? emphasis(text, at, depth, none) : null;
}

function emphasis(text, at, depth, none) {
  for (const [mark, tag] of MARKS) {
    const from = at + mark.length;
    if (!text.startsWith(mark, at) || none.has(mark) || !/\S/.test(text[from] || "")) continue;
    if (mark[0] === "_" && /\w/.test(text[at - 1] || "")) continue;  // snake_case is a word
    const end = closing(text, from, mark);
    if (end < 0) { none.add(mark); continue; }
    const made = element(tag);
    made.append(...inline(text.slice(from, end), depth + 1));
    return [made, end + mark.length];
  }
  return null;
}

function closing(text, from, mark) {
  for (let end = text.indexOf(mark, from + 1); end > 0; end = text.indexOf(mark, end + 1)) {
    const isLonger = mark.length === 1 && (text[end + 1] === mark || text[end - 1] === mark);
    const inWord = mark[0] === "_" && /\w/.test(text[end + mark.length] || "");
    if (!isLonger && !inWord && /\S/.test(text[end - 1])) return end;
  }
  return -1;
}

function codeSpan(text, at, none) {
  let ticks = 1;
  while (text[at + ticks] === "`" && ticks < 8) ticks += 1;
  const mark = "`".repeat(ticks), end = none.has(mark) ? -1 : text.indexOf(mark, at + ticks);
  if (end < 0) { none.add(mark); return [mark, at + ticks]; }
  return [element("code", "", text.slice(at + ticks, end).replace(/^ (.+) $/, "$1")), end + ticks];
}

const LONGEST_LINK = 2000, LONGEST_WORDS = 500;

function link(text, at) {
  const isPicture = text[at] === "!";
  if (isPicture && text[at + 1] !== "[") return null;
  const open = at + (isPicture ? 2 : 1), middle = open + text.slice(open, open + LONGEST_WORDS).indexOf("](");
  if (middle < open || text.slice(open, middle).includes("[")) return null;
  const end = text.slice(middle + 2, middle + 2 + LONGEST_LINK).indexOf(")");
  const goal = end < 0 ? "" : text.slice(middle + 2, middle + 2 + end).trim().split(/\s/)[0];
  if (!LINK.test(goal)) return null;
  const words = text.slice(open, middle);
  return [anchor(goal, isPicture ? "picture: " + (words || goal) : words), middle + 3 + end];
}

function bareLink(text, at) {
  const found = /^https?:\/\/[^\s<>"'`]{1,2000}/.exec(text.slice(at, at + LONGEST_LINK));
  const goal = found && found[0].replace(/[.,;:!?)\]*_~]+$/, "");
  return goal ? [anchor(goal, goal), at + goal.length] : null;
}

function anchor(goal, words) {
  const made = element("a", "", words);
  made.href = goal;
  made.title = goal;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}

async function copyText(text, button, label) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // no permission, or not a secure context: the old way still works there
    const area = document.body.appendChild(element("textarea", "hidden-label"));
    area.value = text; area.select();
    document.execCommand("copy");
    area.remove(); button.focus();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
}
