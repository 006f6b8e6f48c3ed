"""Facts on countries, waters and mountains, on matter and on the sky, with their wordings."""

from __future__ import annotations

from smolforge.written.synthetic import tables_nature as nature
from smolforge.written.synthetic import tables_world as world
from smolforge.written.synthetic.relation_tables import relation_of, reversed_rows

WORLD = (
    relation_of(
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
    relation_of(
        "country of capital", "capital", reversed_rows(world.COUNTRIES, 1), 1,
        ask="""Which country has {s} as its capital?
            {s} is the capital of which country?
            Of which country is {s} the capital?""",
        say="""{s} is the capital of {a}.
            The country whose capital is {s} is {a}.
            {s} is the capital city of {a}.""",
    ),
    relation_of(
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
    relation_of(
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
    relation_of(
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
    relation_of(
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
    relation_of(
        "river continent", "river", world.RIVERS, 1,
        ask="""On which continent is {s}?
            Which continent does {s} flow through?""",
        say="""{s} is a river in {a}.
            {s} flows through {a}.
            One of the great rivers of {a} is {s}.""",
        then="It is a river in {a}.\nIt flows through {a}.",
    ),
    relation_of(
        "river mouth", "river", world.RIVERS, 2,
        ask="""Into which water does {s} flow?
            Where does {s} end?
            Where does {s} flow to?""",
        say="""{s} flows into {a}.
            {s} ends in {a}.
            The water of {s} reaches {a} at last.""",
        then="It ends in {a}.\nIts water flows into {a}.",
    ),
    relation_of(
        "river note", "river", world.RIVERS, 3, askable=False,
        ask="What is special about {s}?\nWhat do we know about {s}?",
        say="People remember {s} because {a}.\nAbout {s} we can say that {a}.",
        then="We also know that {a}.\nRemember that {a}.",
    ),
    relation_of(
        "mountain country", "mountain", world.MOUNTAINS, 1,
        ask="""In which country is {s}?
            Where is {s}?""",
        say="""{s} is a mountain in {a}.
            {s} stands in {a}.
            Climbers who want to see {s} can travel to {a}.""",
        then="It stands in {a}.\nYou can see it in {a}.",
    ),
    relation_of(
        "mountain range", "mountain", world.MOUNTAINS, 2,
        ask="Which mountains does {s} belong to?\nTo which range does {s} belong?",
        say="{s} is part of {a}.\n{s} belongs to {a}.\nIn {a} you can find {s}.",
        then="It is part of {a}.\nIt belongs to {a}.",
    ),
    relation_of(
        "mountain height", "mountain", world.MOUNTAINS, 3,
        ask="How many metres high is {s}?\nHow high is {s} in metres?",
        say="{s} is {a} metres high.\nThe top of {s} is {a} metres above the sea.\n{s} rises to {a} metres.",
        then="It is {a} metres high.\nIts top is {a} metres above the sea.",
    ),
    relation_of(
        "place country", "place", world.PLACES, 1,
        ask="In which country is {s}?\nWhere can you visit {s}?\nWhich country is home to {s}?",
        say="""{s} is in {a}.
            You can visit {s} in {a}.
            Many people travel to {a} to see {s}.""",
        then="It is in {a}.\nYou can visit it in {a}.",
    ),
    relation_of(
        "place city", "place", world.PLACES, 2,
        ask="In which city is {s}?\nWhich city do you visit to see {s}?",
        say="{s} stands in {a}.\nThe city of {s} is {a}.\nVisitors to {a} like to see {s}.",
        then="It stands in {a}.\nThe city around it is {a}.",
    ),
    relation_of(
        "place kind", "place", world.PLACES, 3, askable=False,
        ask="What is {s}?\nWhat kind of place is {s}?",
        say="{s} is {an_a}.\nWe call {s} {an_a}.",
        then="It is {an_a}.",
    ),
    relation_of(
        "ocean rank", "ocean", world.OCEANS, 1,
        ask="How does {s} rank by size among the oceans?\nWhich place does {s} have by size?",
        say="{s} is the {a} ocean on Earth.\nBy size, {s} is the {a} ocean.",
        then="It is the {a} ocean.",
    ),
    relation_of(
        "ocean note", "ocean", world.OCEANS, 2, askable=False,
        ask="Where is {s}?\nWhat do we know about {s}?",
        say="About {s} we can say that {a}.\nOn the map of {s} we see that {a}.",
        then="We know that {a}.",
    ),
)  # fmt: skip

MATTER_AND_SKY = (
    relation_of(
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
    relation_of(
        "element of symbol", "symbol", reversed_rows(nature.ELEMENTS, 1), 1,
        ask="Which element has the symbol {s}?\nWhich element is written {s}?\nThe symbol {s} stands for which element?",
        say="The symbol {s} stands for {a}.\nThe element with the symbol {s} is {a}.\nIn a formula, {s} means {a}.",
    ),
    relation_of(
        "atomic number", "element", nature.ELEMENTS, 2,
        ask="""What is the atomic number of {s}?
            How many protons does an atom of {s} have?
            Which atomic number does {s} have?""",
        say="""The atomic number of {s} is {a}.
            {s} has the atomic number {a}.
            The number of protons in an atom of {s} is {a}.""",
        then="Its atomic number is {a}.\nIt has the atomic number {a}.",
    ),
    relation_of(
        "family", "element", nature.ELEMENTS, 3,
        ask="What kind of element is {s}?\nTo which family of elements does {s} belong?",
        say="{s} is {an_a}.\nThe element {s} is {an_a}.\nChemists place {s} with the elements of the {a} kind.",
        then="It is {an_a}.\nChemists call it {an_a}.",
    ),
    relation_of(
        "state", "element", nature.ELEMENTS, 4,
        ask="Is {s} a solid, a liquid or a gas in a warm room?\nIn which state is {s} in a warm room?",
        say="In a warm room {s} is {an_a}.\nAt room temperature {s} is {an_a}.",
        then="In a warm room it is {an_a}.",
    ),
    relation_of(
        "use", "element", nature.ELEMENTS, 5, askable=False,
        ask="What is {s} used for?\nWhere do we use {s}?",
        say="We use {s} for {a}.\n{s} is used for {a}.\nOne use of {s} is {a}.",
        then="We use it for {a}.\nOne of its uses is {a}.\nPeople need it for {a}.",
    ),
    relation_of(
        "planet order", "planet", nature.PLANETS, 1,
        ask="Counting from the Sun, which planet is {s}?\nWhere in the row of planets is {s}?",
        say="{s} is the {a} planet from the Sun.\nCounting from the Sun, {s} is the {a} planet.",
        then="It is the {a} planet from the Sun.",
    ),
    relation_of(
        "planet kind", "planet", nature.PLANETS, 2,
        ask="What kind of planet is {s}?\nWhich type of planet is {s}?",
        say="{s} is {an_a}.\nThe planet {s} is {an_a}.",
        then="It is {an_a}.",
    ),
    relation_of(
        "planet colour", "planet", nature.PLANETS, 4,
        ask="What colour does {s} have?\nWhich colour is {s}?",
        say="{s} looks {a}.\nSeen from far away, {s} is {a}.",
        then="It looks {a}.",
    ),
    relation_of(
        "planet note", "planet", nature.PLANETS, 5, askable=False,
        ask="What is special about {s}?\nWhat do we know about {s}?",
        say="Astronomers find {s} special because {a}.\nAbout {s} we know that {a}.",
        then="It is special because {a}.",
    ),
    relation_of(
        "moon of", "moon", nature.MOONS, 1,
        ask="Which planet does {s} go around?\nTo which planet does the moon {s} belong?",
        say="{s} is a moon of {a}.\n{s} goes around {a}.\nOne of the moons of our solar system, {s}, belongs to {a}.",
        then="It goes around {a}.",
    ),
)  # fmt: skip
