"""Words that the rules look up."""

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
MONTH_NAMES = {name[:3].lower(): name for name in MONTHS} | {"sept": "September"}

# With their point, and a capital.
TITLES = {
    "mr.": "Mister",
    "mrs.": "Missus",
    "ms.": "Miz",
    "dr.": "Doctor",
    "prof.": "Professor",
    "rev.": "Reverend",
    "hon.": "Honorable",
    "gen.": "General",
    "col.": "Colonel",
    "capt.": "Captain",
    "lt.": "Lieutenant",
    "sgt.": "Sergeant",
    "sen.": "Senator",
    "gov.": "Governor",
    "jr.": "Junior",
    "sr.": "Senior",
    "mt.": "Mount",
    "ft.": "Fort",
    "ave.": "Avenue",
    "blvd.": "Boulevard",
    "rd.": "Road",
    "mon.": "Monday",
    "tue.": "Tuesday",
    "tues.": "Tuesday",
    "wed.": "Wednesday",
    "thu.": "Thursday",
    "thurs.": "Thursday",
    "fri.": "Friday",
}
# With their point.
ABBREVIATIONS = {
    "apt.": "apartment",
    "dept.": "department",
    "inc.": "Incorporated",
    "ltd.": "Limited",
    "corp.": "Corporation",
    "co.": "Company",
    "bros.": "Brothers",
    "etc.": "et cetera",
    "e.g.": "for example",
    "i.e.": "that is",
    "vs.": "versus",
    "approx.": "approximately",
    "cf.": "compare",
    "viz.": "namely",
    "misc.": "miscellaneous",
    "vol.": "volume",
    "pp.": "pages",
    "esp.": "especially",
    "incl.": "including",
    "tel.": "telephone",
}
# Without one.
SHORT_FORMS = {
    "Mr": "Mister",
    "Mrs": "Missus",
    "Ms": "Miz",
    "Dr": "Doctor",
    "vs": "versus",
    "w/o": "without",
    "w/": "with",
}
# That end a sentence when a capital follows, unlike titles.
MAY_END_SENTENCE = frozenset("etc. inc. ltd. corp. co. jr. sr. ave. blvd. rd. bros.".split())

# Singular and plural, for amounts.
UNITS = {
    "mm": ("millimeter", "millimeters"),
    "cm": ("centimeter", "centimeters"),
    "km": ("kilometer", "kilometers"),
    "m": ("meter", "meters"),
    "nm": ("nanometer", "nanometers"),
    "µm": ("micrometer", "micrometers"),
    "ft": ("foot", "feet"),
    "mi": ("mile", "miles"),
    "yd": ("yard", "yards"),
    "mg": ("milligram", "milligrams"),
    "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "t": ("ton", "tons"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "cl": ("centiliter", "centiliters"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "ms": ("millisecond", "milliseconds"),
    "µs": ("microsecond", "microseconds"),
    "ns": ("nanosecond", "nanoseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "V": ("volt", "volts"),
    "mV": ("millivolt", "millivolts"),
    "A": ("amp", "amps"),
    "mA": ("milliamp", "milliamps"),
    "J": ("joule", "joules"),
    "kJ": ("kilojoule", "kilojoules"),
    "kcal": ("kilocalorie", "kilocalories"),
    "Pa": ("pascal", "pascals"),
    "hPa": ("hectopascal", "hectopascals"),
    "dB": ("decibel", "decibels"),
    "B": ("byte", "bytes"),
    "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "fps": ("frame per second", "frames per second"),
    "rpm": ("turn per minute", "turns per minute"),
    "mph": ("mile per hour", "miles per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "px": ("pixel", "pixels"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "%": ("percent", "percent"),
    "‰": ("per mille", "per mille"),
    "m²": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"),
    "m³": ("cubic meter", "cubic meters"),
}

# Symbol: (one, many, one hundredth, many hundredths).
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₽": ("ruble", "rubles", "kopeck", "kopecks"),
}
MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
    "thousand": "thousand",
    "million": "million",
    "billion": "billion",
    "trillion": "trillion",
}

SYMBOLS = {
    "&": " and ",
    "@": " at ",
    "+": " plus ",
    "=": " equals ",
    "×": " times ",
    "÷": " divided by ",
    "±": " plus or minus ",
    "<": " less than ",
    ">": " greater than ",
    "≤": " at most ",
    "≥": " at least ",
    "≈": " about ",
    "≠": " is not ",
    "→": " to ",
    "%": " percent ",
    "°": " degrees ",
    "§": " section ",
    "©": " copyright ",
    "®": " registered ",
    "™": " trademark ",
    "$": " dollars ",
    "€": " euros ",
    "£": " pounds ",
    "¥": " yen ",
    "√": " root of ",
    "∞": " infinity ",
    "π": " pi ",
    "µ": " micro ",
    "#": " number ",
    "½": " one half ",
    "¼": " one quarter ",
    "¾": " three quarters ",
    "⅓": " one third ",
    "⅔": " two thirds ",
    "²": " squared ",
    "³": " cubed ",
    "/": " slash ",
}

# All-capital words that are said as words although they are short.
SPOKEN_CAPITALS = frozenset(
    """
    AH AIDS ALL AM AN AND ANY ARE AS AT BAD BE BIG BOY BUT BY CAN CAT CUDA DAY DID DO DOG EAT END
    FOR FUN GAN GET GIF GO GUY HAD HAS HE HER HEY HI HIM HIS HOW IF IN IS IT ITS JOB JPEG LAN LASER
    LET LIE LORA LOT LOW MAN MAY ME MY NASA NATO NEW NO NOT NOW OF OFF OH OLD ON ONE OPEC OR OUR OUT
    OWN PIN PUT RADAR RAM RED ROM SAY SCUBA SEE SHE SIM SKY SO STOP SUN TEA THE TO TOO TOP TRY TWO
    UNESCO UNICEF UP WAS WAY WE WHO WHY WON WOW YES YOU YOUR ZIP
    """.split()
)
# Longer ones that are spelled although they could be read.
SPELLED_CAPITALS = frozenset(
    "HTML HTTP HTTPS USB GPU CPU API URL AI IO IP ID TV UK US USA EU UN PC OS UI".split()
)

LETTER_NAMES = {"A": "Ay"}  # alone, "A" is the article; the other letters are said by their names

# Words after which a Roman numeral counts, and names after which it ranks.
COUNTED = (
    "chapter|part|volume|vol|act|scene|section|book|war|phase|type|class|level|appendix|title|stage|grade|mark|"
    "apollo|gemini|saturn"
)
RULERS = (
    "king|queen|pope|emperor|tsar|henry|louis|charles|edward|george|james|william|richard|elizabeth|philip|peter|"
    "paul|pius|leo|gregory|benedict|francis|john|frederick|nicholas|alexander|catherine|napoleon|robert|ivan|mary"
)
FRACTIONS = {(1, 2): "one half", (1, 4): "one quarter", (3, 4): "three quarters"}
TOP_LEVELS = "com|org|net|io|ai|edu|gov|dev|app|de|uk|fr|eu|us|co|info|me|tv|ch|at|nl|se|jp|cn|in"
