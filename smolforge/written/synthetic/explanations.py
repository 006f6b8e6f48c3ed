"""How things work, in ideas that follow each other: each topic is a row of ideas, each idea said in several ways.

A line is one idea; its wordings are parted by ` / `.
"""

from __future__ import annotations


def _topic(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(way.strip() for way in line.split(" / ")) for line in text.strip().splitlines())


EXPLANATIONS = {
    "the water cycle": _topic("""
        Water on Earth is always moving. / The water on our planet never stops moving.
        The Sun warms the water in seas, lakes and rivers. / Sunlight heats the surface of the sea and of lakes.
        Some of the warm water turns into vapour and rises into the air. / The heat changes part of the water into an invisible gas called water vapour, which rises.
        This step is called evaporation. / Scientists call this evaporation.
        High in the sky the air is cold, so the vapour turns back into tiny drops. / The vapour cools high above the ground and becomes tiny drops of water again.
        Many tiny drops together make a cloud. / A cloud is made of a very large number of such drops.
        When the drops grow heavy, they fall as rain or snow. / The drops join, become heavy and fall to the ground as rain, or as snow when it is cold.
        Rain fills the rivers, and the rivers carry the water back to the sea. / The water runs into rivers and at last returns to the sea.
        Then the journey begins again. / After that the whole cycle starts once more."""),
    "how plants make food": _topic("""
        Animals eat food, but green plants make their own. / Green plants can do something that animals cannot: they make their own food.
        They need three things: sunlight, water and a gas called carbon dioxide. / For this they use light from the Sun, water from the soil and carbon dioxide from the air.
        The roots drink water from the soil. / Water enters the plant through its roots.
        Tiny holes in the leaves let air in. / Air comes in through very small openings in the leaves.
        The leaves are green because of a substance called chlorophyll. / A green substance in the leaves, chlorophyll, catches the light.
        With the energy of light the plant makes sugar. / The plant uses the energy of sunlight to build sugar.
        It also gives off oxygen, which we breathe. / At the same time it sets oxygen free, and animals and people breathe it.
        This process is called photosynthesis. / Scientists call this photosynthesis.
        Without it there would be almost no life on Earth. / Nearly all life on Earth depends on it."""),
    "day and night": _topic("""
        Every morning the Sun seems to rise, and every evening it seems to set. / We see the Sun come up in the morning and go down in the evening.
        In truth the Sun does not travel around us; the Earth turns. / It is really the Earth that moves: it spins like a top.
        The Earth turns around once in about 24 hours. / One full turn of the Earth takes about 24 hours.
        The side that faces the Sun has day. / Where the Sun shines on the Earth it is day.
        The other side is dark and has night. / On the side turned away from the Sun it is night.
        Because the Earth turns towards the east, the Sun rises in the east. / The Earth spins to the east, so we see the Sun first in the east.
        When it is noon in one country, it can be midnight in another. / So people far away may be asleep while we eat our lunch."""),
    "the seasons": _topic("""
        Most places on Earth have warm months and cold months. / In many countries the year has four seasons: spring, summer, autumn and winter.
        The Earth travels around the Sun once a year. / It takes one year for the Earth to go around the Sun.
        The Earth is a little tilted, like a toy top that leans to one side. / The axis of the Earth does not stand straight; it leans.
        For part of the year the north leans towards the Sun. / In some months the northern half of the Earth leans towards the Sun.
        Then the Sun stands high, the days are long and it is summer in the north. / Then the north has long, warm days, and we call this summer.
        Half a year later the north leans away from the Sun, and it has winter. / Six months later the north leans away, the days are short and winter comes.
        In the south it is the other way round. / When it is summer in the north, it is winter in the south."""),
    "magnets": _topic("""
        A magnet can pull iron without touching it. / Magnets pull things made of iron, even from a small distance.
        Every magnet has two ends, a north pole and a south pole. / The two ends of a magnet are called the north pole and the south pole.
        Two poles of the same kind push each other away. / If you bring two north poles together, they push apart.
        Two different poles pull each other. / A north pole and a south pole pull each other.
        Wood, glass and plastic are not pulled by a magnet. / A magnet does nothing to wood, paper or plastic.
        The Earth itself is a very large magnet. / Our whole planet behaves like a great magnet.
        That is why the needle of a compass points north. / A compass needle is a small magnet, so it turns to the north."""),
    "sound": _topic("""
        Every sound begins with something that shakes. / Sound is made when something moves quickly back and forth.
        When you pluck a string, it shakes and moves the air around it. / A drum skin shakes when you hit it, and it pushes the air.
        The shaking travels through the air as a wave. / These small pushes spread through the air like waves on a pond.
        When the wave reaches your ear, you hear the sound. / Our ears catch the wave, and the brain understands it as sound.
        A fast shaking makes a high tone, and a slow shaking makes a low tone. / High tones come from fast shaking, low tones from slow shaking.
        Sound needs something to travel through, such as air, water or wood. / Sound can move through air, through water and even through walls.
        There is no air in space, so there is no sound in space. / In empty space nobody could hear you, because there is no air to carry the sound.
        Light is much faster than sound, so we see lightning before we hear thunder. / That is why thunder comes after the flash: sound is slower than light."""),
    "light and shadows": _topic("""
        Light comes from the Sun, from lamps and from fire. / The Sun is our most important source of light.
        Light travels in straight lines. / A beam of light moves straight ahead.
        When something stands in the way, the light is stopped. / Light cannot pass through wood or stone.
        Behind the thing there is a dark place that we call a shadow. / The dark shape behind it is its shadow.
        In the evening, when the Sun is low, shadows are long. / Shadows are short at noon and long in the evening.
        A mirror throws light back. / Light bounces off a mirror as a ball bounces off a wall.
        White light is really a mixture of many colours. / A rainbow shows that sunlight is made of many colours."""),
    "gravity": _topic("""
        If you let go of a ball, it falls down. / A ball thrown into the air always comes back.
        The Earth pulls everything towards itself. / This happens because the Earth pulls on the ball.
        This pull is called gravity. / We give this pull the name gravity.
        Every object pulls on every other object, but only large ones pull strongly. / All things pull on each other, but we notice it only when one of them is very large.
        Gravity keeps the Moon near the Earth. / The Moon does not fly away because the Earth's gravity holds it.
        It also keeps the Earth on its path around the Sun. / The Sun's gravity holds all the planets in the same way.
        The Moon is smaller than the Earth, so its gravity is weaker. / On the Moon you could jump much higher, because gravity is weaker there."""),
    "ice, water and steam": _topic("""
        Water can be solid, liquid or gas. / We meet water in three forms: ice, water and steam.
        When water gets very cold, it becomes ice. / Below 0 degrees Celsius water freezes to ice.
        Ice is solid: it keeps its shape. / A piece of ice keeps its shape until it melts.
        When ice gets warm, it melts and becomes water again. / Warmth turns the ice back into water.
        Water is liquid: it takes the shape of its cup. / A liquid flows and fills the bottom of any cup.
        At 100 degrees Celsius water boils and becomes steam. / When water boils, at about 100 degrees Celsius, it changes into a gas called steam.
        A gas spreads out and fills the whole room. / Steam spreads in the air until we cannot see it any more.
        Ice is lighter than water, so it floats. / Ice floats on a lake, and fish can live in the water below."""),
    "volcanoes": _topic("""
        Deep under our feet the Earth is very hot. / The inside of the Earth is so hot that rock can melt.
        Melted rock under the ground is called magma. / We call this melted rock magma.
        Sometimes the magma finds a way up through a crack. / Magma is lighter than the rock around it, so it rises.
        When it comes out, we say that the volcano erupts. / A volcano is the opening where it comes out.
        Outside, the melted rock is called lava. / Magma that has reached the surface is called lava.
        Lava cools and becomes hard rock. / After some time the lava turns into solid rock.
        Layer by layer a mountain grows. / Many layers of lava and ash build a mountain.
        The ash of volcanoes makes the soil good for plants. / Farmers like to live near old volcanoes, because the soil is rich."""),
    "how we breathe": _topic("""
        We breathe all day and all night without thinking about it. / Every person has to breathe, even in sleep.
        When we breathe in, air goes through the nose or the mouth into the lungs. / Air enters through the nose and flows down into the lungs.
        A muscle under the lungs helps to pull the air in. / The lungs grow wider because a strong muscle below them moves down.
        In the lungs oxygen passes into the blood. / The blood takes oxygen from the air in the lungs.
        The heart pumps this blood to all parts of the body. / Then the heart sends the fresh blood around the body.
        The body uses oxygen to get energy from food. / With oxygen the body can use the energy in our food.
        When we breathe out, we give off carbon dioxide. / The air we breathe out contains more carbon dioxide.
        When we run, we breathe faster, because the muscles need more oxygen. / Running makes us breathe faster, since the body needs more oxygen."""),
    "how we digest food": _topic("""
        Food gives us energy and helps us grow. / Our body needs food to move, to think and to grow.
        In the mouth the teeth cut the food into small pieces. / Digestion begins in the mouth, where teeth make the food small.
        The food mixes with saliva and becomes soft. / Saliva makes each bite soft and wet.
        We swallow, and the food slides down into the stomach. / After we swallow, the food travels down a tube to the stomach.
        The stomach mixes the food with acid. / In the stomach strong juices break the food into smaller parts.
        Then the food moves into the small intestine. / From there it goes into a long tube called the small intestine.
        There the useful parts pass into the blood. / The walls of this tube take the good parts of the food into the blood.
        What the body cannot use leaves it again. / The rest is waste, and it leaves the body."""),
    "electricity": _topic("""
        Many machines in our homes run on electricity. / Lamps, phones and fridges all need electricity.
        An electric current is a flow of tiny particles called electrons. / Electricity in a wire is the movement of very small particles, the electrons.
        The current flows only when its path is a closed ring. / For a current to flow, the path must be closed.
        Such a closed path is called a circuit. / We call this path a circuit.
        A battery pushes the current through the circuit. / The push comes from a battery or from a power station.
        A switch opens or closes the circuit. / When you press a switch, you close the circuit and the lamp shines.
        Metals let electricity pass easily; they are called conductors. / Copper is a good conductor, so wires are made of it.
        Plastic and rubber stop the current, so wires are covered with them. / Wires are covered with plastic, because plastic does not let the current pass.
        Electricity can be dangerous, so never touch a broken wire. / Be careful: a strong current can hurt or kill."""),
    "simple machines": _topic("""
        A machine does not have to be big or noisy. / Some of the most useful machines are very simple.
        A simple machine makes work easier. / It helps us to use less force.
        A lever is a bar that turns around a fixed point. / A seesaw is a lever: it is a bar that rests on one point.
        With a long lever a small force can lift a heavy stone. / The longer the lever, the less force we need.
        A ramp helps us to bring things up little by little. / It is easier to push a box up a ramp than to lift it.
        A wheel makes it easy to move things over the ground. / Wheels roll, so there is less rubbing on the ground.
        A pulley is a wheel with a rope, and it helps us to lift loads. / Builders lift heavy loads with a rope over a wheel, which is called a pulley.
        A screw is a ramp that winds around a pin. / If you look closely, a screw is a ramp wound around a pin."""),
    "food chains": _topic("""
        Every living thing needs energy. / All plants and animals need energy to live.
        Plants take their energy from the Sun. / The energy comes first from sunlight, which plants catch.
        A rabbit eats grass and gets its energy from the plant. / Some animals, such as rabbits, eat the plants.
        A fox eats the rabbit, and the energy moves on. / Other animals, such as foxes, eat the animals that eat plants.
        This row is called a food chain. / Such a row of who eats whom is called a food chain.
        When an animal dies, tiny living things break it down. / Mushrooms and very small creatures break down dead plants and animals.
        Their work gives food back to the soil. / The soil becomes rich again, and new plants can grow.
        If one part of the chain is missing, all the others feel it. / When one kind of animal disappears, many others are in trouble."""),
    "from egg to butterfly": _topic("""
        A butterfly changes its shape completely as it grows. / The life of a butterfly has four parts.
        It begins as a tiny egg on a leaf. / First there is an egg, often on the lower side of a leaf.
        A caterpillar comes out of the egg. / After some days a small caterpillar leaves the egg.
        The caterpillar eats leaves all day and grows fast. / It does almost nothing but eat, and it grows quickly.
        Several times it sheds its skin, because the skin gets too tight. / Its skin does not grow, so it must change it a few times.
        Then it becomes a pupa and lies very still. / When it is large enough, it turns into a pupa with a hard case.
        Inside, its body is built anew. / Inside the case a great change takes place.
        At last a butterfly comes out, dries its wings and flies away. / In the end the case opens, and a butterfly with wet wings climbs out."""),
    "why we sleep": _topic("""
        People spend about a third of their life asleep. / We sleep for about eight hours every night.
        Sleep is not a waste of time. / While we sleep, the body is busy.
        The muscles rest and small hurts are repaired. / During the night the body repairs itself.
        The brain puts the things we learned in order. / In sleep the brain sorts what we have seen and learned.
        That is why we remember better after a good night. / A rested brain remembers more.
        Children need more sleep than adults, because they are growing. / Since they still grow, children should sleep longer than adults.
        Bright screens late in the evening make it harder to fall asleep. / It is good to put phones away before bedtime."""),
    "what a computer does": _topic("""
        A computer is a machine that follows instructions. / Computers do exactly what their instructions say.
        A list of instructions is called a program. / We call a list of such instructions a program.
        The computer reads one instruction after another. / It carries out the instructions step by step.
        It can add numbers, compare them and remember them. / Each step is simple: add two numbers, compare two numbers, or store a number.
        The power of a computer is its speed. / It can do millions of these steps in one second.
        Inside, all data is written with only two signs, 0 and 1. / Everything in the computer, even a picture, is stored as a row of zeros and ones.
        People write programs in a language such as Python. / A program is written in a programming language, and then the machine can run it.
        When a program has a mistake, we call it a bug. / A mistake in a program is called a bug, and it must be found and repaired."""),
    "how bread is made": _topic("""
        Bread is one of the oldest foods in the world. / People have baked bread for thousands of years.
        Wheat is ground into flour in a mill. / A mill turns the grains of wheat into flour.
        The baker mixes the flour with water, salt and yeast. / Flour, water, salt and yeast are mixed to make dough.
        Yeast is a tiny living thing that makes gas. / The yeast eats sugar from the flour and gives off gas.
        The gas makes the dough rise. / Small bubbles of gas make the dough grow.
        After an hour the dough is soft and large. / The baker waits until the dough is twice as large.
        Then it goes into a hot oven. / It is baked in a hot oven until it is brown.
        The smell of fresh bread fills the house. / Fresh bread smells wonderful."""),
    "why the sky is blue": _topic("""
        On a clear day the sky is blue. / When there are no clouds, we see a blue sky.
        The light of the Sun looks white, but it holds all colours. / Sunlight is a mixture of all the colours of the rainbow.
        On its way to us the light passes through the air. / The light has to travel through the air around the Earth.
        The tiny parts of the air turn some of the light to all sides. / The air scatters the light, which means that it sends it in all directions.
        Blue light is scattered much more than red light. / This happens far more to blue light than to red light.
        So blue light comes to our eyes from every part of the sky. / That is why the whole sky looks blue.
        In the evening the light takes a longer way through the air. / When the Sun is low, its light has a longer way to go.
        Most of the blue is lost on the way, and the sky turns red. / Then mostly red light is left, and we see a red sunset."""),
    "bees and honey": _topic("""
        Bees live together in a hive. / Thousands of bees share one home, the hive.
        In each hive there is one queen, and she lays the eggs. / The queen is the mother of the hive; she lays all the eggs.
        The workers clean the hive, feed the young and collect food. / Most bees are workers, and they do all the other jobs.
        They fly from flower to flower and drink a sweet juice called nectar. / A worker visits many flowers and sucks up their nectar.
        At the same time they carry pollen from one flower to another. / Pollen sticks to their hair and is carried to the next flower.
        In this way they help plants to make seeds and fruit. / Many plants could make no fruit without this help.
        In the hive the nectar is dried and becomes honey. / The bees fan the nectar with their wings until it is thick; then it is honey.
        Honey is their food for the winter. / They store the honey, because there are no flowers in winter."""),
    "the phases of the Moon": _topic("""
        The Moon does not always look the same. / If you watch the Moon for a month, you see its shape change.
        It makes no light of its own; the Sun lights one half of it. / The Moon shines because sunlight falls on it.
        The Moon travels around the Earth in about a month. / It needs a little less than thirty days to go around the Earth.
        From the Earth we see the bright half from different sides. / As it moves, we see more or less of its bright side.
        When we see the whole bright half, we call it a full moon. / A full moon is a round, bright disc.
        When the bright half faces away from us, we call it a new moon. / At new moon we cannot see it at all.
        Between the two it looks like a thin crescent or a half disc. / On the days between we see a crescent or a half moon."""),
}
