// Asking the server: one request, and its answer as it comes, piece by piece.

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    for (let end; (end = held.indexOf("\n\n")) >= 0; held = held.slice(end + 2)) {
      const data = held.slice(0, end).replace(/^data: /, "");
      if (data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

// What the server says of itself: its model's name, whether it asks for a key, questions to begin with.
async function health() {
  return (await fetch("/health")).json();
}

async function refusalOf(response) {
  try { return (await response.json()).error.message; } catch { return "The server answered " + response.status + "."; }
}

// One answer of the model: `{text, calls, finish, trouble, leftOut, speed}`.
async function stream(request, key, controller, show) {
  const got = { text: "", calls: [], finish: "", trouble: "", leftOut: 0, speed: "" };
  let began = 0;
  try {
    const headers = { "content-type": "application/json" };
    if (key) headers.authorization = "Bearer " + key;
    const response = await fetch("/v1/chat/completions", {
      method: "POST", headers, body: JSON.stringify(request), signal: controller.signal });
    if (!response.ok) throw new Error(await refusalOf(response));
    for await (const event of events(response.body)) {
      if (event.error) throw new Error(event.error.message);
      if (event.usage && began) {
        const count = event.usage.completion_tokens, seconds = (performance.now() - began) / 1000;
        got.speed = count + " tokens" + (seconds < 0.01 ? "" : ", " + Math.round(count / seconds) + " per second");
      }
      got.leftOut = event.left_out_messages || got.leftOut;
      const choice = event.choices && event.choices[0];
      if (!choice) continue;
      got.finish = choice.finish_reason || got.finish;
      for (const { index, ...call } of choice.delta.tool_calls || []) got.calls.push(call);
      if (choice.delta.content) {
        began = began || performance.now();
        got.text += choice.delta.content;
        show(got.text);
      }
    }
  } catch (error) {
    if (error.name === "AbortError") got.finish = "stopped";
    else got.trouble = error instanceof TypeError ? "The server cannot be reached. Is it still running?" : error.message;
  }
  return got;
}
