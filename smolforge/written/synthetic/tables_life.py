"""What we know of daily life: units, calendar, body, tools, music, inventions and words. Same format."""

# larger unit | how many | smaller unit (plural) | measures
UNITS = """
minute|60|seconds|time
hour|60|minutes|time
day|24|hours|time
week|7|days|time
year|12|months|time
decade|10|years|time
century|100|years|time
millennium|1000|years|time
metre|100|centimetres|length
centimetre|10|millimetres|length
kilometre|1000|metres|length
kilogram|1000|grams|mass
tonne|1000|kilograms|mass
litre|1000|millilitres|volume
foot|12|inches|length
yard|3|feet|length
pound|16|ounces|mass
dozen|12|things|number
score|20|things|number
dollar|100|cents|money
euro|100|cents|money
right angle|90|degrees|angle
full turn|360|degrees|angle
byte|8|bits|information
"""

# month | number word | days | season in the north | comes after
MONTHS = """
January|first|31|winter|December
February|second|28|winter|January
March|third|31|spring|February
April|fourth|30|spring|March
May|fifth|31|spring|April
June|sixth|30|summer|May
July|seventh|31|summer|June
August|eighth|31|summer|July
September|ninth|30|autumn|August
October|tenth|31|autumn|September
November|eleventh|30|autumn|October
December|twelfth|31|winter|November
"""

# day | comes after | comes before
DAYS = """
Monday|Sunday|Tuesday
Tuesday|Monday|Wednesday
Wednesday|Tuesday|Thursday
Thursday|Wednesday|Friday
Friday|Thursday|Saturday
Saturday|Friday|Sunday
Sunday|Saturday|Monday
"""

# colour | made from | seen on
COLOURS = """
green|blue and yellow|grass
orange|red and yellow|a carrot
purple|red and blue|a plum
pink|red and white|a pig
grey|black and white|a rain cloud
"""

# thing | colour
COLOURED = """
grass|green
snow|white
coal|black
a ripe banana|yellow
blood|red
a clear daytime sky|blue
a ripe tomato|red
milk|white
chocolate|brown
an emerald|green
a ruby|red
a sapphire|blue
a carrot|orange
an elephant|grey
a flamingo|pink
the yolk of an egg|yellow
"""

# part of the body | what it does | where
BODY = """
heart|pump blood around the body|in the chest
lungs|take in oxygen from the air|in the chest
stomach|mix food with acid|in the belly
brain|think and control the body|in the head
kidneys|clean the blood|in the lower back
skin|protect the body|all around the body
bones|hold the body up|all through the body
muscles|move the body|all through the body
eyes|see|in the head
ears|hear|on the sides of the head
nose|smell|in the face
tongue|taste|in the mouth
teeth|bite and chew food|in the mouth
liver|store energy and clean the blood of poisons|in the belly
"""

# inventor or scientist | field | known for | born (year) | country of birth
PEOPLE = """
Isaac Newton|physics|the laws of motion|1643|England
Albert Einstein|physics|the theory of relativity|1879|Germany
Marie Curie|physics and chemistry|the discovery of radium|1867|Poland
Charles Darwin|biology|the theory of evolution|1809|England
Galileo Galilei|astronomy|seeing the moons of Jupiter|1564|Italy
Nicolaus Copernicus|astronomy|saying that the Earth moves around the Sun|1473|Poland
Johannes Kepler|astronomy|the laws of planetary motion|1571|Germany
Louis Pasteur|biology|the vaccine against rabies|1822|France
Alexander Fleming|medicine|the discovery of penicillin|1881|Scotland
Edward Jenner|medicine|the smallpox vaccine|1749|England
Gregor Mendel|genetics|his experiments with pea plants|1822|-
Dmitri Mendeleev|chemistry|the periodic table|1834|Russia
Antoine Lavoisier|chemistry|naming oxygen|1743|France
Michael Faraday|physics|the first electric motor|1791|England
James Clerk Maxwell|physics|the equations of electricity and magnetism|1831|Scotland
Nikola Tesla|engineering|electric motors that run on alternating current|1856|-
Thomas Edison|engineering|the phonograph|1847|the United States
Alexander Graham Bell|engineering|the telephone|1847|Scotland
Johannes Gutenberg|printing|the printing press with movable type|-|Germany
James Watt|engineering|a better steam engine|1736|Scotland
Ada Lovelace|mathematics|the first published computer program|1815|England
Alan Turing|computer science|the idea of a universal computing machine|1912|England
Grace Hopper|computer science|one of the first compilers|1906|the United States
Carl Friedrich Gauss|mathematics|his work on numbers|1777|Germany
Leonhard Euler|mathematics|solving the puzzle of the seven bridges|1707|Switzerland
Rosalind Franklin|chemistry|X-ray pictures of DNA|1920|England
Edwin Hubble|astronomy|showing that the universe grows|1889|the United States
Niels Bohr|physics|a model of the atom|1885|Denmark
Alfred Wegener|geology|the idea that continents drift|1880|Germany
Alfred Nobel|chemistry|dynamite|1833|Sweden
Jane Goodall|biology|her studies of chimpanzees|1934|England
Tim Berners-Lee|computer science|the World Wide Web|1955|England
Alessandro Volta|physics|the electric battery|1745|Italy
Wilhelm Roentgen|physics|the discovery of X-rays|1845|Germany
Samuel Morse|engineering|a code of dots and dashes|1791|the United States
Louis Braille|teaching|an alphabet of raised dots|1809|France
"""

# instrument | family | how it is played
INSTRUMENTS = """
violin|string|with a bow
cello|string|with a bow
double bass|string|with a bow
viola|string|with a bow
guitar|string|by plucking the strings
harp|string|by plucking the strings
banjo|string|by plucking the strings
flute|woodwind|by blowing across a hole
clarinet|woodwind|by blowing through a reed
oboe|woodwind|by blowing through a reed
bassoon|woodwind|by blowing through a reed
saxophone|woodwind|by blowing through a reed
trumpet|brass|by buzzing the lips
trombone|brass|by buzzing the lips
tuba|brass|by buzzing the lips
French horn|brass|by buzzing the lips
drum|percussion|by hitting it
cymbal|percussion|by hitting it
xylophone|percussion|by hitting bars with sticks
triangle|percussion|by hitting it
tambourine|percussion|by shaking it
piano|keyboard|by pressing keys
organ|keyboard|by pressing keys
harpsichord|keyboard|by pressing keys
"""

# job | what the person does | tool | place of work
JOBS = """
baker|bakes bread and cakes|oven|bakery
farmer|grows food and keeps animals|tractor|farm
teacher|helps children learn|blackboard|school
doctor|helps sick people get well|stethoscope|hospital
carpenter|makes things from wood|saw|workshop
painter|paints walls or pictures|brush|studio
gardener|looks after plants|spade|garden
fisherman|catches fish|net|boat
pilot|flies aeroplanes|-|cockpit
tailor|makes and mends clothes|needle|-
blacksmith|shapes hot iron|hammer|forge
astronomer|studies the stars|telescope|observatory
librarian|looks after books|-|library
cook|prepares meals|pan|kitchen
firefighter|puts out fires|hose|fire station
dentist|looks after teeth|drill|-
barber|cuts hair|scissors|barber shop
mechanic|repairs cars|spanner|garage
scientist|does experiments|microscope|laboratory
judge|decides cases of law|gavel|court
miner|digs for coal or metal|pickaxe|mine
beekeeper|keeps bees for honey|smoker|-
photographer|takes pictures|camera|-
plumber|repairs water pipes|wrench|-
bricklayer|builds walls|trowel|building site
potter|makes bowls of clay|wheel|-
"""

# thing that measures | what it measures
METERS = """
thermometer|temperature
clock|time
ruler|length
scale|weight
compass|direction
barometer|air pressure
speedometer|speed
protractor|angles
rain gauge|rainfall
calendar|-
"""

# word | opposite | synonym
ADJECTIVES = """
hot|cold|-
big|small|large
tall|short|-
fast|slow|quick
happy|sad|glad
old|young|-
full|empty|-
hard|soft|-
light|dark|bright
early|late|-
rich|poor|wealthy
strong|weak|powerful
clean|dirty|-
wet|dry|-
high|low|-
wide|narrow|broad
deep|shallow|-
heavy|light|-
loud|quiet|noisy
brave|afraid|bold
easy|difficult|simple
true|false|-
open|closed|-
thick|thin|-
sweet|sour|-
near|far|close
right|wrong|correct
safe|dangerous|-
kind|cruel|friendly
clever|foolish|smart
awake|asleep|-
smooth|rough|-
noisy|quiet|loud
angry|calm|cross
begin|end|start
buy|sell|-
push|pull|-
win|lose|-
give|take|-
remember|forget|-
arrive|leave|-
laugh|cry|-
build|destroy|-
"""

# one | many
PLURALS = """
child|children
foot|feet
tooth|teeth
mouse|mice
goose|geese
man|men
woman|women
leaf|leaves
wolf|wolves
knife|knives
loaf|loaves
box|boxes
baby|babies
city|cities
story|stories
potato|potatoes
tomato|tomatoes
sheep|sheep
ox|oxen
shelf|shelves
half|halves
bus|buses
church|churches
dish|dishes
berry|berries
lady|ladies
"""

# verb | past
PASTS = """
go|went
see|saw
eat|ate
run|ran
swim|swam
write|wrote
take|took
give|gave
come|came
make|made
buy|bought
think|thought
bring|brought
teach|taught
catch|caught
sing|sang
drink|drank
begin|began
fly|flew
know|knew
grow|grew
draw|drew
break|broke
speak|spoke
find|found
keep|kept
sleep|slept
leave|left
build|built
send|sent
tell|told
sell|sold
hold|held
feel|felt
meet|met
win|won
"""

# shape | sides
SHAPES = """
triangle|3
square|4
rectangle|4
pentagon|5
hexagon|6
heptagon|7
octagon|8
nonagon|9
decagon|10
"""
