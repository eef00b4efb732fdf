"""English sentences to train a mouth on: conversational, and rich in sounds. Written for this project."""

_WHOLE = """
Good morning, how did you sleep?
I would rather walk than take the bus today.
Could you pass me that blue cup, please?
We measured the room twice before buying the shelves.
My brother plays the cello in a small orchestra.
Nothing beats fresh bread with butter and honey.
The shop opens at nine and closes at half past six.
She laughed so loudly that everybody turned around.
Five brave foxes fought over a very large fish.
Please put both of the big boxes by the back door.
I thought the theatre was on the other side of Third Street.
The zebra gazed lazily at the dusty road.
Which child chose the cheese sandwich for lunch?
Judge Jones enjoyed the joke about the orange jacket.
The usual measure of pleasure is hard to treasure.
Wherever we went, the weather was wonderful.
Your yellow yacht is younger than I remember.
Long ago a young king sang strange songs in spring.
Harry had hardly heard how high the hill was.
The ripe red berries were really rather rare.
Little Lily loves lemonade and lollipops.
Maybe mum can mend my muddy mittens by Monday.
Never mind the noise, nobody noticed anyway.
People usually prefer purple plums to pears.
Take ten tickets to the tall tower tonight.
Dad did not find the dog under the dark desk.
Kate kept a cup of cocoa in the kitchen cabinet.
Give the green grapes to the girl by the gate.
Several silly swans swam silently past us.
Who knew that moving to a new school could be so good?
Oh no, I don't know whose old coat this is.
How now, the brown cow found its way around the town.
The boys enjoyed the noise of toys and coins.
I might try to fly my kite high in the sky tonight.
They may stay and play until eight on rainy days.
Father calmly parked the car far from the barn.
All the tall walls fell during the long storm.
Bad cats can catch fat rats in black sacks.
Ten red hens slept next to the empty shed.
Six thin twins sit still in the big ship.
Each week she reads three deep green leaves.
The good cook took a look at the wooden hook.
Some young monkeys must come up for lunch.
Her first word was heard by the nervous nurse.
Here we are, sitting near the clear river this year.
Where there is care there is always some share of prayer.
What do you think about artificial intelligence?
I am an avatar, and I speak with a face of my own.
My voice is made here, on this very machine.
Everything you hear was computed a moment ago.
Let me think about that for a second.
That is a wonderful question, thank you for asking.
I don't know that, but I can tell you what I do know.
Would you like me to explain how it works?
Speech goes in, and a talking face comes out.
First I listen, then I think, and then I answer.
You can interrupt me whenever you want.
Sorry, I did not quite catch what you said.
The moon is about four hundred thousand kilometres away.
Water boils at a lower temperature in the mountains.
A violin has four strings and a wooden body.
Bees dance to tell each other where the flowers are.
Whales breathe air, although they live in the sea.
The oldest known maps were scratched into clay.
Bread rises because yeast makes bubbles of gas.
Light from the sun reaches us in about eight minutes.
Nobody expected the train to arrive on time.
I usually cook soup when the weather turns cold.
Have you ever visited a museum at night?
It takes patience to teach a parrot to speak.
The library is quiet, except for the old clock.
We planted tomatoes, beans and a row of sunflowers.
Her grandmother knitted scarves for the whole village.
Please remind me to call the dentist tomorrow.
The bridge was built more than a hundred years ago.
He whistled a tune that I had never heard before.
Paper boats drifted slowly across the pond.
If you have time, come over for a cup of tea.
The final chapter surprised me more than the first.
Every morning the baker sweeps the steps outside.
Can you hear the difference between these two notes?
That film was funny, sad, and far too long.
Please open the window, it is getting warm in here.
My favourite colour changes with the season.
The puppy chewed through both of my new shoes.
Turn left at the church and follow the river.
She painted the kitchen a pale shade of yellow.
There were seven chairs but only five guests.
The engine coughed twice and then fell silent.
Give me an example, and I will try to explain.
Maps are useful, but asking people is more fun.
Two and two make four, as far as I can tell.
The bus driver smiled and waited for us.
Snow covered the fields from one hill to the next.
What would you do with one extra hour a day?
Puppets, pipes and pumpkins filled the market place.
Move the mop and bucket before somebody bumps into them.
Above everything, five heavy vans arrived very fast.
Both mothers breathed through the thick cloth.
Bob and Pam came back from a bumpy beach walk.
"""
SENTENCES = tuple(line for line in _WHOLE.strip().splitlines())
