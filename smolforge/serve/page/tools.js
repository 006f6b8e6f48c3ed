// Tools to try: what a page can do by itself, without asking anybody. Their names and fields are those that the quick
// start's models learn. Each run gives an object; what goes wrong is an object with `error`, which the model is told.
const ZONES = {
  london: "Europe/London", paris: "Europe/Paris", berlin: "Europe/Berlin", rome: "Europe/Rome", madrid: "Europe/Madrid",
  lisbon: "Europe/Lisbon", athens: "Europe/Athens", moscow: "Europe/Moscow", cairo: "Africa/Cairo", nairobi: "Africa/Nairobi",
  lagos: "Africa/Lagos", delhi: "Asia/Kolkata", mumbai: "Asia/Kolkata", tokyo: "Asia/Tokyo", seoul: "Asia/Seoul",
  bangkok: "Asia/Bangkok", hanoi: "Asia/Ho_Chi_Minh", manila: "Asia/Manila", sydney: "Australia/Sydney",
  toronto: "America/Toronto", boston: "America/New_York", miami: "America/New_York", chicago: "America/Chicago",
  dallas: "America/Chicago", denver: "America/Denver", havana: "America/Havana", lima: "America/Lima", quito: "America/Guayaquil",
};
const SIGNS = {
  "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b,
  plus: (a, b) => a + b, minus: (a, b) => a - b, times: (a, b) => a * b,
};

const TOOLS = [
  {
    name: "calculate", description: "Works out two numbers.", ask: "What is 12 times 7?",
    fields: { first: "integer", sign: "string", second: "integer" },
    run({ first, sign, second }) {
      const work = Object.hasOwn(SIGNS, sign) ? SIGNS[sign] : null, result = work && work(Number(first), Number(second));
      return Number.isFinite(result) ? { result } : { error: "this cannot be worked out" };
    },
  },
  {
    name: "random_number", description: "Draws a number.", ask: "Pick a number between 1 and 6.",
    fields: { low: "integer", high: "integer" },
    run({ low, high }) {
      const least = Math.ceil(Number(low)), most = Math.floor(Number(high));
      if (!(least <= most)) return { error: "there is no such number" };
      return { number: least + Math.floor(Math.random() * (most - least + 1)) };
    },
  },
  {
    name: "get_time", description: "The time in a city.", ask: "What time is it in Tokyo?",
    fields: { city: "string" },
    run({ city }) {
      const name = String(city).trim().toLowerCase();
      if (!Object.hasOwn(ZONES, name)) return { error: "this page does not know the time there" };
      return { time: new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: ZONES[name] }) };
    },
  },
];

// The tools with these names, as the server is told of them.
function toolsAsked(names) {
  return TOOLS.filter((tool) => names.includes(tool.name)).map((tool) => ({
    type: "function",
    function: {
      name: tool.name, description: tool.description,
      parameters: {
        type: "object", required: Object.keys(tool.fields),
        properties: Object.fromEntries(Object.entries(tool.fields).map(([name, type]) => [name, { type }])),
      },
    },
  }));
}

// What a call of the model gives, as JSON text.
function runTool(call) {
  const tool = TOOLS.find((one) => one.name === call.function.name);
  try {
    const values = JSON.parse(call.function.arguments || "{}");
    return JSON.stringify(tool ? tool.run(values && typeof values === "object" ? values : {}) : { error: "there is no such tool" });
  } catch {
    return JSON.stringify({ error: "the arguments are no JSON" });
  }
}
