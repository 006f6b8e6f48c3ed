"""What the assistant can talk about: topics with four true sentences each, and categories with members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from smolforge.written.conversations.chat import read_text


@dataclass(frozen=True)
class Topic:
    """`phrase` names it in a question ("the sea"), `word` stands exactly once in each sentence."""

    phrase: str
    word: str
    sentences: tuple[str, ...]


@lru_cache(maxsize=1)
def topics() -> tuple[Topic, ...]:
    """The topics of `texts/topics.txt`."""
    lines = [line for line in read_text("topics.txt").splitlines() if line and not line.startswith("#")]
    return tuple(_parse(line) for line in lines)


def _parse(line: str) -> Topic:
    phrase, word, *sentences = line.split(" | ")
    return Topic(phrase, word, tuple(sentences))


CATEGORIES: Mapping[str, tuple[str, ...]] = {
    name: tuple(members.split(", "))
    for name, members in (
        ("fruits", "apple, pear, plum, banana, orange, lemon, cherry, peach, grape, mango"),
        ("vegetables", "carrot, potato, onion, bean, pea, cabbage, leek, pumpkin, tomato, pepper"),
        ("animals", "cat, dog, horse, cow, sheep, goat, lion, bear, fox, rabbit"),
        ("birds", "owl, eagle, duck, swan, crow, robin, gull, stork, sparrow, parrot"),
        ("colours", "red, blue, green, yellow, black, white, brown, orange, pink, purple"),
        ("drinks", "water, milk, tea, coffee, juice, lemonade, cocoa, cider"),
        ("sports", "football, tennis, swimming, running, rowing, hockey, cycling, skiing"),
        ("musical instruments", "piano, guitar, violin, drum, flute, trumpet, harp, cello"),
        ("jobs", "doctor, teacher, baker, farmer, pilot, nurse, cook, painter, driver, builder"),
        ("things in a kitchen", "spoon, fork, knife, plate, cup, pan, bowl, oven, kettle"),
        ("things in a classroom", "desk, chair, board, book, pen, ruler, map, clock"),
        ("clothes", "coat, hat, scarf, shirt, shoe, sock, glove, dress, jacket, belt"),
        ("parts of the body", "head, hand, foot, arm, leg, nose, ear, eye, knee, back"),
        ("kinds of weather", "rain, snow, wind, fog, hail, sunshine, storm, frost"),
        ("vehicles", "car, bus, train, ship, plane, tram, bicycle, truck, boat"),
        ("planets", "Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus, Neptune"),
        (
            "countries",
            "France, Spain, Italy, Germany, Poland, India, China, Japan, Brazil, Egypt, Kenya, Canada",
        ),
        ("cities", "Paris, London, Rome, Berlin, Madrid, Tokyo, Cairo, Delhi, Oslo, Lima"),
        ("days of the week", "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
        ("months", "January, February, March, April, May, June, July, August, September, October"),
        ("trees", "oak, pine, birch, maple, elm, willow, palm, beech, ash"),
        ("flowers", "rose, tulip, lily, daisy, poppy, violet, sunflower, orchid"),
        ("insects", "bee, ant, fly, wasp, beetle, moth, mosquito, cricket"),
        ("metals", "iron, gold, silver, copper, tin, lead, zinc, nickel"),
        ("shapes", "circle, square, triangle, rectangle, oval, star, cube, cone"),
        ("toys", "ball, doll, kite, puzzle, robot, train, drum, car, bear"),
        ("languages", "English, French, Spanish, German, Italian, Hindi, Arabic, Chinese"),
        ("family members", "mother, father, sister, brother, aunt, uncle, cousin, grandmother"),
        ("sea animals", "whale, dolphin, shark, crab, seal, octopus, turtle, squid"),
        ("farm animals", "cow, pig, sheep, goat, hen, horse, duck, goose"),
        ("desserts", "cake, pie, pudding, ice cream, cookies, jelly, pancakes, waffles"),
        ("tools", "hammer, saw, drill, axe, spade, rake, wrench, pliers"),
        ("rooms of a house", "kitchen, bedroom, bathroom, hall, cellar, attic, garage, office"),
        ("feelings", "joy, fear, anger, love, hope, pride, surprise, sadness"),
        ("school subjects", "history, music, art, biology, physics, sport, French, mathematics"),
        ("materials", "wood, stone, glass, paper, metal, wool, cotton, plastic"),
    )
}
