"""Plots of short stories: beats in order, each told in several ways, and casts of things that belong together.

A plot's line is one beat; its ways are parted by ` / `; a beat that starts with `?` may be left out. Fields:
{n} {he} {him} {his} the hero, {f} {fhe} {fhim} {fhis} the friend, {o} {ohe} {ohim} {ohis} the grown-up; capital {He}
and so on begin sentences; {child} and {fchild} are "girl" or "boy". A cast gives the plot's own fields, one a line.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plot:
    """`casts` rows fill the names in `slots`; `lessons` are ways to end with what was learned."""

    slots: tuple[str, ...]
    casts: tuple[tuple[str, ...], ...]
    beats: tuple[tuple[str, ...], ...]


def _plot(slots: str, casts: str, beats: str) -> Plot:
    return Plot(
        tuple(slots.split()),
        tuple(tuple(cell.strip() for cell in line.split("|")) for line in casts.strip().splitlines()),
        tuple(tuple(way.strip() for way in line.strip().split(" / ")) for line in beats.strip().splitlines()),
    )


OPENINGS = (
    "Once there was a {child} named {n}.", "{n} was a {trait} {child} who lived {home}.",
    "In a house {home} lived a {trait} {child} named {n}.", "There was once a {trait} {child} called {n}.",
    "{n} lived {home} with {his} family.", "Long ago, {home}, there lived a {child} named {n}.",
    "This is a story about a {trait} {child} named {n}.",
)  # fmt: skip
WEATHERS = (
    "It was a sunny morning.", "One cold day the sky was grey.", "One warm afternoon the birds were singing.",
    "It was a windy day.", "One day, after the rain, the air smelled fresh.", "It was the first day of spring.",
    "One quiet morning there was fog over the fields.", "It was a bright day in autumn.", "",
    "One Saturday there was no school.", "It was early, and the grass was still wet.", "It was a lazy Sunday.",
)  # fmt: skip
HOMES = (
    "near a forest", "by the sea", "on a small farm", "in a little town", "at the foot of a hill", "beside a river",
    "in a tall house in the city", "at the end of a long street", "next to a bakery", "near a quiet lake",
    "in a village with red roofs", "on a green hill", "close to the railway", "on a small island",
)  # fmt: skip
TRAITS = (
    "kind", "curious", "clever", "quiet", "cheerful", "brave", "shy", "careful", "merry", "friendly", "young", "small",
    "thoughtful", "lively", "gentle",
)  # fmt: skip
ENDINGS = (
    "That night {n} fell asleep with a smile.", "And {n} was very happy.", "It was the best day of the week.",
    "{n} never forgot that day.", "When {he} went to bed, {n} thought of it again and smiled.",
    "From then on, {n} and {f} were the best of friends.", "Then they all went home for supper.",
    "The sun went down, and everybody was glad.", "And that is how it was.", "{f} and {n} laughed all the way home.",
    "At supper {n} told the whole story.", "{n} could hardly wait for the next day.",
)  # fmt: skip

PLOTS: dict[str, Plot] = {
    "lost": _plot(
        "thing look where1 where2 found reason", """
        red kite|with a long tail|behind the barn|in the tall grass|up in the apple tree|the wind had carried it there
        blue ball|with white dots|under the bench|behind the shed|in the bushes|it had rolled down the hill
        silver key|as small as a finger|in every pocket|under the mat|in the bird's nest|a magpie had taken it
        brown teddy bear|with one ear|under the bed|in the wardrobe|in the dog's basket|the dog had wanted a friend
        green cap|with a gold button|on the hook by the door|in the school bag|on the head of the snowman|they had put it there the day before
        story book|with a blue cover|on the shelf|on the kitchen table|under the blanket|it had slipped down at night
        wooden boat|with a white sail|by the bridge|among the reeds|on the other bank of the pond|the wind had blown it across
        yellow scarf|as soft as a cat|on the chair|in the basket|around the neck of the old horse|the horse had been cold
        little drum|with two sticks|under the stairs|behind the sofa|in the garden shed|the cat did not like the noise
        small bell|that rang clearly|in the drawer|under the rug|on the collar of the goat|a goat with a bell cannot get lost""", """
        {n} had a {thing} {look}, and {he} loved it very much. / Of all {his} things, {n} loved the {thing} {look} most. / For {his} birthday {n} had been given a {thing} {look}.
        But on this day the {thing} was gone. / But when {he} wanted to play, the {thing} was not there. / Then {n} saw that the {thing} was missing.
        "Where is my {thing}?" cried {n}. / "Oh no, I have lost my {thing}!" said {n}. / {n} was so sad that {he} nearly cried.
        {He} asked {f} for help. "Of course I will help you," said {f}. / {f} heard {him} and came at once. "We will find it together," {fhe} said. / "Do not worry," said {f}. "Four eyes see more than two."
        First they looked {where1}, but it was not there. / They began to search {where1}. There was nothing. / "Let us look {where1}," said {f}. But they found only dust.
        Then they searched {where2}, and again they found nothing. / Next they went and looked {where2}. It was not there either. / After that they looked {where2}, but they had no luck.
        ? {n} wanted to give up. "Just one more place," said {f}. / "We must think," said {f}. "When did you last see it?" / They sat down for a moment and thought hard.
        At last {f} pointed with {fhis} finger. "Look!" There was the {thing}, {found}. / Suddenly {n} stopped. The {thing} was {found}! / Then they both saw it at the same time: the {thing} was {found}.
        Now they understood: {reason}. / How had it come there? It was simple: {reason}. / "Now I see," said {n} and laughed, for {reason}.
        "Thank you, {f}," said {n}. "Without you I would still be looking." / {n} thanked {f} and let {fhim} have the first turn with it. / {n} held the {thing} tightly and thanked {f} again and again."""),
    "rescue": _plot(
        "animal place trouble cure later", """
        little bird|under a tree|had fallen out of its nest|put it carefully back into the nest|it sang outside the window every morning
        kitten|on the roof of the shed|could not climb down|brought a ladder and carried it down|it came every day to play
        hedgehog|by the fence|was caught in an old net|cut the net with scissors|it visited the garden every evening
        young duck|behind the mill|had lost its mother|carried it to the pond, where its mother was calling|it swam to them whenever they came
        small fish|in a puddle by the river|could not get back into the deep water|took it in a bucket to the river|the water sparkled as if it said thank you
        bee|in a glass on the table|could not find the way out|opened the window and turned the glass|the flowers in the garden were full of bees
        lamb|in the ditch|was stuck in the mud|pulled it out with a rope|it ran up to them each time they passed
        puppy|at the bus stop|was lost and shivered with cold|read the name on its collar and took it home|its owner let them walk with it every Saturday
        frog|in the middle of the road|was in danger because of the cars|carried it to the other side|they heard it croak all summer
        squirrel|in the park|had hurt its leg|wrapped it in a scarf and took it to the animal doctor|it ate nuts from their hands
        butterfly|in a spider's web|could not move its wings|freed it with a thin stick|it sat on the window for a while before it flew away
        turtle|on the beach|lay on its back and could not turn over|turned it gently around|they saw its tracks in the sand""", """
        {n} and {f} were on their way home. / {n} was taking a walk with {f}. / {n} and {f} were playing outside.
        There they saw a {animal} {place}. / Suddenly {n} heard a soft sound. It was a {animal} {place}. / "Look, there is a {animal}!" said {f} and pointed. It was {place}.
        The {animal} {trouble}. / The poor {animal} {trouble}. / They saw at once that the {animal} {trouble}.
        "We have to help," said {n}. / "We cannot leave it here," said {f}. / "Oh, the poor thing!" said {n}. "What can we do?"
        ? {f} was a little afraid. "Will it bite?" {fhe} asked. "Not if we are gentle," said {n}. / They thought about it for a while. / "Let us be very quiet," whispered {f}, "so that it is not afraid."
        Then {n} had an idea. Together they {cure}. / They worked slowly and carefully. In the end they {cure}. / {n} ran to ask {o}. With {ohis} help they {cure}.
        The {animal} was safe. / Now the {animal} was safe again. / It took some time, but then all was well.
        "You have done a good thing," said {o}. / "Well done," said {o}. "A small hand can do great things." / {o} was proud of them.
        After that day, {later}. / And from then on, {later}. / They did not forget it, and {later}."""),
    "truth": _plot(
        "thing how repair", """
        blue vase|while {he} was throwing a ball in the kitchen|glue it together piece by piece
        window of the shed|while {he} was kicking a ball|put in a new glass
        favourite cup of {o}|while {he} was dancing around the table|buy a new one at the market
        wooden chair|while {he} was jumping on it|mend the leg with nails and glue
        old clock|while {he} was looking inside it|put all the small wheels back
        garden gate|while {he} was swinging on it|fix it with two new screws
        big flower pot|while {he} was chasing the cat|plant the flower in a new pot
        picture on the wall|while {he} was playing with a stick|make a new frame for it
        red lamp|while {he} was building a tent of blankets|sew a new cover for it""", """
        {n} was alone in the house. / Nobody was looking. / {n} was playing by {him}self.
        Then it happened: {n} broke the {thing} {how}. / There was a loud crash. {n} had broken the {thing} {how}. / With a crack the {thing} broke {how}.
        {n} looked at it and felt cold inside. / For a moment it was very quiet. / "Oh no," whispered {n}. "What will {o} say?"
        First {he} wanted to run away. / {He} thought of saying that the cat had done it. / {He} thought: perhaps nobody will see it.
        But {f} shook {fhis} head. "It is better to tell the truth," {fhe} said. / But {his} heart was heavy, and {he} could not play any more. / {f} came in and saw it. "You should tell {o}," {fhe} said softly.
        So {n} went to {o} and said, "I broke the {thing}. I am sorry." / {n} took a deep breath. "I have to tell you something," {he} said to {o}. "I broke the {thing}." / At last {n} went to {o} and told {ohim} everything.
        {o} was silent for a moment. / {o} looked at {him} for a long time. / {n} waited with wide eyes.
        "Thank you for telling me the truth," said {o}. "That was brave." / "A thing can be mended," said {o}, "but a lie is hard to mend." / "I am sad about it," said {o}, "but I am glad that you told me."
        Together they began to {repair}. / "Come," said {o}. "We can {repair}." And so they did. / In the afternoon {n} helped {o} to {repair}.
        {n} felt light again. / After that {n} was more careful. / {n} had learned that the truth makes the heart light."""),
    "afraid": _plot(
        "fear when comfort step result", """
        the dark|when the lamp went out at night|It is the same room as in the day; only the light is gone|sat with {f} in the dark and named all the things in the room|the dark was soft and quiet
        thunder|when a storm came|Thunder is only the sound of lightning, and a sound cannot hurt you|counted the seconds between the flash and the thunder|the storm moved away
        deep water|when the others went swimming|Water carries you if you lie still|lay on {his} back while {f} held {his} hand|{he} was floating
        the big dog next door|when it barked at the gate|He barks because he is lonely|held out {his} hand, so that the dog could smell it|the dog licked {his} fingers
        the high slide|when {he} stood at the bottom|It is just a hill made of wood|climbed up one step after the other and sat down|{he} was down, and it was fun
        singing in front of people|when it was {his} turn|Look at one friend and sing for that friend|looked only at {f} and began to sing|everybody clapped
        the first day at the new school|when {he} saw the big door|Everybody there was new once|walked through the door with {f}|a girl in the first row smiled at {him}
        the old bridge|when {he} had to cross it|It has carried people for a hundred years|took one step, and then another|{he} stood on the other side
        spiders|when {he} saw one on the wall|It is much more afraid of you|looked at it for a whole minute|{he} saw how finely it made its web
        riding the pony|when {he} saw how tall it was|Speak to it softly, and it will trust you|stroked its neck and climbed up|the pony walked as gently as a boat""", """
        {n} was afraid of {fear}. / There was one thing that frightened {n}: {fear}. / Most things did not frighten {n}, but {fear} did.
        {His} knees always shook {when}. / {He} wanted to run away {when}. / {He} always closed {his} eyes {when}.
        ? "I am silly," {he} thought. / The others did not know about it. / {n} was ashamed and told nobody.
        One day {he} told {o} about it. / One evening {n} told {o} about {his} fear. / "What is wrong?" asked {o}, and {n} told {ohim}.
        {o} did not laugh. "When I was little, I was afraid, too," {ohe} said. / "Everybody is afraid of something," said {o}. / {o} took {him} by the hand and listened.
        "{comfort}." / "I will tell you a secret," said {o}. "{comfort}." / "Think of this," said {o}. "{comfort}."
        The next time {n} remembered these words. / A few days later it was time to try. / "I will try," said {n} in a small voice.
        {He} {step}. / {His} heart beat fast, but {he} {step}. / So {he} {step}.
        And what happened? In the end {result}. / At first it was hard, but then {result}. / And look: {result}!
        "I did it!" cried {n}. / "That was not so bad," said {n}. / {f} cheered. "You were so brave!"
        To be brave does not mean that you are never afraid. It means that you try. / Now {n} knew how to be brave. / The fear did not go away at once, but it became smaller each day."""),
    "garden": _plot(
        "seed plant gift", """
        sunflower seed|a sunflower, taller than the door|gave its seeds to the birds
        bean|a long green plant full of beans|cooked a soup for the whole family
        pumpkin seed|a pumpkin as big as a chair|baked a pie and shared it with the neighbours
        apple seed|a little tree with three leaves|promised to share the first apples
        strawberry plant|a plant with ten red berries|put one berry on each plate
        tulip bulb|a red tulip|gave it to {o}
        tomato seed|a strong plant with red tomatoes|made a salad for {o}
        carrot seed|a row of orange carrots|gave the largest one to the neighbour's horse
        acorn|a tiny oak tree|measured it every year on {his} birthday""", """
        {o} gave {n} a {seed}. / One day {n} found a {seed} in {his} pocket. / {n} got a {seed} from {o}.
        "Put it into the earth, and give it water," said {o}. / "If you are patient, something will come of it," said {o}. / "What shall I do with it?" asked {n}. "Plant it," said {o}, "and wait."
        {n} dug a small hole in the garden and put it in. / So {n} took a spade, made a hole and planted it. / {n} planted it where the sun shone all day.
        Each morning {he} brought water. / Every day {n} went to look. / {He} gave it water each evening.
        But nothing happened. / One week went by, and there was only brown earth. / Day after day the earth stayed bare.
        "Maybe it is dead," said {n}. "Maybe it is only sleeping," said {f}. / {n} wanted to dig it up again. "Do not do that!" said {f}. "It needs time." / "I have waited so long," said {n}. "Good things need time," said {o}.
        Then, after a night of rain, there was something green. / One morning {n} shouted with joy. A tiny green leaf had come up! / And then, at last, a small green tip looked out of the ground.
        It grew and grew. / Now it grew a little every day. / The sun and the rain did their work, and it grew quickly.
        In the end there was {plant}. / After some time {n} had {plant}. / When summer was over, there stood {plant}.
        {n} was proud and {gift}. / Then {n} {gift}. / {n} was so glad that {he} {gift}.
        ? "You see," said {o}, "patience is a good gardener." / "Next year I will plant two," said {n}. / {n} had learned to wait."""),
    "baking": _plot(
        "food need trade person event", """
        apple cake|eggs|two jars of jam|the farmer|{f}'s birthday
        pancakes|milk|a basket of apples|the old woman next door|breakfast
        bread|salt|a bunch of flowers|the fisherman|supper
        honey cookies|honey|help with the hives|the beekeeper|the school party
        lemon cake|sugar|three lemons|the shopkeeper|the summer party
        pizza|cheese|fresh tomatoes|the neighbour with the goats|the evening with friends
        nut cake|flour|a bag of nuts|the miller|{o}'s birthday
        vegetable soup|carrots|a warm loaf of bread|the gardener|the cold evening""", """
        {n} wanted to make {food} for {event}. / It was the day of {event}, and {n} wanted to make {food}. / "I will make {food} for {event}," said {n}.
        {He} put everything on the table. / {f} came to help and washed {fhis} hands. / {n} read the recipe twice.
        But there was no {need} in the house. / "Oh dear," said {f}, "we have no {need}." The shelf was empty. / Then they saw that the {need} was missing.
        The shop was closed. / It was too late to go to the shop. / "The shop is far away," said {n}. "What shall we do?"
        "Let us ask {person}," said {f}. / Then {n} thought of {person}. / "I know who can help us," said {f}. "We can ask {person}."
        So they took {trade} as a thank you and knocked at the door. / They went there and offered {trade} in return. / "We do not want it for nothing," said {n}, and they offered {trade}.
        "What a good trade!" said {person} and gave them what they needed. / {personcap} laughed and gave them more than enough. / "Gladly," said {person}. "Good neighbours help each other."
        Back in the kitchen they mixed, stirred and tasted. / They ran home and went on with their work. / Soon there was flour on the table, on the floor and on {n}'s nose.
        The whole house smelled wonderful. / When it was ready, it smelled so good that the cat woke up. / It took an hour, and then it was ready.
        Everybody ate until nothing was left. / They invited {person}, too, and all of them ate together. / "This is the best I have ever eaten," said {o}.
        ? "Next time you must show me how to do it," said {person}. / "It tastes better because we made it together," said {n}. / There was not one crumb left on the plate."""),
    "skill": _plot(
        "wish fail advice practice proof", """
        ride a bicycle|fell into the grass|Do not look at the wheel; look where you want to go|rode a little further every day|rode all the way to the bridge
        swim|swallowed water|Breathe slowly and move your arms like a frog|went to the lake every morning|swam from one side to the other
        whistle|only blew air|Make your lips small and wet|tried it on the way to school|whistled a whole song
        bake bread|pulled a black stone from the oven|Take less wood and more time|baked one small loaf each day|baked a loaf that was golden and soft
        play the flute|made a sound like a sick duck|Blow softly, as if you wanted to cool your soup|played ten minutes every evening|played a song at the party
        skate on the ice|sat down hard|Bend your knees a little|skated along the wall every afternoon|made a big circle without falling
        read|mixed up all the letters|Take one word at a time|read one page each night|read a story to {his} little sister
        juggle|dropped all the balls|Begin with one ball, then take two|practised behind the house|kept three balls in the air
        tie {his} shoes|made a knot that would not open|Make two ears like a rabbit and cross them|tied everything {he} could find|tied {his} shoes before everybody else
        draw a horse|drew something like a table|Look at a real horse first|drew a horse each day|drew a horse that seemed to run""", """
        {n} wanted to {wish}. / More than anything, {n} wanted to {wish}. / "I want to {wish}," said {n} one morning.
        {f} could do it already. / All the others could do it. / It looked so easy when {f} did it.
        {n} tried it and {fail}. / But when {n} tried, {he} {fail}. / The first time, {he} {fail}.
        The second time was no better. / {He} tried again, and it went wrong again. / {He} tried three times, and three times it went wrong.
        "I will never learn it!" said {n} and sat down on the ground. / "It is too hard for me," said {n} sadly. / {n} was angry and wanted to stop.
        "{advice}," said {o}. / {f} sat down beside {him}. "{advice}," {fhe} said. / Then {o} came by. "Shall I tell you the trick? {advice}."
        That was good advice. / {n} thought about these words. / "I can try that," said {n}.
        From that day on {n} {practice}. / So {n} {practice}. / {n} did not give up and {practice}.
        It went a little better each time. / At first it was slow, then it was better. / Some days were good, and some days were bad.
        And one day {n} {proof}. / After three weeks {n} {proof}. / Then came the day when {n} {proof}.
        "I knew that you could do it," said {o}. / {f} clapped {fhis} hands. / "Practice is the whole secret," said {n} and smiled."""),
    "share": _plot(
        "thing idea", """
        swing|each of them swings until the other has counted to fifty
        last piece of cake|one cuts and the other chooses
        red sledge|they sit on it together, one behind the other
        box of paints|they paint one big picture together
        new football|they play one against the other
        only umbrella|they walk close together under it
        picture book|one reads aloud and the other turns the pages
        toy train|one builds the tracks and the other drives
        boat|one rows on the way there and the other on the way back
        big blanket|they build a tent that is large enough for two
        blue bicycle|one rides to the tree and back, then the other
        kite|one holds the string and the other runs""", """
        {n} and {f} both wanted the {thing}. / There was only one {thing}, and there were two children: {n} and {f}. / {n} saw the {thing} first, but {f} was faster.
        "It is mine!" said {n}. "No, I had it first!" said {f}. / "Give it to me," said {n}. "No, it is my turn," said {f}. / They both held it and did not let go.
        They pulled and shouted. / {f} began to cry, and {n} was angry. / Soon nobody was happy.
        ? A bird flew away because of the noise. / The dog hid under the table. / Even the cat left the room.
        {o} heard the noise and came. / Then {o} looked out of the window. / "What is going on here?" asked {o}.
        "If you fight, nobody has fun," said {o}. "Can you find a better way?" / "I see two children and one {thing}," said {o}. "What could you do?" / {o} did not take it away. "Think about it," {ohe} said. "You are clever."
        {n} and {f} were quiet and thought. / They looked at each other. / It was silent for a while.
        Then {n} had an idea: {idea}. / "I know!" said {f}. The idea was this: {idea}. / In the end they agreed: {idea}.
        They tried it, and it worked. / It was much more fun than before. / Now both of them laughed.
        "Why did we fight at all?" said {f}. / "I am sorry that I shouted," said {n}. "I am sorry, too," said {f}. / Two can have more fun than one."""),
    "fable": _plot(
        "proud skill modest problem solution", """
        fox|I am the cleverest animal in the forest|mole|a fire came, and nobody could get out of the valley|dug a tunnel under the hill, and all the animals were saved
        peacock|Nobody has finer feathers than I have|sparrow|a hunter came, and the long bright feathers could be seen from far away|warned the others and led them through the thick bushes
        horse|I am the fastest of all|snail|the field was covered with broken glass|showed a safe path, slowly and carefully
        lion|I am stronger than everybody|mouse|a rope held the great paw and could not be torn|chewed on the rope until it broke
        eagle|I can see everything from above|ant|a small seed was lost in the grass|found it by walking from blade to blade
        elephant|I am so large that I need no help|bird|a thorn stuck in the big foot|pulled it out with the beak
        cat|My ears are the finest in the house|old dog|smoke came from the kitchen while everybody slept|smelled it first and woke the whole house
        swan|I am the most beautiful bird on the lake|duck|the lake froze, and there was nothing to eat|found a spring so warm that the water stayed open
        rooster|The sun rises because I crow|hen|the rooster had a sore throat and could not crow|only smiled, for the sun rose all the same""", """
        A {proud} and a {modest} lived near each other. / Once a {proud} and a {modest} met on the road. / In a green valley lived a {proud} and a {modest}.
        Every day the {proud} said, "{skill}." / "{skill}," said the {proud} to all who would listen. / The {proud} was very proud. "{skill}," it said.
        The {modest} said nothing and went on working. / "That may be so," said the {modest}. "But everybody is good at something." / The {modest} listened and smiled.
        ? "And what can you do?" asked the {proud}. "Not much," said the {modest}. / The other animals were tired of hearing it. / "You are so small and plain," the {proud} added.
        Then, one day, {problem}. / But one morning {problem}. / The next winter brought trouble: {problem}.
        The {proud} did not know what to do. / Now all the pride was of no use. / The {proud} was helpless.
        But the {modest} {solution}. / Then the {modest} came and {solution}. / The {modest} did not wait: it {solution}.
        "I was wrong," said the {proud}. "You are better than I thought." / The {proud} bowed its head. "Thank you," it said. / "I have been foolish," said the {proud}. "Can you forgive me?"
        "We all need each other," said the {modest}. / "Gladly," said the {modest}. "Let us be friends." / The {modest} laughed. "Come, let us have supper together."
        Since then the {proud} has not boasted any more. / From that day on they were friends. / Pride is loud, but help is worth more."""),
    "gift": _plot(
        "idea material effort surprise", """
        a little bird house|old boards from the shed|sawed and hammered for three days|a bird moved in on the very first day
        a warm scarf|wool of many colours|knitted every evening|{f} wore it even in the house
        a book of stories|clean paper and a red thread|wrote and drew until {his} fingers hurt|{f} read it aloud from the first page to the last
        a small garden in a box|moss, stones and tiny flowers|arranged it again and again|it began to bloom on the same evening
        a song|three notes and a drum|practised it in the barn|everybody sang it with {him}
        a lantern|paper and thin sticks|glued and painted it|it shone like a little moon
        a map of all their secret places|a large sheet of paper|walked every path once more|there was a place on it that even {f} did not know
        a wooden horse|a piece of pine|carved it with a small knife|it could really roll
        a puppet|an old sock and two buttons|sewed it by the light of the lamp|it could open its mouth and talk""", """
        It was nearly {f}'s birthday. / In three days {f} would have {fhis} birthday. / {f} had invited {n} to {fhis} birthday.
        {n} wanted to give {fhim} something, but {he} had no money. / {n} opened {his} purse. There was only one small coin in it. / "What can I give {fhim}?" thought {n}. "I have no money."
        In the shop window there were fine things, but all of them cost too much. / The other children had bought big presents. / {He} looked at the toys in the shop and sighed.
        "The best presents are not bought," said {o}. / "You have two good hands," said {o}. / {o} said, "Give something that only you can give."
        Then {n} had an idea: {he} would make {idea}. / So {n} decided to make {idea}. / All at once {n} knew it: {idea}!
        {He} took {material} and began. / {He} looked for {material} and found them at last. / All {he} needed was {material}.
        {n} {effort}. / Every day after school {he} {effort}. / It was not easy, but {n} {effort}.
        ? Once it went wrong, and {he} had to begin again. / "Is it good enough?" {he} asked. "It is made with love," said {o}. / The others did not know what {he} was doing.
        At the party {f} opened one present after another. / Then the day came. {f} took the present in {fhis} hands. / {n} was nervous when {f} opened it.
        "Did you make this yourself?" asked {f} with shining eyes. / "Oh!" said {f}, and for a moment {fhe} could not speak. / {f} smiled from ear to ear.
        And then came the surprise: {surprise}. / The best thing was that {surprise}. / Everybody came to look, for {surprise}.
        "It is my favourite present," said {f}. / "Nobody else has such a thing," said {f}. / {n} was happier than if {he} had got a present {him}self."""),
    "duty": _plot(
        "task instead trouble amends", """
        feed the rabbits|played ball until it was dark|the rabbits were hungry and sad|brought them fresh carrots and cleaned their cage
        close the gate|ran after a butterfly|the sheep walked into the cabbage field|looked for the sheep and brought them home one by one
        water the flowers|lay in the grass and slept|the flowers hung their heads|carried ten cans of water to the garden
        bring the letter to the post office|stopped to watch the boats|the letter was still in {his} pocket in the evening|ran the whole way and gave it to the postman {him}self
        watch the soup|began to read a book|the soup was burnt and black|peeled the vegetables for a new soup
        take in the washing|went fishing|the rain made everything wet|hung it all up again by the stove
        wake {f} early|slept until noon|{f} missed the boat|rowed {fhim} across the lake
        light the lamp at the harbour|listened to a long story|a boat could not find the way|climbed the steps with a lantern and waved until the boat came in""", """
        "Please do not forget to {task}," said {o}. / {n} had promised {o} to {task}. / It was {n}'s duty to {task}.
        "I will not forget it," said {n}. / "Later," thought {n}. "There is a lot of time." / {n} nodded, but {he} was thinking of other things.
        But then {he} {instead}. / The day was so fine that {he} {instead}. / Instead, {n} {instead}.
        In the evening {he} remembered, and it was too late: {trouble}. / When {he} came back, {trouble}. / And what happened? Soon {trouble}.
        {n} turned red. "I forgot," {he} said. / "It is my fault," said {n} in a low voice. / {n} felt very bad.
        {o} was not loud, but {ohe} was sad. "I trusted you," {ohe} said. / "A promise is a promise," said {o}. / {o} only looked at {him}, and that was worse than a scolding.
        "I will make it good," said {n}. / {n} did not run away. / {n} thought about what {he} could do.
        So {he} {amends}. / At once {he} {amends}. / With the help of {f}, {he} {amends}.
        It took a long time, but {he} did not stop. / When it was done, {n} was tired. / {f} helped until all was well again.
        "Now I can trust you again," said {o}. / {o} put an arm around {him}. / "Everybody forgets something once," said {o}. "You have made it good."
        After that {n} tied a knot in {his} handkerchief when there was something to remember. / {n} kept {his} promises from then on. / {n} had learned that others rely on us."""),
    "wish": _plot(
        "magic own need change", """
        an old coin in the sand|a castle of chocolate|{o} was ill and had to stay in bed|{o} got up and was well again
        a golden feather under a tree|a pair of wings|the well of the village was dry|clear water came up in the well
        a small stone that glowed|a pony of {his} own|{f} had lost {fhis} voice|{f} could sing again
        a bottle with a blue star in it|a room full of toys|no rain had fallen for weeks|a soft rain began to fall
        a tiny bell that rang by itself|never to go to school again|a ship could not find the harbour in the fog|the fog went away and the ship came home
        a button that was warm in the hand|to be as tall as a tree|the bees had left the gardens|the bees came back to all the flowers
        a ring of grass|a hat that makes you invisible|the bread in the village was gone|there was bread on every table""", """
        On {his} way {n} found {magic}. / By chance {n} found {magic}. / {n} bent down and picked up something strange: it was {magic}.
        "You have one wish," said a small voice. / A voice whispered, "Make a wish. But you have only one." / Suddenly it spoke! "I can grant you one wish," it said.
        {n} could not believe it. / "Is that true?" asked {n}. "Try it," said the voice. / {n} looked around, but nobody was there.
        {He} thought at once of {own}. / There was one thing {he} had always wanted: {own}. / "I could wish for {own}," thought {n}.
        {He} ran home to tell {f}. / But {he} did not wish at once. "I will sleep on it," {he} said. / {n} put it in {his} pocket and went on.
        But {f} met {him} with a sad face. {needcap}. / Then {he} heard bad news: {need}. / On the way {he} heard people talk. They said that {need}.
        {n} stood still. {He} held the wish in {his} hand. / For a moment {n} did not know what to do. / {n} thought about it the whole night.
        Then {he} closed {his} eyes and wished with all {his} heart for help. / "I do not need anything for myself," {he} said at last. "Please help." / "There are more important things," {he} said and made {his} wish for the others.
        And indeed, {change}. / In the same moment {change}. / When the sun rose, {change}.
        The magic was gone, but {n} was not sad. / Nobody knew who had done it, and {n} told only {f}. / The voice was silent now, but it had been kind.
        "That was the best wish of all," said {f}. / A wish for others makes two people happy. / "And your own wish?" asked {f}. "I have all I need," said {n}."""),
    "stranger": _plot(
        "place newfrom shyness play", """
        in the playground|had come from another country and did not know the language|sat alone on the bench|drew pictures in the sand, and each of them learned the other's words
        at the swimming lake|had moved here only a week ago|stood behind a tree and watched|built a dam of stones together
        in the classroom|came from a village in the mountains|did not say a single word|showed each other the games they knew
        in the library|was new in the town|hid behind a big book|found out that they loved the same stories
        on the football field|wore a cap that nobody knew|only looked at the ground|played until the moon was in the sky
        at the bus stop|lived with {fhis} aunt since the summer|held {fhis} bag tightly|shared an apple and talked about the stars
        in the music room|had travelled with {fhis} parents on a ship|did not dare to touch the drum|played the drum with four hands""", """
        Then {n} saw a {fchild} {place}. / There was a new {fchild} {place}. / {n} noticed a {fchild} {place} whom {he} had never seen.
        The {fchild}'s name was {f}, and {fhe} {newfrom}. / It was {f}, who {newfrom}. / {f} {newfrom}.
        {fHe} {shyness}. / While the others laughed, {f} {shyness}. / All the time {f} {shyness}.
        "Why does {fhe} not play with us?" asked a child. / Nobody spoke to {fhim}. / The others ran past and did not see {fhim}.
        {n} remembered how it feels to be alone. / {n} felt sorry for {fhim}. / "It must be hard to be new," thought {n}.
        So {he} went over and said, "Hello, I am {n}." / {He} took all {his} courage and smiled at {fhim}. / "Would you like to play with me?" asked {n}.
        ? {f} looked up in surprise. / At first {f} did not answer. Then {fhe} smiled. / "Yes," said {f} very softly.
        They {play}. / Soon they {play}. / And then the two of them {play}.
        The others saw it and came, too. / After a while all the children joined them. / By the end of the day {f} had five new friends.
        "Thank you for asking me," said {f}. / "Now I like it here," said {f}. / {f} waved for a long time when {fhe} went home.
        A friendly word is a small thing, but it can open a door. / It takes only one step to make a friend. / {n} was glad that {he} had made the first step."""),
}  # fmt: skip
