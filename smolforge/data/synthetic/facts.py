"""All facts as relations: the tables joined with the wordings they are told and asked in."""

from __future__ import annotations

from collections.abc import Sequence

from smolforge.data.synthetic import tables_life as life
from smolforge.data.synthetic import tables_nature as nature
from smolforge.data.synthetic import tables_world as world
from smolforge.data.synthetic.relations import Relation

Rows = Sequence[Sequence[str]]


def rows(table: str) -> list[list[str]]:
    """The rows of a table, each a list of cells."""
    return [line.split("|") for line in table.strip().splitlines()]


def _relation(
    name: str,
    kind: str,
    table: str | Rows,
    column: int,
    *,
    ask: str,
    say: str,
    then: str = "",
    subject: int = 0,
    askable: bool = True,
) -> Relation:
    """A relation from one column of a table. Wordings are one a line; several answers are parted by commas
    when the first cell of the table says so (no answer of ours holds a comma otherwise)."""
    cells = rows(table) if isinstance(table, str) else table
    pairs: list[tuple[str, str]] = []
    also: dict[str, tuple[str, ...]] = {}
    for row in cells:
        if row[column] == "-" or row[subject] == "-":
            continue
        first, *others = row[column].split(",") if name in _SEVERAL else [row[column]]
        pairs.append((row[subject], first))
        others += _ALSO.get(name, {}).get(row[subject], "").split(",")
        also[row[subject]] = tuple(other for other in others if other and other != first)
    pool = tuple(sorted({answer for _, answer in pairs}))
    return Relation(
        name=name,
        kind=kind,
        questions=_lines(ask),
        statements=_lines(say),
        follow_ups=_lines(then),
        pairs=tuple(pairs),
        also=also,
        pool=pool,
        askable=askable and len(pool) >= 4,
    )


_ALSO: dict[str, dict[str, str]] = {
    "field": {
        "Marie Curie": "physics,chemistry",
        "Louis Pasteur": "medicine,chemistry",
        "Gregor Mendel": "biology",
        "Michael Faraday": "chemistry",
        "Isaac Newton": "mathematics,astronomy",
        "Galileo Galilei": "physics",
        "Johannes Kepler": "mathematics",
        "Alan Turing": "mathematics",
        "Grace Hopper": "mathematics",
        "Edward Jenner": "biology",
        "Alexander Fleming": "biology",
        "Rosalind Franklin": "biology",
        "Carl Friedrich Gauss": "astronomy,physics",
        "Leonhard Euler": "physics",
        "Ada Lovelace": "computer science",
        "Alfred Nobel": "engineering",
        "Nikola Tesla": "physics",
    },
    "family": dict.fromkeys(
        ("helium", "fluorine", "neon", "chlorine", "argon", "bromine", "krypton", "iodine", "xenon", "radon"),
        "nonmetal",
    ),
    "opposite": {
        "light": "heavy",
        "true": "wrong",
        "right": "false",
        "tall": "small,low",
        "high": "short",
        "loud": "calm",
        "noisy": "calm",
        "thick": "narrow",
        "wide": "thin",
        "big": "short",
        "hard": "weak",
        "strong": "soft",
        "kind": "dangerous",
        "rich": "empty",
        "build": "end",
    },
    "tool": {
        "carpenter": "hammer,drill",
        "mechanic": "wrench,hammer,drill",
        "plumber": "spanner",
        "baker": "pan",
        "cook": "oven",
        "farmer": "spade",
        "tailor": "scissors",
        "bricklayer": "hammer,wheel",
        "miner": "hammer,drill",
        "gardener": "tractor,scissors,hose",
        "painter": "pan",
        "beekeeper": "brush",
        "scientist": "telescope",
        "astronomer": "camera",
        "barber": "brush",
    },
    "river mouth": {
        "the Ganges": "the Indian Ocean",
        "the Indus": "the Indian Ocean",
        "the Niger": "the Atlantic Ocean",
        "the Mississippi": "the Atlantic Ocean",
    },
    "unit kind": {"pound": "money"},
    "young": {
        "fox": "kit,pup",
        "wolf": "cub",
        "raccoon": "cub",
        "squirrel": "pup",
        "otter": "kit",
        "mole": "kit",
        "beaver": "pup",
        "skunk": "cub",
        "frog": "larva",
        "toad": "larva",
        "salmon": "hatchling",
        "butterfly": "larva",
        "fly": "larva",
        "bat": "kit",
        "hedgehog": "pup",
        "rabbit": "pup",
        "moose": "fawn",
        "mouse": "kit",
        "cat": "cub,kit",
        "tortoise": "chick",
        "pig": "hoglet",
        "dog": "cub",
        "salamander": "tadpole",
        "newt": "tadpole",
        "beetle": "larva",
        "monkey": "cub",
        "gorilla": "cub",
    }
    | {
        row[0]: "chick,hatchling,gosling" if row[0] != "duck" else "chick,hatchling"
        for row in rows(nature.ANIMALS)
        if row[1] in ("bird", "reptile")
    }
    | {row[0]: "larva,grub,maggot,nymph" for row in rows(nature.ANIMALS) if row[1] in ("insect",)},
    "plant kind": {row[0]: "tree" for row in rows(nature.PLANTS) if row[1] == "fruit"}
    | {"sunflower": "grain", "maize": "vegetable"},
    "plant part": {row[0]: "fruit" for row in rows(nature.PLANTS) if row[2] == "seed"}
    | {
        "potato": "root",
        "broccoli": "stalk",
        "celery": "leaf",
        "rose": "flower",
        "tulip": "flower,bulb",
        "daisy": "flower",
        "onion": "leaf",
        "garlic": "root",
    },
    "planet colour": {
        "Uranus": "blue,deep blue",
        "Neptune": "blue,pale blue",
        "Earth": "deep blue,pale blue",
        "Saturn": "pale yellow,orange and white",
        "Venus": "golden",
    },
    "instrument family": {"piano": "string", "harpsichord": "string", "organ": "woodwind"},
}
"""Answers that somebody could defend: not taught, and never offered as wrong ones."""
_SEVERAL = frozenset(("language", "neighbour", "mountain country"))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines() if line.strip())


def _reversed(table: str, column: int) -> list[list[str]]:
    """Rows (answer, subject) for the answers that belong to one subject only."""
    cells = [row for row in rows(table) if row[column] != "-"]
    values = [row[column] for row in cells]
    return [[row[column], row[0]] for row in cells if values.count(row[column]) == 1]


WORLD = (
    _relation(
        "capital", "country", world.COUNTRIES, 1,
        ask="""What is the capital of {s}?
            Which city is the capital of {s}?
            What is {pos_s} capital city?
            Can you name the capital of {s}?""",
        say="""The capital of {s} is {a}.
            {a} is the capital of {s}.
            {pos_s} capital city is {a}.
            The government of {s} sits in its capital, {a}.
            If you visit the capital of {s}, you are in {a}.""",
        then="""Its capital is {a}.
            The capital city is {a}.
            {a} is its capital.
            The name of its capital is {a}.""",
    ),
    _relation(
        "country of capital", "capital", _reversed(world.COUNTRIES, 1), 1,
        ask="""Which country has {s} as its capital?
            {s} is the capital of which country?
            Of which country is {s} the capital?""",
        say="""{s} is the capital of {a}.
            The country whose capital is {s} is {a}.
            {s} is the capital city of {a}.""",
    ),
    _relation(
        "continent", "country", world.COUNTRIES, 2,
        ask="""On which continent is {s}?
            Which continent is {s} in?
            Where in the world is {s}?
            In which continent does {s} lie?""",
        say="""{s} is in {a}.
            {s} is a country in {a}.
            {s} lies in {a}.
            {s} is one of the countries of {a}.
            On a map of {a} you can find {s}.""",
        then="""It lies in {a}.
            It is in {a}.
            The country is part of {a}.""",
    ),
    _relation(
        "currency", "country", world.COUNTRIES, 3,
        ask="""What is the currency of {s}?
            Which currency do people use in {s}?
            What money do people pay with in {s}?""",
        say="""The currency of {s} is the {a}.
            People in {s} pay with the {a}.
            In {s} the money is called the {a}.
            Shops in {s} take the {a}.""",
        then="""Its currency is the {a}.
            People there pay with the {a}.
            The money is called the {a}.""",
    ),
    _relation(
        "language", "country", world.COUNTRIES, 4,
        ask="""Which official language does {s} have?
            What is an official language of {s}?
            Which language is official in {s}?""",
        say="""{a} is an official language of {s}.
            In {s} the government uses {a}.
            An official language of {s} is {a}.
            {s} has {a} as an official language.""",
        then="""{a} is an official language there.
            An official language is {a}.
            Signs and laws are written in {a}.""",
    ),
    _relation(
        "neighbour", "country", world.COUNTRIES, 5, askable=False,
        ask="""Which country is next to {s}?
            Name a neighbour of {s}.
            Which country shares a border with {s}?""",
        say="""{s} shares a border with {a}.
            One of the neighbours of {s} is {a}.
            {a} is a neighbour of {s}.""",
        then="""One of its neighbours is {a}.
            It shares a border with {a}.""",
    ),
    _relation(
        "river continent", "river", world.RIVERS, 1,
        ask="""On which continent is {s}?
            Which continent does {s} flow through?""",
        say="""{s} is a river in {a}.
            {s} flows through {a}.
            One of the great rivers of {a} is {s}.""",
        then="It is a river in {a}.\nIt flows through {a}.",
    ),
    _relation(
        "river mouth", "river", world.RIVERS, 2,
        ask="""Into which water does {s} flow?
            Where does {s} end?
            Where does {s} flow to?""",
        say="""{s} flows into {a}.
            {s} ends in {a}.
            The water of {s} reaches {a} at last.""",
        then="It ends in {a}.\nIts water flows into {a}.",
    ),
    _relation(
        "river note", "river", world.RIVERS, 3, askable=False,
        ask="What is special about {s}?\nWhat do we know about {s}?",
        say="People remember {s} because {a}.\nAbout {s} we can say that {a}.",
        then="We also know that {a}.\nRemember that {a}.",
    ),
    _relation(
        "mountain country", "mountain", world.MOUNTAINS, 1,
        ask="""In which country is {s}?
            Where is {s}?""",
        say="""{s} is a mountain in {a}.
            {s} stands in {a}.
            Climbers who want to see {s} can travel to {a}.""",
        then="It stands in {a}.\nYou can see it in {a}.",
    ),
    _relation(
        "mountain range", "mountain", world.MOUNTAINS, 2,
        ask="Which mountains does {s} belong to?\nTo which range does {s} belong?",
        say="{s} is part of {a}.\n{s} belongs to {a}.\nIn {a} you can find {s}.",
        then="It is part of {a}.\nIt belongs to {a}.",
    ),
    _relation(
        "mountain height", "mountain", world.MOUNTAINS, 3,
        ask="How many metres high is {s}?\nHow high is {s} in metres?",
        say="{s} is {a} metres high.\nThe top of {s} is {a} metres above the sea.\n{s} rises to {a} metres.",
        then="It is {a} metres high.\nIts top is {a} metres above the sea.",
    ),
    _relation(
        "place country", "place", world.PLACES, 1,
        ask="In which country is {s}?\nWhere can you visit {s}?\nWhich country is home to {s}?",
        say="""{s} is in {a}.
            You can visit {s} in {a}.
            Many people travel to {a} to see {s}.""",
        then="It is in {a}.\nYou can visit it in {a}.",
    ),
    _relation(
        "place city", "place", world.PLACES, 2,
        ask="In which city is {s}?\nWhich city do you visit to see {s}?",
        say="{s} stands in {a}.\nThe city of {s} is {a}.\nVisitors to {a} like to see {s}.",
        then="It stands in {a}.\nThe city around it is {a}.",
    ),
    _relation(
        "place kind", "place", world.PLACES, 3, askable=False,
        ask="What is {s}?\nWhat kind of place is {s}?",
        say="{s} is {an_a}.\nWe call {s} {an_a}.",
        then="It is {an_a}.",
    ),
    _relation(
        "ocean rank", "ocean", world.OCEANS, 1,
        ask="How does {s} rank by size among the oceans?\nWhich place does {s} have by size?",
        say="{s} is the {a} ocean on Earth.\nBy size, {s} is the {a} ocean.",
        then="It is the {a} ocean.",
    ),
    _relation(
        "ocean note", "ocean", world.OCEANS, 2, askable=False,
        ask="Where is {s}?\nWhat do we know about {s}?",
        say="About {s} we can say that {a}.\nOn the map of {s} we see that {a}.",
        then="We know that {a}.",
    ),
)  # fmt: skip

MATTER_AND_SKY = (
    _relation(
        "symbol", "element", nature.ELEMENTS, 1,
        ask="""What is the chemical symbol for {s}?
            What is the symbol of {s}?
            Which symbol stands for {s}?""",
        say="""The symbol of {s} is {a}.
            The chemical symbol for {s} is {a}.
            Chemists write {s} as {a}.
            In formulas, {s} is written {a}.""",
        then="Its symbol is {a}.\nChemists write it as {a}.\nIn formulas it is written {a}.",
    ),
    _relation(
        "element of symbol", "symbol", _reversed(nature.ELEMENTS, 1), 1,
        ask="Which element has the symbol {s}?\nWhich element is written {s}?\nThe symbol {s} stands for which element?",
        say="The symbol {s} stands for {a}.\nThe element with the symbol {s} is {a}.\nIn a formula, {s} means {a}.",
    ),
    _relation(
        "atomic number", "element", nature.ELEMENTS, 2,
        ask="""What is the atomic number of {s}?
            How many protons does an atom of {s} have?
            Which atomic number does {s} have?""",
        say="""The atomic number of {s} is {a}.
            {s} has the atomic number {a}.
            The number of protons in an atom of {s} is {a}.""",
        then="Its atomic number is {a}.\nIt has the atomic number {a}.",
    ),
    _relation(
        "family", "element", nature.ELEMENTS, 3,
        ask="What kind of element is {s}?\nTo which family of elements does {s} belong?",
        say="{s} is {an_a}.\nThe element {s} is {an_a}.\nChemists place {s} with the elements of the {a} kind.",
        then="It is {an_a}.\nChemists call it {an_a}.",
    ),
    _relation(
        "state", "element", nature.ELEMENTS, 4,
        ask="Is {s} a solid, a liquid or a gas in a warm room?\nIn which state is {s} in a warm room?",
        say="In a warm room {s} is {an_a}.\nAt room temperature {s} is {an_a}.",
        then="In a warm room it is {an_a}.",
    ),
    _relation(
        "use", "element", nature.ELEMENTS, 5, askable=False,
        ask="What is {s} used for?\nWhere do we use {s}?",
        say="We use {s} for {a}.\n{s} is used for {a}.\nOne use of {s} is {a}.",
        then="We use it for {a}.\nOne of its uses is {a}.\nPeople need it for {a}.",
    ),
    _relation(
        "planet order", "planet", nature.PLANETS, 1,
        ask="Counting from the Sun, which planet is {s}?\nWhere in the row of planets is {s}?",
        say="{s} is the {a} planet from the Sun.\nCounting from the Sun, {s} is the {a} planet.",
        then="It is the {a} planet from the Sun.",
    ),
    _relation(
        "planet kind", "planet", nature.PLANETS, 2,
        ask="What kind of planet is {s}?\nWhich type of planet is {s}?",
        say="{s} is {an_a}.\nThe planet {s} is {an_a}.",
        then="It is {an_a}.",
    ),
    _relation(
        "planet colour", "planet", nature.PLANETS, 4,
        ask="What colour does {s} have?\nWhich colour is {s}?",
        say="{s} looks {a}.\nSeen from far away, {s} is {a}.",
        then="It looks {a}.",
    ),
    _relation(
        "planet note", "planet", nature.PLANETS, 5, askable=False,
        ask="What is special about {s}?\nWhat do we know about {s}?",
        say="Astronomers find {s} special because {a}.\nAbout {s} we know that {a}.",
        then="It is special because {a}.",
    ),
    _relation(
        "moon of", "moon", nature.MOONS, 1,
        ask="Which planet does {s} go around?\nTo which planet does the moon {s} belong?",
        say="{s} is a moon of {a}.\n{s} goes around {a}.\nOne of the moons of our solar system, {s}, belongs to {a}.",
        then="It goes around {a}.",
    ),
)  # fmt: skip

LIVING = (
    _relation(
        "animal class", "animal", nature.ANIMALS, 1,
        ask="What kind of animal is {an_s}?\nTo which group of animals does {an_s} belong?\nIn which class of animals is the {s}?",
        say="""{an_s} is {an_a}.
            The {s} is {an_a}.
            {pl_s} belong to the {a} group.
            Every {s} is {an_a}.""",
        then="It is {an_a}.\nIt belongs to the {a} group.",
    ),
    _relation(
        "diet", "animal", nature.ANIMALS, 2, askable=False,
        ask="Does {an_s} eat plants, animals or both?\nWhat does {an_s} feed on: plants, animals or both?",
        say="{an_s} eats {a}.\nThe {s} eats {a}.\n{pl_s} eat {a}.",
        then="It eats {a}.",
    ),
    _relation(
        "food", "animal", nature.ANIMALS, 3,
        ask="What does {an_s} eat?\nWhat do {pl_s} eat?\nWhat food does {an_s} like?",
        say="{pl_s} eat {a}.\nThe {s} eats {a}.\nThe {s} feeds on {a}.\nA hungry {s} looks for {a}.",
        then="It eats {a}.\nIt feeds on {a}.\nWhen it is hungry, it looks for {a}.",
        askable=False,
    ),
    _relation(
        "home", "animal", nature.ANIMALS, 4, askable=False,
        ask="Where does {an_s} live?\nWhere do {pl_s} live?\nWhere can you find {an_s}?",
        say="{pl_s} live {a}.\nThe {s} lives {a}.\nYou can find {an_s} {a}.",
        then="It lives {a}.\nYou can find it {a}.",
    ),
    _relation(
        "legs", "animal", nature.ANIMALS, 5,
        ask="How many legs does {an_s} have?\nHow many legs do {pl_s} have?",
        say="{an_s} has {a} legs.\n{pl_s} have {a} legs.\nThe number of legs of {an_s} is {a}.",
        then="It has {a} legs.",
    ),
    _relation(
        "sound", "animal", nature.ANIMALS, 6, askable=False,
        ask="What sound does {an_s} make?\nWhat do we hear when {an_s} calls?",
        say="{pl_s} {a}.\nWe say that {pl_s} {a}.\nListen: when {pl_s} call, they {a}.",
        then="Listen well, and you may hear it {a}.",
    ),
    _relation(
        "young", "animal", nature.ANIMALS, 7,
        ask="What is a young {s} called?\nWhat do we call a baby {s}?\nWhat is the name for the young of {an_s}?",
        say="A young {s} is called {an_a}.\nWe call a baby {s} {an_a}.\nThe young of {an_s} is {an_a}.\nWhen {an_s} is very young, it is called {an_a}.\nThe right word for a young {s} is {a}.",
        then="Its young is called {an_a}.\nA young one is called {an_a}.",
    ),
    _relation(
        "cover", "animal", nature.ANIMALS, 8, askable=False,
        ask="What covers the body of {an_s}?",
        say="The body of {an_s} is covered with {a}.\n{pl_s} are covered with {a}.",
        then="Its body is covered with {a}.",
    ),
    _relation(
        "animal note", "animal", nature.ANIMALS, 9, askable=False,
        ask="What is special about {an_s}?\nWhat do we know about the {s}?",
        say="The {s} {a}.\nIt is well known that the {s} {a}.",
        then="It {a}.\nIt is also true that it {a}.",
    ),
    _relation(
        "plant kind", "plant", nature.PLANTS, 1,
        ask="What kind of plant is {the_s}?\nWhat is {the_s}: a fruit, a vegetable, a tree or something else?",
        say="{the_s} is counted as {an_a}.\nWe count {the_s} as {an_a}.\nPeople know {the_s} as {an_a}.\nThe kind of plant that {the_s} belongs to is: {a}.",
        then="We count it as {an_a}.",
    ),
    _relation(
        "plant part", "plant", nature.PLANTS, 2,
        ask="Which part of the {s} plant do we use?\nWhat part of the {s} plant is useful to us?",
        say="Of the {s} plant we mostly use the {a}.\nThe useful part of the {s} plant is the {a}.",
        then="The part we use is the {a}.",
    ),
    _relation(
        "plant colour", "plant", nature.PLANTS, 3, askable=False,
        ask="What colour is that part of the {s} plant?",
        say="The part of the {s} plant that we use is {a}.",
        then="That part is {a}.",
    ),
    _relation(
        "plant note", "plant", nature.PLANTS, 4, askable=False,
        ask="What is special about the {s} plant?",
        say="Gardeners know that {the_s} {a}.\nIt is easy to remember that {the_s} {a}.\n{the_s} {a}.",
        then="It {a}.",
    ),
    _relation(
        "body work", "body", life.BODY, 1,
        ask="What is the main work of the {s}?\nWhat does our body use the {s} for?",
        say="We use the {s} to {a}.\nThe work of the {s} is to {a}.\nOur body needs the {s} to {a}.",
        then="We need this part to {a}.",
    ),
    _relation(
        "body place", "body", life.BODY, 2, askable=False,
        ask="Where do we find the {s}?",
        say="We find the {s} {a}.\nThe place of the {s} is {a}.",
        then="We find this part {a}.",
    ),
)  # fmt: skip

DAILY = (
    _relation(
        "month days", "month", life.MONTHS, 2, askable=False,
        ask="How many days does {s} have?\nHow long is {s} in days?",
        say="{s} has {a} days.\nThere are {a} days in {s}.",
        then="It has {a} days.",
    ),
    _relation(
        "month order", "month", life.MONTHS, 1,
        ask="Which month of the year is {s}?\nCounting from January, which month is {s}?",
        say="{s} is the {a} month of the year.\nCounting from January, {s} is the {a} month.",
        then="It is the {a} month of the year.",
    ),
    _relation(
        "month season", "month", life.MONTHS, 3,
        ask="In the north, which season is {s} in?\nTo which season does {s} belong in Europe?",
        say="In the north, {s} is a {a} month.\nIn Europe, {s} belongs to {a}.",
        then="In the north it belongs to {a}.",
    ),
    _relation(
        "month before", "month", life.MONTHS, 4,
        ask="Which month comes before {s}?\nWhat month is just before {s}?",
        say="{a} comes before {s}.\n{s} comes after {a}.\nWhen {a} ends, {s} begins.",
        then="It comes after {a}.",
    ),
    _relation(
        "day before", "day", life.DAYS, 1,
        ask="Which day comes before {s}?\nIf today is {s}, what day was yesterday?",
        say="{a} comes before {s}.\nIf today is {s}, yesterday was {a}.",
        then="The day before it is {a}.",
    ),
    _relation(
        "day after", "day", life.DAYS, 2,
        ask="Which day comes after {s}?\nIf today is {s}, what day is tomorrow?",
        say="{a} comes after {s}.\nIf today is {s}, tomorrow is {a}.",
        then="The day after it is {a}.",
    ),
    _relation(
        "mix", "colour", life.COLOURS, 1,
        ask="Which two colours make {s}?\nWhat do you mix to get {s}?",
        say="We get {s} when we mix {a}.\nMix {a} to make {s}.",
        then="We get it when we mix {a}.",
    ),
    _relation(
        "colour of", "thing", life.COLOURED, 1,
        ask="What colour is {s}?\nWhich colour does {s} have?",
        say="{s} is {a}.\nThe colour of {s} is {a}.",
        then="Its colour is {a}.",
    ),
    _relation(
        "field", "person", life.PEOPLE, 1,
        ask="In which field did {s} work?\nWhich field is {s} known for?",
        say="{s} worked in {a}.\n{s} is a great name in {a}.\nThe field of {s} was {a}.",
        then="The field of {s} was {a}.\n{he} worked in {a}.",
    ),
    _relation(
        "known for", "person", life.PEOPLE, 2,
        ask="What is {s} known for?\nWhat is {s} famous for?\nWhy do we remember {s}?",
        say="{s} is known for {a}.\n{s} is famous for {a}.\nWe remember {s} for {a}.",
        then="{he} is known for {a}.\nWe remember {him} for {a}.",
    ),
    _relation(
        "born", "person", life.PEOPLE, 3,
        ask="In which year was {s} born?\nWhen was {s} born?",
        say="{s} was born in {a}.\nThe year of birth of {s} is {a}.",
        then="{he} was born in {a}.",
    ),
    _relation(
        "birth country", "person", life.PEOPLE, 4,
        ask="In which country was {s} born?\nWhere was {s} born?",
        say="{s} was born in {a}.\nThe life of {s} began in {a}.",
        then="{his} life began in {a}.",
    ),
    _relation(
        "instrument family", "instrument", life.INSTRUMENTS, 1,
        ask="To which family of instruments does the {s} belong?\nWhat kind of instrument is the {s}?",
        say="The {s} is a {a} instrument.\nThe {s} belongs to the {a} family.",
        then="It belongs to the {a} family.",
    ),
    _relation(
        "instrument play", "instrument", life.INSTRUMENTS, 2,
        ask="How do you play the {s}?\nHow is the {s} played?",
        say="You play the {s} {a}.\nThe {s} is played {a}.",
        then="It is played {a}.",
    ),
    _relation(
        "work", "job", life.JOBS, 1,
        ask="What does {an_s} do?\nWhat is the work of {an_s}?",
        say="{an_s} {a}.\nThe {s} {a}.",
        then="This person {a}.",
    ),
    _relation(
        "tool", "job", life.JOBS, 2,
        ask="Which tool does {an_s} use?\nWhat does {an_s} work with?",
        say="{an_s} works with {an_a}.\nThe tool of the {s} is the {a}.\nIn the hands of {an_s} you may see {an_a}.",
        then="An important tool is the {a}.",
    ),
    _relation(
        "workplace", "job", life.JOBS, 3,
        ask="Where does {an_s} work?\nWhat is the workplace of {an_s}?",
        say="The workplace of {an_s} is the {a}.\nYou can meet {an_s} at the {a}.",
        then="The place of work is the {a}.",
    ),
    _relation(
        "measures", "meter", life.METERS, 1,
        ask="What does {an_s} measure?\nWhat do we measure with {an_s}?",
        say="{an_s} measures {a}.\nWe measure {a} with {an_s}.",
        then="We use it to measure {a}.",
    ),
    _relation(
        "unit count", "unit", [[f"{row[0]}>{row[2]}", row[1]] for row in rows(life.UNITS)], 1, askable=False,
        ask="How many of the smaller unit make the larger: {s}?",
        say="The step {s} is {a}.",
    ),
    _relation(
        "unit kind", "unit name", life.UNITS, 3,
        ask="What do we measure in {pl_s}?\nThe {s} is a unit of what?",
        say="The {s} is a unit of {a}.\nWe count {a} in {pl_s}.",
        then="It is a unit of {a}.",
    ),
    _relation(
        "sides", "shape", life.SHAPES, 1,
        ask="How many sides does {an_s} have?\nHow many corners does {an_s} have?",
        say="{an_s} has {a} sides.\nCount the sides of {an_s} and you get {a}.",
        then="It has {a} sides and {a} corners.",
    ),
)  # fmt: skip

LANGUAGE = (
    _relation(
        "opposite", "word", life.ADJECTIVES, 1,
        ask='What is the opposite of "{s}"?\nWhich word means the opposite of "{s}"?',
        say='The opposite of "{s}" is "{a}".\nThe words "{s}" and "{a}" are opposites.\nThe opposite of the word {s} is {a}.\nThe word "{a}" is the opposite of "{s}".',
        then='Its opposite is "{a}".',
    ),
    _relation(
        "synonym", "word", life.ADJECTIVES, 2,
        ask='Which word means nearly the same as "{s}"?\nName a word that is close in meaning to "{s}".',
        say='The words "{s}" and "{a}" mean nearly the same.\nInstead of "{s}" we can often say "{a}".\nA word with nearly the same meaning as {s} is {a}.',
        then='A word with nearly the same meaning is "{a}".',
    ),
    _relation(
        "plural", "noun", life.PLURALS, 1,
        ask='What is the plural of "{s}"?\nHow do we write more than one "{s}"?',
        say='The plural of "{s}" is "{a}".\nWe say one {s}, but two {a}.',
        then='Its plural is "{a}".',
    ),
    _relation(
        "past", "verb", life.PASTS, 1,
        ask='What is the past tense of "{s}"?\nHow do we say "{s}" in the past?',
        say='The past tense of "{s}" is "{a}".\nToday I {s}, yesterday I {a}.\nIn the past we say "{a}" and not "{s}".',
        then='Its past tense is "{a}".',
    ),
)  # fmt: skip

FACTS: tuple[Relation, ...] = tuple(
    relation
    for relation in (*WORLD, *MATTER_AND_SKY, *LIVING, *DAILY, *LANGUAGE)
    if relation.name != "unit count"
)


def _by_kind() -> dict[str, tuple[Relation, ...]]:
    kinds: dict[str, list[Relation]] = {}
    for relation in FACTS:
        kinds.setdefault(relation.kind, []).append(relation)
    return {kind: tuple(relations) for kind, relations in kinds.items()}


BY_KIND = _by_kind()
RELATIONS = {relation.name: relation for relation in FACTS}
ANSWERS = {relation.name: relation.answers for relation in FACTS}
SUBJECTS = {
    kind: tuple(dict.fromkeys(subject for relation in relations for subject, _ in relation.pairs))
    for kind, relations in BY_KIND.items()
}
