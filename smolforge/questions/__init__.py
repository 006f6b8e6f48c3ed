"""Questions and answers made from the user's own documents, by rules and no model.

`find_facts` reads documents and finds what can be asked; `split` divides it; `choice_items` and `exact_items`
make held-out questions of one side, `answer_chats` conversations for tuning of the other. The documents
themselves *are* trained on: the questions ask whether the model took in what they say. Gaps quote a sentence up to
its answer; definitions, fields and tables are asked for in words that no document has. What is kept apart is the
questions: no chat holds the sentence that answers a held-out one. For that reason these items must not be among
what curation looks for in documents: it would drop the very documents they ask about.

    dropped = Counter()
    facts = find_facts(documents, dropped=dropped)
    sides = split(facts, share=0.3, seed=1)
    items = choice_items(sides.held_out, 200, seed=1, pool=facts, dropped=dropped)
    rows = answer_chats(sides.tuning, 2000, seed=1)
    describe(facts, dropped)                            # numbers for the facts of a stage

Everything depends on the documents and the seed alone, not on the order of documents.
"""

from smolforge.questions.chats import answer_chats
from smolforge.questions.condensing import condensed
from smolforge.questions.fact import KINDS, Fact, Tally, describe
from smolforge.questions.finding import find_facts
from smolforge.questions.items import SKILL, choice_items, exact_items
from smolforge.questions.splitting import Split, split

__all__ = [
    "KINDS",
    "SKILL",
    "Fact",
    "Split",
    "Tally",
    "answer_chats",
    "choice_items",
    "condensed",
    "describe",
    "exact_items",
    "find_facts",
    "split",
]
