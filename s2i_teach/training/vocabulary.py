"""The words of the miniature: names of things, drawing styles, colours, and the captions made from them."""

import random

STYLES = ("openmoji", "noto", "fluent", "flat", "twemoji", "line")
"""The six drawing styles, in the order used everywhere. ``line`` is OpenMoji's black line art, the paired sketch."""

STYLE_WORDS = {
    "openmoji": "openmoji style",
    "noto": "noto style",
    "fluent": "fluent style",
    "flat": "flat style",
    "twemoji": "twemoji style",
    "line": "line art",
}

HUES = {"red": 0, "orange": 30, "yellow": 52, "green": 115, "turquoise": 175, "blue": 215, "purple": 275, "pink": 325}
"""Colour words and their hue angle in degrees, as the hue augmentation names them."""

# Unicode's name -> the name people use. Only names that a learner would type are changed.
COMMON_NAMES = {
    "honeybee": "bee",
    "automobile": "car",
    "red apple": "apple",
    "deciduous tree": "tree",
    "birthday cake": "cake",
    "doughnut": "donut",
    "headphone": "headphones",
    "t-rex": "dinosaur",
    "crescent moon": "moon",
    "mobile phone": "phone",
    "desktop computer": "computer",
    "videocassette": "video tape",
    "glasses": "eyeglasses",
    "fire engine": "fire truck",
    "delivery truck": "truck",
    "running shoe": "shoe",
    "musical keyboard": "piano",
    "hourglass done": "hourglass",
    "luggage": "suitcase",
    "dagger": "sword",
    "couch and lamp": "couch",
    "red paper lantern": "lantern",
    "vertical traffic light": "traffic light",
    "high voltage": "lightning",
    "two-hump camel": "camel",
    "camel": "dromedary",
    "lady beetle": "ladybug",
    "ear of corn": "corn",
    "kitchen knife": "knife",
    "ewe": "sheep",
    "necktie": "tie",
    "woman’s hat": "sun hat",
    "rescue worker’s helmet": "helmet",
    "cloud with rain": "rain cloud",
    "potted plant": "house plant",
    "world map": "map",
    "clinking beer mugs": "beer mugs",
    "hot beverage": "coffee cup",
    "sun with face": "smiling sun",
    "motor scooter": "scooter",
    "baguette bread": "baguette",
}

_UNCOUNTED = {
    "broccoli",
    "garlic",
    "rice",
    "bread",
    "honey",
    "salt",
    "butter",
    "bacon",
    "popcorn",
    "sushi",
    "spaghetti",
    "ice",
    "fire",
    "coral",
    "wood",
    "fog",
    "money",
    "sheep",
    "shamrock",
    "lightning",
    "football gear",
    "cooked rice",
    "corn",
    "curry rice",
    "green salad",
    "shaved ice",
    "soft ice cream",
    "ice cream",
    "candy",
    "custard",
    "sake",
    "mate",
    "fish cake with swirl",
    "falafel",
    "ginger root",
    "dango",
    "oden",
    "water wave",
    "droplet",
    "thread",
    "yarn",
    "skis",
    "dna",
    "soap",
    "tanabata tree",
    "camping",
    "american football",
    "rugby football",
    "origami",
}
_KEEP_S = ("ss", "us", "is", "bus", "cactus", "compass", "lotus", "abacus", "octopus", "walrus", "hippopotamus")


def thing_name(annotation: str) -> str:
    """The name of a thing in captions: Unicode's annotation in lower case, or the name people use."""
    name = annotation.lower()
    return COMMON_NAMES.get(name, name)


def with_article(name: str, colour: str | None = None) -> str:
    """``"a turtle"``, ``"an owl"``, ``"a blue turtle"``, ``"grapes"``: the name with its article, if it takes one."""
    words = f"{colour} {name}" if colour else name
    last = name.split(" with ")[0].split(" of ")[0].split(" on ")[0].split()[-1]
    plural = last.endswith("s") and not last.endswith(_KEEP_S)
    if plural or name in _UNCOUNTED:
        return words
    spoken_vowel = words[0] in "aeiou" and not words.startswith(("uni", "one", "ewe", "euro"))
    return f"{'an' if spoken_vowel or words.startswith('hour') else 'a'} {words}"


def caption(name: str, style: str, colour: str | None = None) -> str:
    """The caption of a picture: ``"a turtle, openmoji style"``. ``style`` is one of ``STYLES``."""
    return f"{with_article(name, colour)}, {STYLE_WORDS[style]}"


def varied_caption(
    name: str,
    style: str,
    tags: list[str],
    rng: random.Random,
    colour: str | None = None,
    style_word: float = 0.9,
) -> str:
    """A caption as different people would write it: with and without the article, the style or one of the tags.

    ``style_word`` is the share of captions that name the style.
    """
    subject = with_article(name, colour) if rng.random() < 0.8 else (f"{colour} {name}" if colour else name)
    if tags and rng.random() < 0.15:
        subject = f"{subject}, {rng.choice(tags)}"
    return f"{subject}, {STYLE_WORDS[style]}" if rng.random() < style_word else subject


def join_things(things: list[str], rng: random.Random) -> str:
    """Several things in one phrase: ``"a house, a tree and the sun"``, ``"a house with a tree and a sun"``, …"""
    things = [rng.choice((thing, f"the {thing[2:]}")) if thing in ("a sun", "a moon") else thing for thing in things]
    first, *rest = things
    listed = ", ".join(rest[:-1]) + (" and " if len(rest) > 1 else "") + rest[-1]
    if rng.random() < 0.3:
        return f"{first} with {listed}"
    return f"{first}{' and ' if len(rest) == 1 else ', '}{listed}"


# Things that people like to draw: Quick, Draw!'s own names come on top of these (see data.core_things).
LIKED = """
bee|car|apple|tree|cake|donut|headphones|dinosaur|moon|phone|computer|eyeglasses|truck|shoe|piano|hourglass|suitcase|
sword|couch|lantern|traffic light|lightning|camel|knife|soccer ball|sheep|tie|helmet|rain cloud|house plant|map|
coffee cup|scooter|baguette|fox|wolf|chicken|turtle|rocket|unicorn|dragon|rose|sunflower|tulip|cactus|
palm tree|evergreen tree|mushroom|watermelon|cherries|lemon|peach|pear|grapes|strawberry|carrot|corn|pizza|hamburger|
ice cream|cupcake|cookie|lollipop|castle|tent|bicycle|motorcycle|train|tractor|bus|taxi|anchor|sailboat|umbrella|
snowman|sun|star|rainbow|cloud|fire|balloon|wrapped gift|crown|gem stone|key|hammer|bell|trumpet|violin|guitar|drum|
light bulb|candle|pencil|paintbrush|scissors|t-shirt|dress|jeans|gloves|top hat|backpack|high-heeled shoe|soccer ball|
basketball|tennis|artist palette|teddy bear|kite|chair|bed|door|broom|teapot|fork and knife|egg|cheese wedge|bread|
avocado|eggplant|hot pepper|tomato|potato|onion|pineapple|banana|mango|kiwi fruit|coconut|snail|butterfly|ladybug|
spider|ant|octopus|squid|crab|lobster|shrimp|fish|tropical fish|blowfish|dolphin|whale|spouting whale|shark|penguin|
owl|eagle|duck|swan|flamingo|peacock|parrot|rooster|turkey|dove|frog|crocodile|snake|lizard|cat|cat face|dog|dog face|
mouse|mouse face|rabbit|rabbit face|hamster|bear|panda|koala|tiger|tiger face|lion|leopard|horse|horse face|zebra|
deer|cow|cow face|pig|pig face|goat|llama|giraffe|elephant|rhinoceros|hippopotamus|kangaroo|badger|bat|gorilla|monkey|
monkey face|hedgehog|beaver|otter|sloth|raccoon|polar bear|bird|hatching chick|house|school|hospital|church|volcano|
mountain|desert island|ferris wheel|helicopter|airplane|flying saucer|ship|canoe|speedboat|fire truck|police car|
racing car|locomotive|camera|television|radio|books|open book|envelope|package|trophy|compass|magnet|telescope|
microscope|syringe|feather|spiral shell|four leaf clover|maple leaf|herb|bouquet|cherry blossom|hibiscus
"""


def liked_things() -> set[str]:
    """Names of things that people like to draw, for the set that the miniature is trained on."""
    return {name.strip() for line in LIKED.split("\n") for name in line.split("|") if name.strip()}
