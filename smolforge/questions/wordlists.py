"""Lists of English words by which sentences and names are told apart. Rules of thumb, none of them complete."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


def phrases(text: str) -> str:
    """Phrases set apart by commas, as the alternatives of a pattern."""
    return "|".join(phrase.strip() for phrase in text.split(","))


# -- sentences ----------------------------------------------------------------------------------------

ABBREVIATIONS = words(
    "mr mrs ms dr prof rev gen col sen rep gov st sr jr vs etc e.g i.e cf fig figs eq no vol pp ed eds al "
    "approx ca dept inc ltd co corp u.s u.k u.n d.c a.m p.m b.c a.d ph.d jan feb mar apr jun jul aug sep sept "
    "oct nov dec ex"
)
ENDING = words("etc inc ltd co corp u.s u.k u.n d.c a.m p.m b.c a.d ph.d jr sr")
"""Abbreviations that a sentence may well end with."""

LEANING = words(
    "this that these those it its it's he she they their his her him them such however therefore thus hence "
    "but and or so then also moreover furthermore nevertheless nonetheless instead otherwise meanwhile "
    "similarly likewise consequently accordingly another both neither either here there yet still rather "
    "again finally first second third fourth next later afterward afterwards besides indeed perhaps what why "
    "how who which where others several some many most each let note see recall suppose imagine consider try "
    "click figure table example ex yes no today tonight now yesterday tomorrow recently previously earlier "
    "one two three four five well once additionally conversely nor because only even further subsequently "
    "soon ultimately eventually unfortunately fortunately clearly obviously surely certainly specifically "
    "particularly overall all assume find write compute calculate determine solve evaluate simplify given think "
    "problems exercises prints do don't should must may can will cannot learn watch visit read listen view explore"
)
"""Words at the head of a sentence that lean on the one before."""

LEANING_PHRASES = phrases(
    "for example, for instance, for this, for these, for that, in addition, in contrast, in fact, in turn, "
    "in other words, in this, in these, in that, in short, in response, in each, in general, in particular, "
    "in such, in both, in any case, in the same, in the end, in the first, in the second, in the former, "
    "in the latter, in the following, in the above, in the example, as a result, as such, as we, as you, "
    "as an example, as noted, as mentioned, as shown, as discussed, as described, as of, at the same, at this, "
    "at that, at first, at least, at last, by this, by that, by contrast, by comparison, by then, on the other, "
    "on the contrary, on the one, to this, to that, to do so, of these, of this, of those, of course, "
    "after this, after that, after all, from this, from that, from these, with this, with that, with these, "
    "under this, under these, during this, during that, during these, despite this, despite that, despite these, "
    "since then, until then, more than, less than, along with, like this, like these, like those, not only, "
    "not all, not every, not until, that is, a similar, a second, a third, a final, a further, a related, "
    "an additional, an alternative, the same, the other, the others, the former, the latter, the two, the three, "
    "the first, the second, the third, the next, the following, the previous, the above, the result, the latest, "
    "the resulting, the remaining, the rest, the answer, the question, the reason, the idea, the point, "
    "the problem, the difference, the example, the only, the new, the more, the most, the story, the word, "
    "the goal, the aim"
)
"""The same of several words."""

POINTING_PHRASES = phrases(
    "the figure, the table, the graph, the map, the image, the photo, the diagram, the chart, the equation, "
    "the above, the following, the former, the latter, the previous, figure below, table below, see also, "
    "see the, see below, see above, see section, see chapter, as shown, as seen, as noted, as mentioned, "
    "as described, as discussed, as follows, aforementioned, click, shown here, for more information, "
    "for more details, for further information, for further details, head over to, check out, checking out, "
    "take a look, link to, read more, learn more, available at, these two, these three, these four, the two, "
    "other hand, other words, thereof, therein, appendix, your instructor, your class, in question, the same, "
    "likewise, such as these"
)
"""Phrases anywhere in a sentence that point at what its reader does not see."""

SMALL_FIRST = words(
    "a an the any one that those when how in of to for used use method process state belief person people "
    "group theory type form study set system ability tendency idea act part way what whether who something "
    "anything centered refers describes having being based also each every all some this these"
)
"""Words that a definition begins with and that are no names: their capital says nothing."""

# -- names --------------------------------------------------------------------------------------------

NO_NAMES = words(
    "the a an i we you he she it they this that these those in on at by of for to from with as if but and or "
    "so not no when where while after before since until because although though however there here then "
    "thus what who why how all some many most each every both our my your his her their its one two three "
    "four five six seven eight nine ten let mr mrs ms dr january february march april may june july august "
    "september october november december monday tuesday wednesday thursday friday saturday sunday figure "
    "table chapter section yes ok note see use using unlike like during among between under over through into "
    "upon also only even just ad bc bce ce nearly about first second new god lord tier est more less"
)
GIVEN_NAMES = words(
    "abraham adam albert alexander alfred alice andrew ann anna anne anthony arthur barack benjamin bertrand "
    "bill charles christopher daniel david donald dwight edgar edmund edward edwin eleanor elizabeth ellen "
    "emily emma eric ernest eugene francis frank franklin frederick friedrich galileo george gerald grace "
    "hannah harold harriet harry helen henrietta henry herbert hillary howard hugh immanuel isaac jacob james "
    "jane jean jeremy jerome jimmy johannes john jonathan joseph juan karl kenneth lawrence lewis louis ludwig "
    "luther lyndon margaret maria marie mark martin mary max michael nathaniel neil nicolas nicolaus norman "
    "oliver oscar otto patrick paul peter philip plato ralph rebecca rené richard robert roger ronald rosa "
    "rudolf russell samuel sarah sigmund simon simone socrates stephen steven susan theodore thomas tim tycho "
    "ulysses victor vincent walter warren wilhelm william winston woodrow aristotle saddam mikhail vladimir "
    "fidel nelson mahatma mohandas ho mao josé carlos pedro luis miguel antonio ali mohammed muhammad ahmed"
)
TITLES = words(
    "president vice senator secretary dr mr mrs sir general professor justice king queen pope minister prime "
    "philosopher astronomer psychologist sociologist physicist governor congressman representative colonel "
    "captain judge chancellor emperor prince princess saint st"
)
CONTINENTS = words("africa america asia europe australia antarctica eurasia oceania scandinavia arabia")
COUNTRIES = words(
    "afghanistan albania algeria andorra angola argentina armenia austria azerbaijan bahrain bangladesh belarus belgium "
    "belize benin bhutan bolivia botswana brazil britain bulgaria burma burundi cambodia cameroon canada chad chile "
    "china colombia congo croatia cuba cyprus czechoslovakia denmark ecuador egypt england eritrea estonia ethiopia fiji "
    "finland france gabon georgia germany ghana greece grenada guatemala guinea guyana haiti honduras hungary iceland "
    "india indonesia iran iraq ireland israel italy jamaica japan jordan kazakhstan kenya korea kosovo kuwait laos latvia "
    "lebanon lesotho liberia libya liechtenstein lithuania luxembourg madagascar malawi malaysia maldives mali malta "
    "mauritania mauritius mexico moldova monaco mongolia montenegro morocco mozambique namibia nepal netherlands "
    "nicaragua niger nigeria norway oman pakistan panama paraguay persia peru philippines poland portugal prussia qatar "
    "romania russia rwanda scotland senegal serbia singapore slovakia slovenia somalia spain sudan suriname sweden "
    "switzerland syria taiwan tajikistan tanzania thailand togo tunisia turkey turkmenistan uganda ukraine uruguay "
    "uzbekistan venezuela vietnam wales yemen yugoslavia zambia zimbabwe"
)
STATES = words(
    "alabama alaska arizona arkansas california colorado connecticut delaware florida hawaii idaho illinois indiana iowa "
    "kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska "
    "nevada ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia washington wisconsin wyoming"
)
CITIES = words(
    "athens atlanta baghdad baltimore beijing berlin boston brussels cairo chicago cleveland dallas delhi denver detroit "
    "dublin florence geneva hanoi havana hiroshima houston istanbul jerusalem kabul kiev lisbon london madrid manila "
    "memphis miami milan montreal moscow munich nagasaki naples oslo paris philadelphia pittsburgh prague rome saigon "
    "sarajevo seattle seoul shanghai stockholm sydney tehran tokyo toronto venice vienna warsaw zurich"
)
DIRECTIONS = words(
    "north south east west northern southern eastern western central middle far upper lower latin northeast northwest "
    "southeast southwest northeastern northwestern southeastern southwestern mainland"
)
WATERS = words("river lake sea ocean bay gulf canal strait lakes seas straits")
REALM_HEADS = words("states kingdom republic union empire commonwealth")
LAND_HEADS = words("island islands isles mountain mountains valley desert peninsula coast basin hills plains")
DISTRICT_HEADS = words("city county town village province territory district")
LEARNED_HEADS = words(
    "university college institute school academy observatory museum library laboratory laboratories"
)
BODY_HEADS = words(
    "party congress senate court committee commission department agency association society council nations bank "
    "organization organisation company corporation church army navy board bureau administration league foundation "
    "center centre group alliance ministry corps government cabinet assembly"
)
STRUGGLE_HEADS = words(
    "war revolution depression battle rebellion crisis movement uprising revolt massacre campaign"
)
LAW_HEADS = words(
    "act treaty amendment declaration constitution deal plan doctrine compromise bill law code proclamation agreement "
    "pact accord accords charter"
)
EVENT_HEADS = words("conference age era period theory program project festival prize award")
FUNCTION_WORDS = (
    "in|on|at|by|for|to|from|of|with|as|is|was|were|are|has|had|who|which|that|when|where|while|after|before|"
    "during|because|since|until|would|could|will|can|and|or|but|about|under|over|through|into|between|against"
)
"""Words that may follow a whole name, as alternatives of a pattern."""
