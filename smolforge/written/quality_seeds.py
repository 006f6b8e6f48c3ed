"""Anchors for `quality.train`: short passages scored by hand, and worthless pages put together from phrases.

We wrote them all. The passages stand for what `annotate` is unsure of; the pages stand for the web, of which
a source may hold too little for a classifier to know it.
"""

from __future__ import annotations

import random

SEEDS: tuple[tuple[float, str], ...] = (
    (5.0, """# Why the sky is blue
Sunlight looks white, but it is a mixture of all colours. When it meets the air, the small molecules scatter
short waves much more than long ones. Blue light has short waves, so it is scattered in every direction, and
it reaches our eyes from all over the sky. Red light goes almost straight on. This is also why the sun looks
red in the evening: its light has passed through so much air that most of the blue is gone.
Exercise: why does the moon, which has no air, have a black sky even at noon?"""),
    (5.0, """Problem. A train travels 180 km in 2 hours and 15 minutes. What is its mean speed?
Solution. First write the time in hours: 15 minutes is a quarter of an hour, so the time is 2.25 h. The mean
speed is the distance divided by the time: $180 / 2.25 = 80$. The train travels at 80 km/h.
Check: in 2 hours it covers 160 km and in a quarter of an hour 20 km, which makes 180 km."""),
    (5.0, """A function is a named piece of a program. You define it once and call it as often as you like.
    def area(width, height):
        return width * height
The names in the brackets are its parameters. When you call `area(3, 4)`, the value 3 takes the place of width
and 4 that of height, and the call gives back 12. Functions make programs shorter, and easier to test."""),
    (4.0, """The heart is a muscle that pumps blood through the body. It has four chambers. The right half sends
blood to the lungs, where it takes up oxygen; the left half sends it on to all other organs. Valves between the
chambers let the blood flow in one direction only. An adult's heart beats about seventy times a minute."""),
    (4.0, """Return a new list with the items of the iterable in ascending order. The optional key is a function of
one argument that is called for each item before the comparison; for example, key=str.lower sorts words without
regard to case. The sort is stable, which means that items that compare equal keep their order."""),
    (4.0, """Once upon a time a small fox found a bell in the snow. Every time it moved, the bell rang, and every
mouse in the wood heard it and hid. "I wanted a treasure," said the fox, "but it costs me my supper." So it hung
the bell on a branch, where the wind could ring it, and went home quietly. It had learned that not everything
that shines is useful."""),
    (3.0, """The village lies on the northern bank of the river. Its church was built in the fifteenth century and
has a wooden tower. A market is held every Thursday. Until 1950 most people worked in the paper mill, which was
closed when a larger one opened in the next valley."""),
    (3.0, """configure(path, strict=True): Read settings from a file. With strict, an unknown setting raises an error.
Returns a Settings object. Raises FileNotFoundError if the path does not exist."""),
    (2.0, """We had such a great time at the beach yesterday!!! The kids loved the ice cream and we stayed until it was
dark. Can't wait to go again next week. Thanks to everyone who came along, you are the best."""),
    (2.0, """The company announced on Tuesday that its revenue rose by four per cent in the third quarter. Shares were
little changed in early trading. A spokesman declined to comment on reports of a merger."""),
    (1.0, """Top 10 gadgets you need right now! Number seven will surprise you. Click here to see the full list, and do
not forget to subscribe to our newsletter for more amazing deals. Buy now and save 20%."""),
    (1.0, """Posted by admin | 3 comments | Share this | Tags: news, update, info. Read more. Previous post. Next post.
Leave a reply. Your email address will not be published. Required fields are marked."""),
    (0.0, """Home | About | Products | Contact us | Log in | Sign up | Privacy policy | Terms of use | Copyright. All rights
reserved. Home | About | Products | Contact us | Log in | Sign up"""),
    (0.0, """This site uses cookies. By continuing to browse you accept our cookie policy. Accept all. Reject. Settings.
Please enable JavaScript to view this page."""),
    (0.0, """SKU 18822-A 4.99 SKU 18823-B 5.99 SKU 18824-C 6.99 in stock add to cart in stock add to cart sold out add to
cart SKU 18825-D 7.99 in stock add to cart"""),
    (0.0, """fghj asdf lorem ipsum dolor sit amet xxx 000 11 22 33 44 test test test test page 404 not found error error"""),
)  # fmt: skip

MENU = [
    "Home",
    "About us",
    "Contact",
    "Products",
    "Services",
    "Blog",
    "News",
    "Log in",
    "Sign up",
    "My account",
    "Shopping cart",
    "Checkout",
    "Wish list",
    "Help",
    "FAQ",
    "Site map",
    "Careers",
    "Press",
    "Partners",
    "Privacy policy",
    "Terms of use",
    "Cookie settings",
    "Imprint",
    "Gallery",
    "Events",
    "Archive",
    "Categories",
    "Tags",
    "Search",
    "Menu",
    "Skip to main content",
    "Back to top",
    "Previous",
    "Next",
    "Newsletter",
    "Follow us",
    "Share",
    "Tweet",
    "Print",
]
OFFERS = [
    "Buy now and save {n}%!",
    "Free shipping on all orders over {n}.99",
    "Only {n} left in stock",
    "Add to cart",
    "Limited time offer",
    "Click here for the best deals",
    "Subscribe to our newsletter and get {n}% off",
    "Compare prices",
    "Sale ends in {n} hours",
    "Customers also bought",
    "Rated {n} out of 5 stars",
    "Order today",
    "Win a free phone",
    "Make {n}00 a day from home",
    "You will not believe what happened next",
    "Top {n} secrets they do not want you to know",
    "Download now for free",
]
NOTICES = [
    "This site uses cookies to improve your experience.",
    "Please enable JavaScript to continue.",
    "All rights reserved.",
    "Your email address will not be published.",
    "Required fields are marked.",
    "Leave a reply",
    "{n} comments",
    "Posted by admin",
    "Log in to reply",
    "Read more",
    "Share this post",
    "Filed under: general",
    "Last updated {n} minutes ago",
    "Page {n} of 50",
    "You must be logged in to view this page.",
    "The page you requested was not found.",
    "Loading, please wait.",
    "{n} views",
    "Session expired.",
    "Advertisement",
    "Sponsored content",
    "Related posts",
    "Most popular",
    "Trending now",
    "Report abuse",
    "lol",
    "thx bro",
]


def worthless_pages(count: int, seed: int = 1) -> list[tuple[float, str]]:
    """(score, text) of pages that are menus, offers and notices; scores 0 to 1."""
    pages = []
    for number in range(count):
        draw = random.Random(f"worthless/{seed}/{number}")
        phrases = draw.choice((MENU, OFFERS, NOTICES, MENU + NOTICES, OFFERS + MENU, MENU + OFFERS + NOTICES))
        lines = [
            draw.choice(phrases).replace("{n}", str(draw.randint(2, 60)))
            for _ in range(draw.randint(15, 120))
        ]
        pages.append((draw.choice((0.0, 0.0, 0.5, 1.0)), draw.choice(("\n", " | ", " ")).join(lines)))
    return pages
