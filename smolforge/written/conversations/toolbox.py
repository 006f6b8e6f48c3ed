"""The tools that chats can use: schema, ways to ask, results, and how the answer is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from smolforge.written.conversations.sentences import DAYS, NAMES
from smolforge.written.conversations.slots import words
from smolforge.written.files import cells, table

Values = dict[str, Any]


@dataclass(frozen=True)
class Tool:
    """One function: `asks` and `tells` are templates over the arguments and the result's fields.

    `missing` is a request without the last argument and the question that it leads to.
    """

    name: str
    description: str
    types: Mapping[str, str]
    draw: Callable[[Random], Values]
    result: Callable[[Random, Values], Values]
    asks: tuple[str, ...]
    tells: tuple[str, ...]
    can: str
    missing: tuple[str, str, str] | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema that the model is shown."""
        properties = {name: {"type": kind} for name, kind in self.types.items()}
        parameters = {"type": "object", "properties": properties, "required": list(self.types)}
        return {"name": self.name, "description": self.description, "parameters": parameters}


CITIES = words(
    "Paris London Rome Berlin Madrid Oslo Cairo Delhi Tokyo Lima Boston Vienna Prague Dublin Lisbon "
    "Athens Moscow Seoul Sydney Toronto Chicago Nairobi Lagos Accra Mumbai Bangkok Hanoi Manila "
    "Havana Quito Bern Geneva Zurich Milan Naples Munich Hamburg Cologne Lyon Nice Porto Krakow "
    "Warsaw Budapest Helsinki Stockholm Copenhagen Dallas Denver Miami"
)
GROCERIES = words(
    "rice apples bananas flour sugar salt tea coffee nuts pasta onions carrots potatoes lemons "
    "oranges beans tomatoes pears plums dates"
)
FOODS = words("pizza sushi pasta curry soup noodles tacos salad fish rice burgers pancakes dumplings cake")
ROOMS = cells("kitchen|bedroom|bathroom|living room|hall|garage|garden|office|attic|cellar", "|")
GENRES = ("jazz", "rock", "folk", "pop", "classical", "country", "piano", "guitar", "dance", "blues", "opera")
TEXTS = ("I am late", "dinner is ready", "see you soon", "call me back", "the train is full", "happy birthday",
         "I found the keys", "the door is open", "bring some milk", "good luck", "I am at home", "wait for me",
         "thank you for the cake", "the shop is closed", "I miss you", "the game starts soon")  # fmt: skip
EVENTS = ("lunch with {name}", "dinner with {name}", "tennis with {name}", "a call with {name}", "the party of {name}",
          "a meeting with {name}", "coffee with {name}", "a walk with {name}", "the visit of {name}")  # fmt: skip
PRODUCTS = ("a red bike", "a tent", "a lamp", "a guitar", "a clock", "a winter coat", "a school bag", "a kettle",
            "a camera", "a desk", "a chair", "a blanket", "a football", "a phone", "a radio", "an umbrella")  # fmt: skip
DICTIONARY = {row["word"]: row for row in table("words")}
WORDS = tuple(DICTIONARY)
LANGUAGES = ("French", "Spanish", "German", "Italian", "Dutch")
SKIES = ("sunny", "cloudy", "rainy", "windy", "snowy", "foggy", "clear", "stormy")


def _pick(**pools: Any) -> Callable[[Random], Values]:
    """Draws one value of each pool."""
    return lambda draw: {name: draw.choice(pool) for name, pool in pools.items()}


def _clock(draw: Random) -> str:
    return f"{draw.randrange(1, 13)}:{draw.choice(('00', '15', '30', '45', '10', '20', '40', '50'))}"


def _two_cities(draw: Random) -> Values:
    start, goal = draw.sample(CITIES, 2)
    return {"start": start, "goal": goal}


def _sum(draw: Random) -> Values:
    sign = draw.choice("++-*")
    first, second = draw.randrange(2, 100), draw.randrange(2, 100)
    if sign == "-":
        first, second = max(first, second), min(first, second)
    if sign == "*":
        first, second = draw.randrange(2, 20), draw.randrange(2, 20)
    return {"first": first, "sign": sign, "second": second}


def _sum_result(draw: Random, values: Values) -> Values:
    first, second = values["first"], values["second"]
    return {"result": {"+": first + second, "-": first - second, "*": first * second}[values["sign"]]}


def _range(draw: Random) -> Values:
    low = draw.randrange(1, 50)
    return {"low": low, "high": low + draw.randrange(5, 50)}


def _event(draw: Random) -> Values:
    return {"title": draw.choice(EVENTS).format(name=draw.choice(NAMES)), "day": draw.choice(DAYS)}


def _done(draw: Random, values: Values) -> Values:
    return {"status": "done"}


TOOLS: tuple[Tool, ...] = (
    Tool(
        "get_weather", "The weather in a city.", {"city": "string"}, _pick(city=CITIES),
        lambda draw, v: {"sky": draw.choice(SKIES), "degrees": draw.randrange(1, 35)},
        ("What is the weather in {city}?", "How is the weather in {city} today?", "Is it warm in {city} now?",
         "Tell me the weather in {city}.", "Do I need a coat in {city}?"),
        ("It is {sky} in {city} and {degrees} degrees.", "In {city} it is {sky} with {degrees} degrees."),
        "check the weather", ("What is the weather like?", "In which city?", "city"),
    ),
    Tool(
        "get_time", "The time in a city.", {"city": "string"}, _pick(city=CITIES),
        lambda draw, v: {"time": _clock(draw)},
        ("What time is it in {city}?", "Tell me the time in {city}.", "How late is it in {city} now?"),
        ("It is {time} in {city}.", "In {city} it is {time} now."),
        "tell the time in a city", ("What time is it there?", "In which city?", "city"),
    ),
    Tool(
        "calculate", "Works out two numbers.", {"first": "integer", "sign": "string", "second": "integer"}, _sum,
        _sum_result,
        ("What is {first} {sign} {second}?", "Work out {first} {sign} {second}.", "Calculate {first} {sign} {second}.",
         "How much is {first} {sign} {second}?"),
        ("{first} {sign} {second} is {result}.", "The answer is {result}."), "work out numbers",
    ),
    Tool(
        "set_timer", "Starts a timer.", {"minutes": "integer"}, lambda draw: {"minutes": draw.randrange(2, 90)}, _done,
        ("Set a timer for {minutes} minutes.", "Start a timer of {minutes} minutes, please.",
         "Wake me in {minutes} minutes.", "I need a timer for {minutes} minutes."),
        ("Your timer is set for {minutes} minutes.", "The timer runs for {minutes} minutes."),
        "set a timer", ("Set a timer, please.", "For how many minutes?", "minutes"),
    ),
    Tool(
        "set_alarm", "Sets an alarm.", {"time": "string"}, lambda draw: {"time": _clock(draw)}, _done,
        ("Set an alarm for {time}.", "Wake me up at {time}.", "I must get up at {time}. Please set an alarm.",
         "Please set the alarm to {time}."),
        ("Your alarm is set for {time}.", "I will wake you at {time}."),
        "set an alarm", ("Please set an alarm.", "For what time?", "time"),
    ),
    Tool(
        "send_message", "Sends a message to a person.", {"to": "string", "text": "string"},
        _pick(to=NAMES, text=TEXTS), _done,
        ("Send {to} the message '{text}'.", "Write to {to}: {text}.", "Text {to}: {text}.",
         "Tell {to} '{text}'."),
        ("I sent your message to {to}.", "Done. {to} has your message."),
        "send messages", ("Send a message to {to}.", "What should it say?", "text"),
    ),
    Tool(
        "call_person", "Calls a person.", {"name": "string"}, _pick(name=NAMES), _done,
        ("Call {name}.", "Please phone {name}.", "I want to talk to {name} on the phone.", "Ring {name} for me."),
        ("I am calling {name} now.", "Calling {name}."),
        "call people", ("Make a call for me.", "Whom should I call?", "name"),
    ),
    Tool(
        "translate", "Translates a word.", {"word": "string", "language": "string"},
        _pick(word=WORDS, language=LANGUAGES),
        lambda draw, v: {"translation": DICTIONARY[v["word"]][v["language"]]},
        ("Translate '{word}' into {language}.", "What is '{word}' in {language}?", "How do you say '{word}' in {language}?",
         "I need the {language} word for '{word}'."),
        ("'{word}' is '{translation}' in {language}.", "In {language} you say '{translation}'."),
        "translate words", ("Translate '{word}' for me.", "Into which language?", "language"),
    ),
    Tool(
        "define_word", "The meaning of a word.", {"word": "string"}, _pick(word=WORDS),
        lambda draw, v: {"meaning": DICTIONARY[v["word"]]["meaning"]},
        ("What does '{word}' mean?", "Define '{word}'.", "Look up '{word}' in the dictionary."),
        ("'{word}' means: {meaning}.", "It means: {meaning}."), "look up words",
        ("Look up a word for me.", "Which word?", "word"),
    ),
    Tool(
        "add_to_list", "Puts bags of something on the list.", {"item": "string", "bags": "integer"},
        lambda draw: {"item": draw.choice(GROCERIES), "bags": draw.randrange(2, 13)},
        lambda draw, v: {"length": draw.randrange(1, 15)},
        ("Put {bags} bags of {item} on my list.", "Add {bags} bags of {item} to the shopping list.",
         "I need {bags} bags of {item}. Put them on the list."),
        ("I added {bags} bags of {item}. Your list has {length} lines now.", "{bags} bags of {item} are on your list now."),
        "keep your shopping list",
    ),
    Tool(
        "find_food", "Finds a place to eat.", {"food": "string", "city": "string"}, _pick(food=FOODS, city=CITIES),
        lambda draw, v: {"place": f"{draw.choice(NAMES)}'s {draw.choice(('Kitchen', 'Table', 'Corner', 'House'))}"},
        ("Where can I eat {food} in {city}?", "Find {food} in {city}.", "I am in {city} and I want {food}.",
         "Find me a place for {food} in {city}."),
        ("You can eat {food} at {place} in {city}.", "Try {place} in {city}."),
        "find places to eat", ("Where can I eat {food}?", "In which city?", "city"),
    ),
    Tool(
        "play_music", "Plays music in a room.", {"style": "string", "room": "string"}, _pick(style=GENRES, room=ROOMS), _done,
        ("Play {style} music in the {room}.", "I want to hear {style} music in the {room}.", "Put on some {style} music in the {room}."),
        ("Now playing {style} music in the {room}.", "Enjoy the {style} music in the {room}."),
        "play music", ("Play {style} music.", "In which room?", "room"),
    ),
    Tool(
        "set_light", "Turns the light of a room on or off.", {"room": "string", "state": "string"},
        _pick(room=ROOMS, state=("on", "off")), _done,
        ("Turn {state} the light in the {room}.", "Switch the {room} light {state}.", "Turn the {room} light {state}, please.",
         "The light in the {room} should be {state}."),
        ("The light in the {room} is {state} now.", "Done. The {room} light is {state}."), "switch lights",
    ),
    Tool(
        "find_train", "Finds the next train.", {"start": "string", "goal": "string"}, _two_cities,
        lambda draw, v: {"time": _clock(draw), "platform": draw.randrange(1, 15)},
        ("When is the next train from {start} to {goal}?", "I need a train from {start} to {goal}.",
         "How do I get from {start} to {goal} by train?", "Find me a train to {goal} from {start}."),
        ("The next train from {start} to {goal} leaves at {time} from platform {platform}.",
         "A train to {goal} leaves at {time} from platform {platform}."),
        "find trains", ("When is the next train from {start}?", "Where do you want to go?", "goal"),
    ),
    Tool(
        "random_number", "Draws a number.", {"low": "integer", "high": "integer"}, _range,
        lambda draw, v: {"number": draw.randrange(v["low"], v["high"] + 1)},
        ("Give me a random number from {low} to {high}.", "Pick a number between {low} and {high}.",
         "Draw a number from {low} to {high}."),
        ("Your number is {number}.", "I drew {number}."), "draw numbers",
    ),
    Tool(
        "add_event", "Puts an event into the calendar.", {"title": "string", "day": "string"}, _event, _done,
        ("Put {title} on {day} into my calendar.", "Plan {title} for {day}.", "Add {title} to my calendar on {day}.",
         "I have {title} on {day}. Please write it down."),
        ("I put {title} on {day}.", "Done. {title_upper} is on {day}."),
        "keep your calendar", ("Put {title} into my calendar.", "On which day?", "day"),
    ),
    Tool(
        "get_price", "The price of a thing.", {"product": "string"}, _pick(product=PRODUCTS),
        lambda draw, v: {"price": draw.randrange(5, 300)},
        ("How much is {product}?", "What does {product} cost?", "Tell me the price of {product}.", "I want to buy {product}. How much is it?"),
        ("{product_upper} costs {price} dollars.", "The price of {product} is {price} dollars."),
        "check prices", ("Can you check a price for me?", "The price of what?", "product"),
    ),
    Tool(
        "book_table", "Books a table.", {"people": "integer", "time": "string"},
        lambda draw: {"people": draw.randrange(2, 13), "time": _clock(draw)}, _done,
        ("Book a table for {people} people at {time}.", "We are {people} people. Get us a table at {time}.",
         "I need a table at {time} for {people} people."),
        ("Your table for {people} people is booked for {time}.", "Done. {people} people at {time}."),
        "book tables", ("Book a table for {people} people.", "At what time?", "time"),
    ),
)  # fmt: skip
