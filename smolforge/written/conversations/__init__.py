"""A SmolTalk in miniature: conversations for instruction tuning, made by rules and no model.

`conversations` and `chat_prose` give training rows, `items` and `held_out_chats` what is kept from them.
"""

from smolforge.written.conversations.mixing import (
    DEFAULT_SHARES,
    ITEM_SKILLS,
    SKILLS,
    chat_prose,
    conversations,
    held_out_chats,
    items,
)

__all__ = [
    "DEFAULT_SHARES",
    "ITEM_SKILLS",
    "SKILLS",
    "chat_prose",
    "conversations",
    "held_out_chats",
    "items",
]
