"""Simple sentences with known grammar: who does what and when, in any tense, as a statement or a question."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from smolforge.written.conversations.chat import lower_first
from smolforge.written.conversations.slots import words
from smolforge.written.files import texts, ways_of

Tense = Literal["present", "past", "future"]

SHE = words(
    "Anna Maria Lucy Emma Sara Nina Rosa Ella Julia Grace Ruth Clara Alice Mia Zoe Eva Lena Amy Kate "
    "Lily Hana Tara Aisha Mei Priya Olga Nora Ivy Jane Helen"
)
HE = words(
    "Tom Ben Sam Max Leo Paul Peter Mark Adam Jack Omar Ali Hugo Finn Noah Luke David Ivan Karl Ravi "
    "Kofi Juan Marco Dan Erik George Henry Oscar Simon"
)
NAMES = SHE + HE

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Subject:
    """Who acts. `they` and `their` are the pronouns that stand for the subject."""

    text: str
    they: str
    their: str
    is_third_singular: bool = True

    @property
    def mid_sentence(self) -> str:
        """The subject as written inside a sentence."""
        return self.text if self.text in NAMES or self.text == "I" else self.text[:1].lower() + self.text[1:]


@dataclass(frozen=True)
class Verb:
    base: str
    third: str
    past: str


I = Subject("I", "I", "my", False)  # noqa: E741  the word is the pronoun itself
WE = Subject("We", "we", "our", False)
NOUNS = (
    Subject("My brother", "he", "his"),
    Subject("My sister", "she", "her"),
    Subject("The teacher", "she", "her"),
    Subject("The farmer", "he", "his"),
    Subject("The doctor", "she", "her"),
    Subject("The baker", "he", "his"),
    Subject("My uncle", "he", "his"),
    Subject("My aunt", "she", "her"),
)
PLURALS = (
    WE,
    Subject("They", "they", "their", False),
    Subject("The children", "they", "their", False),
    Subject("My parents", "they", "their", False),
    Subject("The girls", "they", "their", False),
    Subject("The boys", "they", "their", False),
    Subject("My friends", "they", "their", False),
)

# base third past | what goes with it; {my} becomes the subject's own pronoun.
_ACTIONS = """
buy buys bought | fresh bread; a red coat; three apples; a new lamp; milk and eggs; a train ticket; yellow flowers; a warm hat; two tickets; a birthday card
write writes wrote | a letter; a short story; a poem; a long list; a song; {my} name; a postcard; an email
clean cleans cleaned | the kitchen; {my} room; the windows; {my} shoes; the car; the table; the floor; {my} desk
cook cooks cooked | soup; rice and beans; dinner; a big meal; fish; pasta; vegetables; {my} lunch
carry carries carried | a heavy bag; the boxes; the chairs; {my} books; a basket; the water; {my} coat; the wood
paint paints painted | the fence; a picture; the door; a blue boat; the wall; {my} room; the old chair; a tree
visit visits visited | the museum; {my} grandmother; the castle; a friend; the zoo; the library; {my} aunt; the old town
find finds found | a coin; the keys; {my} hat; a small shell; the right road; an old photo; {my} glasses; a good seat
make makes made | tea; a cake; a paper plane; a wooden box; a plan; {my} bed; breakfast; a snowman
wash washes washed | the dishes; {my} hands; the dog; the car; the apples; {my} clothes; the cups; {my} bike
open opens opened | the window; the gate; a letter; the box; the shop; {my} book; the door; a jar of jam
play plays played | football; chess; the piano; the drums; a game; tennis; {my} guitar; cards
help helps helped | the teacher; {my} mother; a neighbour; the new boy; {my} father; an old man; the farmer; {my} friend
watch watches watched | a film; the birds; the match; the rain; the stars; {my} favourite show; the boats; a play
plant plants planted | a tree; roses; beans; potatoes; some seeds; tomatoes; herbs; a row of carrots
sell sells sold | old books; honey; {my} bike; apples; fresh eggs; the house; {my} car; warm bread
bring brings brought | a cake; {my} camera; two chairs; a bottle of water; the map; {my} dog; sandwiches; a blanket
take takes took | the bus; a photo; the train; {my} umbrella; a nap; the stairs; a walk; {my} medicine
draw draws drew | a horse; a map; {my} house; a circle; the mountain; a bird; {my} family; a star
feed feeds fed | the cat; the ducks; {my} fish; the hens; the horses; {my} dog; the rabbits; the baby
fix fixes fixed | the roof; {my} bike; the clock; the radio; a broken chair; {my} phone; the fence; the door
learn learns learned | French; a new song; the rules; a poem; the names; {my} lines; a card trick; ten new words
lose loses lost | {my} keys; a glove; the ball; {my} ticket; the game; {my} pen; a button; the list
send sends sent | a letter; a message; the photos; {my} answer; a parcel; a gift; the bill; a card
call calls called | the doctor; {my} mother; a taxi; the school; {my} friend; the shop; {my} uncle; the bank
bake bakes baked | bread; a cake; cookies; an apple pie; a pizza; biscuits; {my} own bread; muffins
drink drinks drank | tea; cold water; a glass of milk; {my} coffee; apple juice; hot chocolate; lemonade; a cup of soup
eat eats ate | an apple; {my} lunch; rice; a sandwich; ice cream; two eggs; {my} soup; a banana
wear wears wore | a blue scarf; {my} old boots; a warm coat; {my} new shoes; a green hat; sunglasses; a white shirt; gloves
meet meets met | a friend; the new teacher; {my} cousin; the team; a famous singer; {my} neighbour; the mayor; {my} old friend
study studies studied | history; the map; mathematics; {my} notes; the stars; French; biology; the plan
build builds built | a boat; a tower; a small bridge; a house; a wall; {my} own kite; a sandcastle; a shelf
"""

# Every tail must go with every action and every tense.
TAILS = ("", *ways_of(texts("conversations"))["tails"], *(f"on {day}" for day in DAYS))


def _parse() -> tuple[tuple[Verb, tuple[str, ...]], ...]:
    actions = []
    for line in _ACTIONS.strip().splitlines():
        forms, complements = line.split(" | ")
        actions.append((Verb(*forms.split()), tuple(complements.split("; "))))
    return tuple(actions)


ACTIONS = _parse()


@dataclass(frozen=True)
class Clause:
    """One simple sentence whose grammar is known."""

    subject: Subject
    verb: Verb
    complement: str
    tail: str

    def _rest(self) -> str:
        rest = self.complement.replace("{my}", self.subject.their)
        return f"{rest} {self.tail}".strip()

    def statement(self, tense: Tense = "present", *, negative: bool = False) -> str:
        """'Anna buys bread on Monday.'"""
        return f"{self.subject.text} {self.predicate(tense, negative=negative)}."

    def predicate(self, tense: Tense = "present", *, negative: bool = False) -> str:
        """'buys bread on Monday'"""
        third = self.subject.is_third_singular
        if tense == "future":
            verb = f"will {'not ' if negative else ''}{self.verb.base}"
        elif tense == "past":
            verb = f"did not {self.verb.base}" if negative else self.verb.past
        elif negative:
            verb = f"{'does' if third else 'do'} not {self.verb.base}"
        else:
            verb = self.verb.third if third else self.verb.base
        return f"{verb} {self._rest()}"

    def wrong_agreement(self) -> str:
        """The statement with the verb form of the wrong person: 'Anna buy bread.'"""
        verb = self.verb.base if self.subject.is_third_singular else self.verb.third
        return f"{self.subject.text} {verb} {self._rest()}."

    def question(self, tense: Tense = "present") -> str:
        """'Does Anna buy bread on Monday?'"""
        return f"{self._opening(tense)} {self.subject.mid_sentence} {self.verb.base} {self._rest()}?"

    def who(self, tense: Tense = "present") -> str:
        """'Who buys bread on Monday?'"""
        verb = {"present": self.verb.third, "past": self.verb.past, "future": f"will {self.verb.base}"}[tense]
        return f"Who {verb} {self._rest()}?"

    def what(self, tense: Tense = "present") -> str:
        """'What does Anna buy?'"""
        return f"What {self._opening(tense).lower()} {self.subject.mid_sentence} {self.verb.base}?"

    def when(self, tense: Tense = "present") -> str:
        """'When does Anna buy bread?'"""
        return f"When {lower_first(replace(self, tail='').question(tense))}"

    def _opening(self, tense: Tense) -> str:
        third = self.subject.is_third_singular
        return {"present": "Does" if third else "Do", "past": "Did", "future": "Will"}[tense]

    @property
    def thing(self) -> str:
        """What the deed is done to: 'bread'."""
        return self.complement.replace("{my}", self.subject.their)

    def about(self, subject: Subject) -> Clause:
        """The same deed by somebody else."""
        return replace(self, subject=subject)

    def mid_sentence(self, tense: Tense = "present") -> str:
        """The statement without capital and full stop, to stand inside another sentence."""
        return f"{self.subject.mid_sentence} {self.predicate(tense)}"


def draw_name(draw: Random) -> Subject:
    name = draw.choice(NAMES)
    return Subject(name, "she", "her") if name in SHE else Subject(name, "he", "his")


def draw_subject(draw: Random) -> Subject:
    """Mostly a person with a name; otherwise a noun, a plural, or I."""
    roll = draw.random()
    if roll < 0.55:
        return draw_name(draw)
    if roll < 0.72:
        return draw.choice(NOUNS)
    return draw.choice(PLURALS) if roll < 0.9 else I


def draw_clause(draw: Random, subject: Subject | None = None, *, own: bool | None = None) -> Clause:
    """A random clause; `own` asks for (or forbids) a possession such as 'her hat'."""
    verb, complements = draw.choice(ACTIONS)
    if own is not None:
        complements = tuple(text for text in complements if ("{my}" in text) == own) or complements
    tail = draw.choice(TAILS) if draw.random() < 0.75 else ""
    return Clause(subject or draw_subject(draw), verb, draw.choice(complements), tail)
