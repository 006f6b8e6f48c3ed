"""Facts on the calendar, people, jobs, measures and words, with their wordings."""

from __future__ import annotations

from smolforge.written.synthetic import tables_life as life
from smolforge.written.synthetic.relation_tables import relation_of

DAILY = (
    relation_of(
        "month days", "month", life.MONTHS, 2, askable=False,
        ask="How many days does {s} have?\nHow long is {s} in days?",
        say="{s} has {a} days.\nThere are {a} days in {s}.",
        then="It has {a} days.",
    ),
    relation_of(
        "month order", "month", life.MONTHS, 1,
        ask="Which month of the year is {s}?\nCounting from January, which month is {s}?",
        say="{s} is the {a} month of the year.\nCounting from January, {s} is the {a} month.",
        then="It is the {a} month of the year.",
    ),
    relation_of(
        "month season", "month", life.MONTHS, 3,
        ask="In the north, which season is {s} in?\nTo which season does {s} belong in Europe?",
        say="In the north, {s} is a month of {a}.\nIn Europe, {s} belongs to {a}.",
        then="In the north it belongs to {a}.",
    ),
    relation_of(
        "month before", "month", life.MONTHS, 4,
        ask="Which month comes before {s}?\nWhat month is just before {s}?",
        say="{a} comes before {s}.\n{s} comes after {a}.\nWhen {a} ends, {s} begins.",
        then="It comes after {a}.",
    ),
    relation_of(
        "day before", "day", life.DAYS, 1,
        ask="Which day comes before {s}?\nIf today is {s}, what day was yesterday?",
        say="{a} comes before {s}.\nIf today is {s}, yesterday was {a}.",
        then="The day before it is {a}.",
    ),
    relation_of(
        "day after", "day", life.DAYS, 2,
        ask="Which day comes after {s}?\nIf today is {s}, what day is tomorrow?",
        say="{a} comes after {s}.\nIf today is {s}, tomorrow is {a}.",
        then="The day after it is {a}.",
    ),
    relation_of(
        "mix", "colour", life.COLOURS, 1,
        ask="Which two colours make {s}?\nWhat do you mix to get {s}?",
        say="We get {s} when we mix {a}.\nMix {a} to make {s}.",
        then="We get it when we mix {a}.",
    ),
    relation_of(
        "colour of", "thing", life.COLOURED, 1,
        ask="What colour is {s}?\nWhich colour does {s} have?",
        say="{s} is {a}.\nThe colour of {s} is {a}.",
        then="Its colour is {a}.",
    ),
    relation_of(
        "field", "person", life.PEOPLE, 1,
        ask="In which field did {s} work?\nWhich field is {s} known for?",
        say="{s} worked in {a}.\n{s} is a great name in {a}.\nThe field of {s} was {a}.",
        then="The field of {s} was {a}.\n{he} worked in {a}.",
    ),
    relation_of(
        "known for", "person", life.PEOPLE, 2,
        ask="What is {s} known for?\nWhat is {s} famous for?\nWhy do we remember {s}?",
        say="{s} is known for {a}.\n{s} is famous for {a}.\nWe remember {s} for {a}.",
        then="{he} is known for {a}.\nWe remember {him} for {a}.",
    ),
    relation_of(
        "born", "person", life.PEOPLE, 3,
        ask="In which year was {s} born?\nWhen was {s} born?",
        say="{s} was born in {a}.\nThe year of birth of {s} is {a}.",
        then="{he} was born in {a}.",
    ),
    relation_of(
        "birth country", "person", life.PEOPLE, 4,
        ask="In which country was {s} born?\nWhere was {s} born?",
        say="{s} was born in {a}.\nThe life of {s} began in {a}.",
        then="{his} life began in {a}.",
    ),
    relation_of(
        "instrument family", "instrument", life.INSTRUMENTS, 1,
        ask="To which family of instruments does the {s} belong?\nWhat kind of instrument is the {s}?",
        say="The {s} is a {a} instrument.\nThe {s} belongs to the {a} family.",
        then="It belongs to the {a} family.",
    ),
    relation_of(
        "instrument play", "instrument", life.INSTRUMENTS, 2,
        ask="How do you play the {s}?\nHow is the {s} played?",
        say="You play the {s} {a}.\nThe {s} is played {a}.",
        then="It is played {a}.",
    ),
    relation_of(
        "work", "job", life.JOBS, 1,
        ask="What does {an_s} do?\nWhat is the work of {an_s}?",
        say="{an_s} {a}.\nThe {s} {a}.",
        then="This person {a}.",
    ),
    relation_of(
        "tool", "job", life.JOBS, 2,
        ask="Which tool does {an_s} use?\nWhat does {an_s} work with?",
        say="{an_s} works with {an_a}.\nThe tool of the {s} is the {a}.\nIn the hands of {an_s} you may see {an_a}.",
        then="An important tool is the {a}.",
    ),
    relation_of(
        "workplace", "job", life.JOBS, 3,
        ask="Where does {an_s} work?\nWhat is the workplace of {an_s}?",
        say="The workplace of {an_s} is the {a}.\nYou can meet {an_s} at the {a}.",
        then="The place of work is the {a}.",
    ),
    relation_of(
        "measures", "meter", life.METERS, 1,
        ask="What does {an_s} measure?\nWhat do we measure with {an_s}?",
        say="{an_s} measures {a}.\nWe measure {a} with {an_s}.",
        then="We use it to measure {a}.",
    ),
    relation_of(
        "unit kind", "unit name", life.UNITS, 3,
        ask="What do we measure in {pl_s}?\nThe {s} is a unit of what?",
        say="The {s} is a unit of {a}.\nWe count {a} in {pl_s}.",
        then="It is a unit of {a}.",
    ),
    relation_of(
        "sides", "shape", life.SHAPES, 1,
        ask="How many sides does {an_s} have?\nHow many corners does {an_s} have?",
        say="{an_s} has {a} sides.\nCount the sides of {an_s} and you get {a}.",
        then="It has {a} sides and {a} corners.",
    ),
)  # fmt: skip

LANGUAGE = (
    relation_of(
        "opposite", "word", life.ADJECTIVES, 1,
        ask='What is the opposite of "{s}"?\nWhich word means the opposite of "{s}"?',
        say='The opposite of "{s}" is "{a}".\nThe words "{s}" and "{a}" are opposites.\nThe opposite of the word {s} is {a}.\nThe word "{a}" is the opposite of "{s}".',
        then='Its opposite is "{a}".',
    ),
    relation_of(
        "synonym", "word", life.ADJECTIVES, 2,
        ask='Which word means nearly the same as "{s}"?\nName a word that is close in meaning to "{s}".',
        say='The words "{s}" and "{a}" mean nearly the same.\nInstead of "{s}" we can often say "{a}".\nA word with nearly the same meaning as {s} is {a}.',
        then='A word with nearly the same meaning is "{a}".',
    ),
    relation_of(
        "plural", "noun", life.PLURALS, 1,
        ask='What is the plural of "{s}"?\nHow do we write more than one "{s}"?',
        say='The plural of "{s}" is "{a}".\nWe say one {s}, but two {a}.',
        then='Its plural is "{a}".',
    ),
    relation_of(
        "past", "verb", life.PASTS, 1,
        ask='What is the past tense of "{s}"?\nHow do we say "{s}" in the past?',
        say='The past tense of "{s}" is "{a}".\nToday I {s}, yesterday I {a}.\nIn the past we say "{a}" and not "{s}".',
        then='Its past tense is "{a}".',
    ),
)  # fmt: skip
