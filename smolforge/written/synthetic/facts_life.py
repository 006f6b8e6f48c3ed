"""Facts on living things, with their wordings."""

from __future__ import annotations

from smolforge.written.synthetic import tables_life as life
from smolforge.written.synthetic import tables_nature as nature
from smolforge.written.synthetic.relation_tables import relation_of

LIVING = (
    relation_of(
        "animal class", "animal", nature.ANIMALS, 1,
        ask="What kind of animal is {an_s}?\nTo which group of animals does {an_s} belong?\nIn which class of animals is the {s}?",
        say="""{an_s} is {an_a}.
            The {s} is {an_a}.
            {pl_s} belong to the {a} group.
            Every {s} is {an_a}.""",
        then="It is {an_a}.\nIt belongs to the {a} group.",
    ),
    relation_of(
        "diet", "animal", nature.ANIMALS, 2, askable=False,
        ask="Does {an_s} eat plants, animals or both?\nWhat does {an_s} feed on: plants, animals or both?",
        say="{an_s} eats {a}.\nThe {s} eats {a}.\n{pl_s} eat {a}.",
        then="It eats {a}.",
    ),
    relation_of(
        "food", "animal", nature.ANIMALS, 3,
        ask="What does {an_s} eat?\nWhat do {pl_s} eat?\nWhat food does {an_s} like?",
        say="{pl_s} eat {a}.\nThe {s} eats {a}.\nThe {s} feeds on {a}.\nA hungry {s} looks for {a}.",
        then="It eats {a}.\nIt feeds on {a}.\nWhen it is hungry, it looks for {a}.",
        askable=False,
    ),
    relation_of(
        "home", "animal", nature.ANIMALS, 4, askable=False,
        ask="Where does {an_s} live?\nWhere do {pl_s} live?\nWhere can you find {an_s}?",
        say="{pl_s} live {a}.\nThe {s} lives {a}.\nYou can find {an_s} {a}.",
        then="It lives {a}.\nYou can find it {a}.",
    ),
    relation_of(
        "legs", "animal", nature.ANIMALS, 5,
        ask="How many legs does {an_s} have?\nHow many legs do {pl_s} have?",
        say="{an_s} has {a} legs.\n{pl_s} have {a} legs.\nThe number of legs of {an_s} is {a}.",
        then="It has {a} legs.",
    ),
    relation_of(
        "sound", "animal", nature.ANIMALS, 6, askable=False,
        ask="What sound does {an_s} make?\nWhat do we hear when {an_s} calls?",
        say="{pl_s} {a}.\nWe say that {pl_s} {a}.\nListen: when {pl_s} call, they {a}.",
        then="Listen well, and you may hear it {a}.",
    ),
    relation_of(
        "young", "animal", nature.ANIMALS, 7,
        ask="What is a young {s} called?\nWhat do we call a baby {s}?\nWhat is the name for the young of {an_s}?",
        say="A young {s} is called {an_a}.\nWe call a baby {s} {an_a}.\nThe young of {an_s} is {an_a}.\nWhen {an_s} is very young, it is called {an_a}.\nThe right word for a young {s} is {a}.",
        then="Its young is called {an_a}.\nA young one is called {an_a}.",
    ),
    relation_of(
        "cover", "animal", nature.ANIMALS, 8, askable=False,
        ask="What covers the body of {an_s}?",
        say="The body of {an_s} is covered with {a}.\n{pl_s} are covered with {a}.",
        then="Its body is covered with {a}.",
    ),
    relation_of(
        "animal note", "animal", nature.ANIMALS, 9, askable=False,
        ask="What is special about {an_s}?\nWhat do we know about the {s}?",
        say="The {s} {a}.\nIt is well known that the {s} {a}.",
        then="It {a}.\nIt is also true that it {a}.",
    ),
    relation_of(
        "plant kind", "plant", nature.PLANTS, 1,
        ask="What kind of plant is {the_s}?\nWhat is {the_s}: a fruit, a vegetable, a tree or something else?",
        say="{the_s} is counted as {an_a}.\nWe count {the_s} as {an_a}.\nPeople know {the_s} as {an_a}.\nThe kind of plant that {the_s} belongs to is: {a}.",
        then="We count it as {an_a}.",
    ),
    relation_of(
        "plant part", "plant", nature.PLANTS, 2,
        ask="Which part of the {s} plant do we use?\nWhat part of the {s} plant is useful to us?",
        say="Of the {s} plant we mostly use the {a}.\nThe useful part of the {s} plant is the {a}.",
        then="The part we use is the {a}.",
    ),
    relation_of(
        "plant colour", "plant", nature.PLANTS, 3, askable=False,
        ask="What colour is that part of the {s} plant?",
        say="The part of the {s} plant that we use is {a}.",
        then="That part is {a}.",
    ),
    relation_of(
        "plant note", "plant", nature.PLANTS, 4, askable=False,
        ask="What is special about the {s} plant?",
        say="Gardeners know that {the_s} {a}.\nIt is easy to remember that {the_s} {a}.\n{the_s} {a}.",
        then="It {a}.",
    ),
    relation_of(
        "body work", "body", life.BODY, 1,
        ask="What is the main work of the {s}?\nWhat does our body use the {s} for?",
        say="We use the {s} to {a}.\nThe work of the {s} is to {a}.\nOur body needs the {s} to {a}.",
        then="We need this part to {a}.",
    ),
    relation_of(
        "body place", "body", life.BODY, 2, askable=False,
        ask="Where do we find the {s}?",
        say="We find the {s} {a}.\nThe place of the {s} is {a}.",
        then="We find this part {a}.",
    ),
)  # fmt: skip
