"""What surrounds the facts of a textbook: for each kind of subject its name, and true sentences that introduce,
explain and close a lesson on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KindText:
    """`noun` and `nouns` name the kind; `opening` starts a lesson, `ideas` are general truths, `closing` ends it;
    `setting` is a place where two people could talk about it; `person` says that subjects are people."""

    noun: str
    nouns: str
    opening: tuple[str, ...]
    ideas: tuple[str, ...]
    closing: tuple[str, ...]
    setting: tuple[str, ...]
    is_name: bool = True


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


def _kind(
    noun: str, nouns: str, opening: str, ideas: str, closing: str, setting: str, is_name: bool = True
) -> KindText:
    return KindText(noun=noun, nouns=nouns, opening=_lines(opening), ideas=_lines(ideas), closing=_lines(closing),
                    setting=_lines(setting), is_name=is_name)  # fmt: skip


KINDS = {
    "country": _kind("country", "countries",
        """The world is divided into almost two hundred countries.
        A country is a land with its own people, laws and government.
        Every country has its own story, and a map helps us to learn it.
        Geography begins with a simple question: where are we?""",
        """The capital is the city where the government works.
        A capital is often a large city, but it does not have to be the largest one.
        People use money to buy food, clothes and many other things.
        Some neighbours share one currency, which makes trade easier.
        A border is the line where one country ends and another begins.
        Countries on one continent often trade with each other.
        A language lets people share ideas, songs and stories.
        Many people in the world speak more than one language.""",
        """A good way to remember these facts is to look at a map every day.
        When you know where a country is, the news is easier to understand.
        Try to find each of these places on a globe.
        Each country is different, and that makes the world interesting.""",
        """in front of a large map
        with a globe on the table
        with an old atlas on the floor"""),
    "capital": _kind("capital", "capitals",
        """A capital is the city where the government of a country works.
        Travellers often begin their visit in the capital.
        Capital cities are easy to find on a map, because they are marked with a star.""",
        """Most capitals have museums, parks and busy streets.
        A capital does not have to be the largest city of its country.
        Some capitals lie on a river, others lie near the sea.
        Laws are made in the capital.""",
        """Learn a few capitals each day and you will soon know many of them.
        Now close the book and try to say them again.""",
        """at the station before a journey
        with a box of old postcards
        over a map of the world"""),
    "river": _kind("river", "rivers",
        """A river is a stream of fresh water that flows over the land.
        Every river begins small, often as a spring in the mountains.
        People have always liked to live near rivers.""",
        """Water flows downhill, so a river always moves towards lower land.
        The place where a river begins is called its source.
        The place where a river ends is called its mouth.
        Rivers give us water to drink, fish to eat and a way to travel.
        Small rivers join larger ones on their way to the sea.""",
        """Without rivers, fields would be dry and many cities would not exist.
        Rivers need our care, because clean water is precious.""",
        """on the bank of a small stream
        on a bridge over the water"""),
    "mountain": _kind("mountain", "mountains",
        """A mountain is land that rises high above the land around it.
        Some mountains stand alone, others stand in long rows called ranges.
        Mountains are among the most beautiful places on Earth.""",
        """The air gets colder and thinner as we climb.
        Many high mountains have snow on top all year.
        Mountains are pushed up very slowly when parts of the Earth press against each other.
        The top of a mountain is called its summit.""",
        """Climbers must be careful, patient and strong.
        A mountain looks still, but over millions of years it changes.""",
        """on a bench with a view of the hills
        beside a warm fire after a long walk"""),
    "place": _kind("famous place", "famous places",
        """Every year millions of people travel to see famous places.
        Old buildings tell us how people lived long ago.
        Some buildings are so special that the whole world knows them.""",
        """Many of these places took years to build.
        Guides tell visitors the history of each stone.
        We must protect old places, so that our children can see them too.
        A photograph is nice, but a visit is better.""",
        """Which of these places would you like to visit first?
        History feels close when you stand in such a place.""",
        """with a box of photographs
        on a train to the south"""),
    "ocean": _kind("ocean", "oceans",
        """Most of the Earth is covered with salt water.
        Seen from space, our planet is blue because of its oceans.""",
        """The water of the oceans is salty.
        Ships carry goods across the oceans from one continent to another.
        The Moon pulls at the water and makes the tides.
        Many plants and animals live in the oceans.""",
        """The oceans are all joined, so in a way there is only one great sea.
        Clean oceans are good for the whole Earth.""",
        """on the beach
        in a small boat near the harbour"""),
    "element": _kind("element", "elements",
        """Everything around us is made of elements.
        An element is a substance made of only one kind of atom.
        The periodic table is a map of all the elements.""",
        """Each element has a symbol of one or two letters.
        The atomic number tells us how many protons are in one atom.
        Elements can join to make new substances; water, for example, is made of hydrogen and oxygen.
        Most elements are metals.
        Metals are often shiny, and they carry heat and electricity well.
        Noble gases hardly ever join with other elements.""",
        """With these few building blocks nature makes rocks, trees and people.
        Chemistry becomes easier when you know the symbols well.
        The periodic table puts all of this in order.""",
        """in the school laboratory
        in front of the periodic table"""),
    "symbol": _kind("chemical symbol", "chemical symbols",
        """Chemists use short symbols instead of long names.
        Each element has a symbol of one or two letters.""",
        """The first letter of a symbol is always large, and the second is always small.
        Some symbols come from old Latin names.
        Symbols are the same in every country, so chemists can read each other's work.""",
        """After a little practice the symbols feel like a second alphabet.
        Write each symbol a few times and you will remember it.""",
        """in the school laboratory
        over a chemistry book"""),
    "planet": _kind("planet", "planets",
        """Eight planets travel around our Sun.
        On a clear night you can see some of the planets without a telescope.
        The Sun and everything that travels around it is called the solar system.""",
        """A planet does not make its own light; it shines because the Sun lights it.
        The planets near the Sun are small and rocky.
        The planets far from the Sun are large and cold.
        A year is the time a planet needs to go once around the Sun.""",
        """Space is large, and there is still much to discover.
        Perhaps one day people will walk on another planet.""",
        """on the roof on a clear night
        beside a telescope in the garden"""),
    "moon": _kind("moon", "moons",
        """A moon is a body that travels around a planet.
        Our Earth has one moon, but some planets have dozens.""",
        """Moons do not make their own light.
        Some moons are covered with ice, others with volcanoes.
        A moon stays near its planet because of gravity.""",
        """Each moon is a small world of its own.
        Space probes have sent us pictures of many moons.""",
        """on the roof on a clear night
        beside a telescope in the garden"""),
    "animal": _kind("animal", "animals",
        """Animals live almost everywhere: in forests, in deserts, in the sea and in the air.
        The animal world is full of surprises.
        When we watch animals with patience, we learn a lot from them.
        Scientists put animals into groups, so that they are easier to study.""",
        """Mammals feed their young with milk.
        Birds have feathers and lay eggs.
        Reptiles have dry skin with scales and like warm places.
        Amphibians live partly in water and partly on land.
        Fish breathe under water with gills.
        Insects have six legs and a body in three parts.
        An animal that eats only plants is called a herbivore.
        An animal that eats other animals is called a carnivore.
        Every animal needs food, water and a safe place to live.""",
        """All animals need a safe home, so we should take care of nature.
        The more we know about animals, the better we can protect them.
        Look around you: there may be an animal very near.""",
        """at the zoo
        on a walk through the fields
        on an old farm""", False),
    "plant": _kind("plant", "plants",
        """Plants feed people and animals all over the world.
        A garden is a good place to learn about plants.
        Without plants there would be no food and no fresh air.""",
        """Plants need light, water and air to grow.
        Roots hold a plant in the ground and drink water.
        Leaves use sunlight to make food for the plant.
        Many flowers become fruits with seeds inside.
        A seed can grow into a new plant.""",
        """Plant a seed, give it water, and see what happens.
        Next time you eat, think of the plant behind your food.""",
        """in the garden behind the house
        at the market""", False),
    "body": _kind("part of the body", "parts of the body",
        """Our body has many parts, and each has its own work.
        The body works day and night, even when we sleep.""",
        """Good food, sleep and movement keep the body healthy.
        The parts of the body work together like a team.
        Blood carries food and oxygen to every part of the body.""",
        """Take care of your body, because you have only one.
        When one part is ill, the others must work harder.""",
        """in the waiting room of the doctor
        in the biology room""", False),
    "month": _kind("month", "months",
        """A year has twelve months.
        The calendar helps us to plan the year.""",
        """Some months have 30 days and some have 31.
        February is the shortest month; it has one more day in a leap year.
        A leap year comes every four years, with few exceptions.
        Each season has three months.""",
        """Say the months in order and you will never forget them.
        Soon the year begins again with January.""",
        """in the kitchen under the calendar
        on the first day of school"""),
    "day": _kind("day of the week", "days of the week",
        """A week has seven days.
        The days of the week always come in the same order.""",
        """The weekend is Saturday and Sunday.
        After seven days the week begins again.""",
        """Now you can say what day comes next.
        Count the days until your birthday!""",
        """in the kitchen under the calendar
        on the way to school"""),
    "colour": _kind("mixed colour", "mixed colours",
        """Painters make many colours from only a few.
        Red, yellow and blue are often called the primary colours of paint.""",
        """When we mix two colours we get a new one.
        White makes a colour lighter, and black makes it darker.""",
        """Take your paints and try it.
        Mixing colours is part of the fun of painting.""",
        """at the painting table
        in the art room""", False),
    "thing": _kind("colour of things", "colours of things",
        """Our world is full of colours.
        Look around you and name the colours that you see.""",
        """We see colours because things send light back to our eyes.
        Without light we see no colours at all.""",
        """Which colour do you like best?
        A rainbow shows many colours at once.""",
        """at the painting table
        in the garden""", False),
    "person": _kind("scientist or inventor", "scientists and inventors",
        """Great ideas change the way we live.
        Science grows because people ask questions.
        Behind each discovery there is a person who was curious.""",
        """A good scientist looks carefully and asks why.
        Many discoveries came after years of patient work.
        An experiment is a way to ask nature a question.
        New ideas are often built on older ones.""",
        """We still use these ideas today.
        Perhaps one day you will discover something too.""",
        """in the museum of science
        in the library"""),
    "instrument": _kind("musical instrument", "musical instruments",
        """Music is made in every part of the world.
        An orchestra has many different instruments.""",
        """Every sound begins when something moves quickly back and forth.
        A string instrument makes its sound with strings that shake.
        Wind instruments need the breath of the player.
        It takes practice to play an instrument well.""",
        """Listen carefully to your favourite song: which instruments do you hear?
        Music is more beautiful when people play together.""",
        """before a concert
        in the music room""", False),
    "job": _kind("job", "jobs",
        """People do many kinds of work.
        Every job helps other people in some way.""",
        """A good tool makes work easier.
        Most jobs must be learned, and learning takes time.
        People are happy when their work is useful.""",
        """What would you like to be one day?
        Each of these people helps to make our life better.""",
        """on a walk through the town
        on the bus""", False),
    "meter": _kind("measuring tool", "measuring tools",
        """To measure means to find out how much of something there is.
        Scientists measure things instead of guessing.""",
        """A number without a unit tells us very little.
        A good measurement is careful and is done more than once.""",
        """With the right tool we can measure almost anything.
        Measure first, then decide.""",
        """in the school laboratory
        in the workshop""", False),
    "unit name": _kind("unit", "units",
        """A unit tells us what we are counting.
        When we measure, we compare a thing with a unit.""",
        """Small units are good for small things, and large units are good for large things.
        It is easy to change one unit into another if you know how many fit.""",
        """Always write the unit next to the number.
        Units are a language that the whole world understands.""",
        """in the mathematics room
        at the kitchen table""", False),
    "shape": _kind("shape", "shapes",
        """Shapes are all around us: in windows, tiles and road signs.
        Geometry is the study of shapes.""",
        """A shape with straight sides is called a polygon.
        A polygon has as many corners as it has sides.
        When all sides and all angles are equal, the polygon is regular.""",
        """Draw each shape and count its sides.
        Look for shapes on your way home.""",
        """in the mathematics room
        at the kitchen table""", False),
    "word": _kind("word", "words",
        """Words are the tools of every speaker and writer.
        When we know more words, we can say more exactly what we mean.""",
        """Opposites are words that mean very different things.
        Two words that mean nearly the same are called synonyms.
        Good readers learn new words every week.""",
        """Use each new word in a sentence and you will remember it.
        A good word in the right place is worth a lot.""",
        """in the library
        in the reading corner"""),
    "noun": _kind("plural", "plurals",
        """When there is more than one thing, we use the plural.
        Most English words take an "s" in the plural, but some are different.""",
        """Some words change a vowel in the plural.
        A few words are the same in the singular and the plural.
        Words that end in "y" after a consonant often take "ies".""",
        """Read often and the right plural will come by itself.
        Practice makes these words easy.""",
        """in the reading corner
        over a page of homework"""),
    "verb": _kind("past tense", "past tenses",
        """We use the past tense to talk about things that have happened.
        Many English verbs take "ed" in the past, but the most common verbs do not.""",
        """Verbs that do not follow the rule are called irregular.
        Irregular verbs have to be learned by heart.
        Children often make mistakes with these verbs, and that is normal.""",
        """Say the pairs aloud a few times.
        Tell a friend what you did yesterday and listen to your verbs.""",
        """in the reading corner
        over a page of homework"""),
}  # fmt: skip
