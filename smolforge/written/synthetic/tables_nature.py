"""What we know of matter, sky, animals and plants. Same format as `tables_world`."""

# element | symbol | number | family | state at room temperature | use
ELEMENTS = """
hydrogen|H|1|nonmetal|gas|fuel for rockets
helium|He|2|noble gas|gas|balloons that float
lithium|Li|3|metal|solid|batteries
beryllium|Be|4|metal|solid|light, stiff parts for spacecraft
boron|B|5|metalloid|solid|heat-proof glass
carbon|C|6|nonmetal|solid|pencils and diamonds
nitrogen|N|7|nonmetal|gas|fertiliser for plants
oxygen|O|8|nonmetal|gas|breathing
fluorine|F|9|halogen|gas|toothpaste
neon|Ne|10|noble gas|gas|bright red signs
sodium|Na|11|metal|solid|table salt
magnesium|Mg|12|metal|solid|light car parts
aluminium|Al|13|metal|solid|drink cans and foil
silicon|Si|14|metalloid|solid|computer chips
phosphorus|P|15|nonmetal|solid|matches and fertiliser
sulfur|S|16|nonmetal|solid|rubber for tyres
chlorine|Cl|17|halogen|gas|clean swimming pools
argon|Ar|18|noble gas|gas|the filling of light bulbs
potassium|K|19|metal|solid|fertiliser for plants
calcium|Ca|20|metal|solid|strong bones and cement
scandium|Sc|21|metal|solid|strong bicycle frames
titanium|Ti|22|metal|solid|aeroplanes and artificial hips
vanadium|V|23|metal|solid|hard steel tools
chromium|Cr|24|metal|solid|shiny coatings
manganese|Mn|25|metal|solid|strong steel
iron|Fe|26|metal|solid|bridges and nails
cobalt|Co|27|metal|solid|blue glass
nickel|Ni|28|metal|solid|coins
copper|Cu|29|metal|solid|electric wires
zinc|Zn|30|metal|solid|a coat that stops rust
gallium|Ga|31|metal|solid|bright lamps
germanium|Ge|32|metalloid|solid|lenses that see heat
arsenic|As|33|metalloid|solid|some computer chips
selenium|Se|34|nonmetal|solid|red glass
bromine|Br|35|halogen|liquid|materials that do not burn easily
krypton|Kr|36|noble gas|gas|flash lamps
rubidium|Rb|37|metal|solid|exact clocks
strontium|Sr|38|metal|solid|red fireworks
yttrium|Y|39|metal|solid|lasers
zirconium|Zr|40|metal|solid|hard ceramic knives
silver|Ag|47|metal|solid|jewellery and mirrors
cadmium|Cd|48|metal|solid|yellow paint
tin|Sn|50|metal|solid|food cans
antimony|Sb|51|metalloid|solid|materials that do not burn easily
iodine|I|53|halogen|solid|cleaning wounds
xenon|Xe|54|noble gas|gas|very bright lamps
caesium|Cs|55|metal|solid|atomic clocks
barium|Ba|56|metal|solid|green fireworks
tungsten|W|74|metal|solid|the thin wire in old light bulbs
platinum|Pt|78|metal|solid|cleaning the smoke of cars
gold|Au|79|metal|solid|jewellery and coins
mercury|Hg|80|metal|liquid|old thermometers
lead|Pb|82|metal|solid|heavy car batteries
bismuth|Bi|83|metal|solid|stomach medicine
radon|Rn|86|noble gas|gas|-
radium|Ra|88|metal|solid|-
thorium|Th|90|metal|solid|-
uranium|U|92|metal|solid|fuel for nuclear power stations
plutonium|Pu|94|metal|solid|power for space probes
americium|Am|95|metal|solid|smoke detectors
"""

# planet | order from the Sun | kind | moons | colour word | one fact
PLANETS = """
Mercury|first|rocky planet|0|grey|it is the smallest planet
Venus|second|rocky planet|0|pale yellow|it is the hottest planet
Earth|third|rocky planet|1|blue|it is the only planet known to have life
Mars|fourth|rocky planet|2|red|it has the tallest volcano in the solar system
Jupiter|fifth|gas giant|-|orange and white|it is the largest planet
Saturn|sixth|gas giant|-|golden|it has bright rings of ice
Uranus|seventh|ice giant|-|pale blue|it spins on its side
Neptune|eighth|ice giant|-|deep blue|it has the fastest winds
"""

# moon | planet
MOONS = """
the Moon|Earth
Phobos|Mars
Deimos|Mars
Io|Jupiter
Europa|Jupiter
Ganymede|Jupiter
Callisto|Jupiter
Titan|Saturn
Enceladus|Saturn
Mimas|Saturn
Rhea|Saturn
Titania|Uranus
Oberon|Uranus
Miranda|Uranus
Triton|Neptune
"""

# animal | class | eats (plants, animals, both) | food | where it lives | legs | sound verb | young | skin | one fact
ANIMALS = """
lion|mammal|other animals|zebras and antelopes|in the grassland|4|roar|cub|fur|lives in a group called a pride
tiger|mammal|other animals|deer and wild pigs|in the forest|4|roar|cub|fur|has dark stripes
elephant|mammal|only plants|grass and leaves|in the grassland|4|trumpet|calf|skin|is the largest animal on land
giraffe|mammal|only plants|leaves from tall trees|in the grassland|4|-|calf|fur|is the tallest animal
zebra|mammal|only plants|grass|in the grassland|4|-|foal|fur|has black and white stripes
horse|mammal|only plants|grass and hay|on farms|4|neigh|foal|fur|can sleep standing up
cow|mammal|only plants|grass and hay|on farms|4|moo|calf|fur|gives us milk
sheep|mammal|only plants|grass|on farms|4|bleat|lamb|wool|gives us wool
goat|mammal|only plants|grass and leaves|on farms|4|bleat|kid|fur|climbs very well
pig|mammal|both plants and animals|roots, grain and scraps|on farms|4|oink|piglet|hair|is very clever
dog|mammal|both plants and animals|meat and grain|in homes with people|4|bark|puppy|fur|has a very good sense of smell
cat|mammal|other animals|mice and small birds|in homes with people|4|meow|kitten|fur|can see well in dim light
mouse|mammal|both plants and animals|seeds and insects|in fields and houses|4|squeak|pup|fur|has a long thin tail
rabbit|mammal|only plants|grass and clover|in meadows|4|-|kit|fur|digs holes called burrows
fox|mammal|both plants and animals|mice, birds and berries|in the forest|4|bark|cub|fur|has a bushy tail
wolf|mammal|other animals|deer and hares|in the forest|4|howl|pup|fur|hunts in a pack
bear|mammal|both plants and animals|berries, fish and roots|in the forest|4|growl|cub|fur|sleeps through much of the winter
polar bear|mammal|other animals|seals|in the Arctic|4|growl|cub|fur|has black skin under its white fur
panda|mammal|only plants|bamboo|in mountain forests|4|-|cub|fur|spends most of the day eating
deer|mammal|only plants|leaves and buds|in the forest|4|-|fawn|fur|can run very fast
moose|mammal|only plants|leaves and water plants|in northern forests|4|-|calf|fur|has wide flat antlers
camel|mammal|only plants|dry grass and thorny plants|in the desert|4|-|calf|fur|stores fat in its hump
kangaroo|mammal|only plants|grass|on the dry plains of Australia|-|-|joey|fur|carries its baby in a pouch
koala|mammal|only plants|eucalyptus leaves|in the forests of Australia|4|-|joey|fur|sleeps most of the day
monkey|mammal|both plants and animals|fruit, leaves and insects|in the rainforest|-|-|infant|fur|is a good climber
gorilla|mammal|only plants|leaves and fruit|in the rainforest|-|-|infant|fur|is the largest ape
squirrel|mammal|both plants and animals|nuts and seeds|in the forest|4|-|kit|fur|hides nuts for the winter
hedgehog|mammal|both plants and animals|worms and beetles|in gardens and hedges|4|-|hoglet|spines|rolls into a ball when it is afraid
bat|mammal|other animals|insects|in caves|-|squeak|pup|fur|is the only mammal that can truly fly
whale|mammal|other animals|small fish and krill|in the ocean|0|sing|calf|skin|breathes air through a blowhole
dolphin|mammal|other animals|fish and squid|in the ocean|0|whistle|calf|skin|is very playful
seal|mammal|other animals|fish|in cold seas|-|bark|pup|fur|swims much better than it walks
otter|mammal|other animals|fish and crabs|in rivers and on coasts|4|-|pup|fur|floats on its back
beaver|mammal|only plants|bark and leaves|in rivers|4|-|kit|fur|builds dams of sticks
mole|mammal|other animals|worms|in tunnels under the ground|4|-|pup|fur|digs with strong front feet
hippopotamus|mammal|only plants|grass|in rivers and lakes|4|grunt|calf|skin|stays in water during the hot day
rhinoceros|mammal|only plants|grass and leaves|in the grassland|4|grunt|calf|skin|has one or two horns on its nose
cheetah|mammal|other animals|gazelles|in the grassland|4|purr|cub|fur|is the fastest runner on land
leopard|mammal|other animals|antelopes and monkeys|in the forest|4|growl|cub|fur|carries its food up into trees
llama|mammal|only plants|grass|in high mountains|4|hum|cria|wool|carries loads in the Andes
donkey|mammal|only plants|grass and hay|on farms|4|bray|foal|fur|has very long ears
yak|mammal|only plants|grass|in high mountains|4|grunt|calf|fur|has very long hair
raccoon|mammal|both plants and animals|fruit, eggs and frogs|in the forest|4|-|kit|fur|looks as if it wears a mask
skunk|mammal|both plants and animals|insects and roots|in the forest|4|-|kit|fur|sprays a bad smell when it is in danger
platypus|mammal|other animals|worms and shrimps|in the rivers of Australia|4|-|-|fur|is a mammal that lays eggs
chicken|bird|both plants and animals|grain and worms|on farms|2|cluck|chick|feathers|lays eggs for us to eat
duck|bird|both plants and animals|water plants and insects|in ponds|2|quack|duckling|feathers|has webbed feet
goose|bird|only plants|grass and grain|on lakes and farms|2|honk|gosling|feathers|flies in groups shaped like a V
swan|bird|only plants|water plants|in lakes|2|-|cygnet|feathers|has a long curved neck
turkey|bird|both plants and animals|seeds and insects|on farms and in woods|2|gobble|poult|feathers|spreads its tail like a fan
owl|bird|other animals|mice|in the forest|2|hoot|owlet|feathers|hunts at night
eagle|bird|other animals|fish and rabbits|in mountains|2|scream|eaglet|feathers|can see a rabbit from far away
penguin|bird|other animals|fish|on cold southern coasts|2|-|chick|feathers|swims but cannot fly
ostrich|bird|both plants and animals|plants and insects|in the grassland|2|-|chick|feathers|is the largest bird
parrot|bird|only plants|seeds and fruit|in the rainforest|2|squawk|chick|feathers|can copy human words
crow|bird|both plants and animals|seeds, insects and scraps|in fields and towns|2|caw|chick|feathers|is very clever
pigeon|bird|only plants|seeds and grain|in towns|2|coo|squab|feathers|can find its way home from far away
sparrow|bird|both plants and animals|seeds and insects|in towns and gardens|2|chirp|chick|feathers|is small and brown
robin|bird|both plants and animals|worms and berries|in gardens|2|sing|chick|feathers|has a red breast
swallow|bird|other animals|flying insects|in barns and fields|2|chirp|chick|feathers|flies south for the winter
woodpecker|bird|both plants and animals|insects and nuts|in the forest|2|-|chick|feathers|drums on trees with its beak
flamingo|bird|both plants and animals|shrimps and algae|in shallow lakes|2|honk|chick|feathers|is pink because of its food
peacock|bird|both plants and animals|seeds and insects|in gardens and woods|2|scream|chick|feathers|has a tail with spots like eyes
hummingbird|bird|both plants and animals|nectar and tiny insects|in gardens and forests|2|-|chick|feathers|can fly backwards
stork|bird|other animals|frogs and fish|in wet meadows|2|-|chick|feathers|builds large nests on roofs
gull|bird|both plants and animals|fish and scraps|on the coast|2|scream|chick|feathers|follows fishing boats
snake|reptile|other animals|mice and frogs|in many warm places|0|hiss|-|scales|sheds its whole skin
crocodile|reptile|other animals|fish and large mammals|in warm rivers|4|-|hatchling|scales|can stay under water for a long time
alligator|reptile|other animals|fish and turtles|in warm swamps|4|-|hatchling|scales|has a broad round snout
lizard|reptile|other animals|insects|in warm dry places|4|-|hatchling|scales|warms itself in the sun
tortoise|reptile|only plants|grass and leaves|on dry land|4|-|hatchling|a shell|can live for more than a hundred years
sea turtle|reptile|both plants and animals|jellyfish and sea grass|in the ocean|-|-|hatchling|a shell|lays its eggs on beaches
chameleon|reptile|other animals|insects|in the forest|4|-|hatchling|scales|changes its colour
gecko|reptile|other animals|insects|in warm places|4|chirp|hatchling|scales|can walk up a wall
frog|amphibian|other animals|insects|in ponds|4|croak|tadpole|wet skin|catches insects with its tongue
toad|amphibian|other animals|insects and worms|in gardens and ponds|4|croak|tadpole|dry, bumpy skin|hides under stones in the day
salamander|amphibian|other animals|worms and insects|in damp forests|4|-|larva|wet skin|can grow a lost leg again
newt|amphibian|other animals|worms and insects|in ponds|4|-|larva|wet skin|returns to its pond in spring
shark|fish|other animals|fish and seals|in the ocean|0|-|pup|rough skin|has many rows of teeth
salmon|fish|other animals|insects and small fish|in rivers and seas|0|-|fry|scales|swims up the river where it was born
trout|fish|other animals|insects and small fish|in cold streams|0|-|fry|scales|likes clean cold water
tuna|fish|other animals|smaller fish|in the ocean|0|-|fry|scales|swims very fast
goldfish|fish|both plants and animals|water plants and insects|in ponds and fish tanks|0|-|fry|scales|is a popular pet
clownfish|fish|both plants and animals|algae and tiny animals|on coral reefs|0|-|fry|scales|lives among the arms of sea anemones
seahorse|fish|other animals|tiny shrimps|in shallow seas|0|-|fry|bony plates|swims upright
eel|fish|other animals|worms and small fish|in rivers and seas|0|-|-|slippery skin|has a body like a snake
bee|insect|only plants|nectar and pollen|in a hive|6|buzz|larva|a hard shell|makes honey
ant|insect|both plants and animals|seeds and insects|in a nest in the ground|6|-|larva|a hard shell|can carry more than its own weight
butterfly|insect|only plants|nectar|in meadows and gardens|6|-|caterpillar|tiny scales|tastes with its feet
fly|insect|both plants and animals|sweet and rotten things|almost everywhere|6|buzz|maggot|a hard shell|has very large eyes
mosquito|insect|both plants and animals|nectar and blood|in wet warm places|6|buzz|larva|a hard shell|lays its eggs in still water
ladybird|insect|other animals|tiny green insects|in gardens|6|-|larva|a hard shell|is red with black spots
beetle|insect|both plants and animals|plants and other insects|almost everywhere|6|-|grub|a hard shell|has hard covers over its wings
grasshopper|insect|only plants|grass and leaves|in meadows|6|chirp|nymph|a hard shell|jumps with strong back legs
cricket|insect|both plants and animals|plants and small insects|in grass and fields|6|chirp|nymph|a hard shell|sings by rubbing its wings
dragonfly|insect|other animals|mosquitoes and flies|in ponds|6|-|nymph|a hard shell|has four clear wings
spider|arachnid|other animals|insects|almost everywhere|8|-|spiderling|hair|spins webs of silk
scorpion|arachnid|other animals|insects|in the desert|8|-|-|a hard shell|has a sting in its tail
crab|crustacean|both plants and animals|algae and small animals|on the coast|10|-|larva|a hard shell|walks sideways
lobster|crustacean|both plants and animals|fish, crabs and plants|on the ocean floor|10|-|larva|a hard shell|has two large claws
octopus|mollusc|other animals|crabs and shells|in the ocean|0|-|-|soft skin|has eight arms and three hearts
squid|mollusc|other animals|fish and shrimps|in the ocean|0|-|-|soft skin|squirts ink to hide
snail|mollusc|only plants|leaves|in gardens|0|-|-|a shell|carries its house on its back
"""

# plant | kind | part we use | colour | one fact
PLANTS = """
apple|fruit|fruit|red or green|grows on a tree and has seeds in its core
banana|fruit|fruit|yellow|grows in bunches in warm countries
orange|fruit|fruit|orange|is full of sweet juice
lemon|fruit|fruit|yellow|tastes sour
strawberry|fruit|fruit|red|has tiny seeds on the outside
cherry|fruit|fruit|red|has one hard stone inside
pear|fruit|fruit|green or yellow|is narrow at the top and wide at the bottom
peach|fruit|fruit|orange and pink|has a soft skin with fine hairs
plum|fruit|fruit|purple|can be dried and kept for a long time
pineapple|fruit|fruit|brown and yellow|grows close to the ground in warm countries
mango|fruit|fruit|orange|has one large flat stone
carrot|vegetable|root|orange|grows under the ground
beetroot|vegetable|root|dark red|colours everything it touches
radish|vegetable|root|red|grows very fast and tastes hot
turnip|vegetable|root|white and purple|grows well in cool weather
potato|vegetable|tuber|brown|was first grown in South America
onion|vegetable|bulb|brown or white|makes our eyes water when we cut it
garlic|vegetable|bulb|white|has a strong smell
lettuce|vegetable|leaf|green|is mostly water
spinach|vegetable|leaf|dark green|is rich in iron
cabbage|vegetable|leaf|green|forms a round head
celery|vegetable|stalk|pale green|is crisp and full of water
broccoli|vegetable|flower|green|is a flower head that we eat before it opens
cauliflower|vegetable|flower|white|is a flower head that we eat before it opens
pea|vegetable|seed|green|grows in a pod
bean|vegetable|seed|many colours|climbs up a pole as it grows
wheat|grain|seed|golden|is ground into flour for bread
rice|grain|seed|white|grows in wet fields
maize|grain|seed|yellow|grows on a cob
barley|grain|seed|pale brown|is used in soup and bread
oak|tree|wood|brown|grows from an acorn
pine|tree|wood|brown|keeps its needles in winter
maple|tree|sap|clear|gives a sweet syrup
willow|tree|wood|brown|likes to grow near water
rose|flower|petal|red, white or pink|has sharp thorns
sunflower|flower|seed|yellow|can grow taller than a person
tulip|flower|petal|many colours|grows from a bulb in spring
daisy|flower|petal|white and yellow|closes its petals at night
"""
