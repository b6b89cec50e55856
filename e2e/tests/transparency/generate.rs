//! Makes messages that only somebody who reads the grammar would write: the same ones at every run.
//!
//! Never judges anything, and never decodes what it wrote: the texts are the messages.

/// URIs in answers: as a server spells them, and what that means.
pub const URIS: [(&str, &str); 5] = [
    (r#""file:///tmp/a.txt""#, "file:///tmp/a.txt"),
    (r#""file:\/\/\/tmp\/b%20c""#, "file:///tmp/b%20c"),
    (r#""demo://\u0061/é/世界?x=1&y=[]#z""#, "demo://a/é/世界?x=1&y=[]#z"),
    (r#""urn:x+y+z""#, "urn:x+y+z"),
    (r#""""#, ""),
];

/// A small generator of numbers (splitmix64): enough for shapes, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).expect("it is below a usize")
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// White space that may stand between tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// All kinds.
    Any,
    /// No carriage returns: they end lines of an event stream.
    NoReturns,
    /// No line breaks: on standard streams a message is a line.
    NoBreaks,
}

/// Writes JSON.
pub struct Pen {
    /// Where the choices come from.
    pub dice: Dice,
    /// What may stand between tokens.
    pub space: Space,
    /// Also what many readers refuse although the grammar has it: lone surrogates, numbers that fit no type, 200 levels.
    pub wild: bool,
}

const STRINGS: [&str; 16] = [
    r#""""#,
    r#"" ""#,
    r#""plain""#,
    r#""Grüße, 世界 😀""#,
    r#""\ud83d\ude00\uD834\uDD1E""#,
    r#""\u0000""#,
    r#""a\u0000b\u001f\u007f""#,
    r#""\"\\\/\b\f\n\r\t""#,
    r#""\u0061\u00E9\u4e16""#,
    "\"\u{2028}\u{2029}\u{feff}\u{7f}\u{10ffff}\"",
    r#""{\"jsonrpc\":\"2.0\",\"id\":1}""#,
    r#""</script> data: x""#,
    r#""e\u0301 é""#,
    r#""\\u0000 \\\" ${HOME}""#,
    r#""9007199254740993""#,
    r#""file:///not/a/link""#,
];
const WILD_STRINGS: [&str; 3] = [r#""\ud800""#, r#""\udc00\ud800x""#, r#""\uD83D \uDE00""#];

const NUMBERS: [&str; 20] = [
    "0",
    "-0",
    "-1",
    "9007199254740991",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890123456789012345678901234567890",
    "-340282366920938463463374607431768211457",
    "1.0",
    "1.0e+2",
    "1E0",
    "1e-0007",
    "-0.0",
    "0.1000",
    "3.141592653589793238462643383279502884197",
    "5e-324",
    "1.7976931348623157e308",
];
const WILD_NUMBERS: [&str; 3] = ["1e400", "-1.5E+9999", "1e-99999"];

const KEYS: [&str; 22] = [
    "",
    "id",
    "jsonrpc",
    "method",
    "params",
    "name",
    "uri",
    "arguments",
    "_meta",
    "progressToken",
    "requestId",
    "result",
    "error",
    "content",
    "type",
    "ref",
    "io.modelcontextprotocol/subscriptionId",
    "é 世界",
    r"\u0069d",
    r"a\u0000b",
    r"\ud83d\ude00",
    r#"\"quoted\""#,
];

impl Pen {
    /// The pen of a seed.
    pub fn new(seed: u64, space: Space) -> Self {
        Self { dice: Dice(seed), space, wild: false }
    }

    fn gap(&mut self) -> &'static str {
        let gaps: &[&str] = match self.space {
            Space::Any => &["", "", "", " ", "\n", "\t", "\r\n", "  \n ", "\r"],
            Space::NoReturns => &["", "", "", " ", "\n", "\t", "\n  ", " \n\n "],
            Space::NoBreaks => &["", "", "", " ", "\t", "   "],
        };
        self.dice.pick(gaps)
    }

    /// A string, with its quotes.
    pub fn string(&mut self) -> String {
        if self.wild && self.dice.one_in(8) {
            return self.dice.pick(&WILD_STRINGS).into();
        }
        self.dice.pick(&STRINGS).into()
    }

    fn number(&mut self) -> String {
        if self.wild && self.dice.one_in(8) {
            return self.dice.pick(&WILD_NUMBERS).into();
        }
        self.dice.pick(&NUMBERS).into()
    }

    /// Any value; containers become rarer the deeper they lie. Keys of objects may come twice.
    pub fn value(&mut self, depth: usize) -> String {
        match self.dice.below(if depth > 4 { 6 } else { 11 }) {
            0 | 1 => self.number(),
            2 | 3 => self.string(),
            4 => self.dice.pick(&["true", "false", "null"]).into(),
            5 => self.dice.pick(&["{}", "[]", "{ }", "[\t]"]).into(),
            6 | 7 => {
                let length = self.dice.below(4);
                let elements: Vec<_> = (0..length).map(|_| self.value(depth + 1)).collect();
                self.array(&elements)
            }
            8 if self.dice.one_in(6) => self.deep(),
            _ => {
                let length = self.dice.below(5);
                let members = (0..length).map(|_| {
                    let key = self.dice.pick(&KEYS);
                    let value = self.value(depth + 1);
                    self.member(key, &value)
                });
                let members: Vec<_> = members.collect();
                self.object(members)
            }
        }
    }

    /// Arrays and objects in each other.
    fn deep(&mut self) -> String {
        let levels = if self.wild { 200 } else { 90 };
        let open: Vec<_> = (0..levels).map(|_| self.dice.pick(&[("[", "]"), ("{\"a\":", "}")])).collect();
        let mut text: String = open.iter().map(|pair| pair.0).collect();
        text.push_str("1.0");
        text.extend(open.iter().rev().map(|pair| pair.1));
        text
    }

    /// An array of values that are written already.
    pub fn array(&mut self, elements: &[String]) -> String {
        let mut text = "[".to_owned();
        for (n, element) in elements.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            text.push_str(&[comma, self.gap(), element, self.gap()].concat());
        }
        text + "]"
    }

    /// A member of an object.
    pub fn member(&mut self, key: &str, value: &str) -> String {
        [self.gap(), "\"", key, "\"", self.gap(), ":", self.gap(), value, self.gap()].concat()
    }

    /// An object of members that are written already, in any order.
    pub fn object(&mut self, mut members: Vec<String>) -> String {
        for last in (1..members.len()).rev() {
            members.swap(last, self.dice.below(last + 1));
        }
        format!("{{{}}}", members.join(","))
    }

    /// An object with these members and a few that nobody knows, whose keys come once.
    pub fn known_and_unknown(&mut self, known: &[(&str, &str)]) -> String {
        let mut members: Vec<_> = known.iter().map(|(key, value)| self.member(key, value)).collect();
        for n in 0..self.dice.below(4) {
            let key = format!("{}{n}", self.dice.pick(&["x-", "vendor.example/", "é", r"\u0078", r"\ud83d\ude00 "]));
            let value = self.value(1);
            members.push(self.member(&key, &value));
        }
        self.object(members)
    }

    /// A text as a JSON string in one of the many ways to spell it.
    pub fn spelled(&mut self, text: &str) -> String {
        let escaped = self.dice.one_in(2);
        let letters = text.chars().map(|letter| match letter {
            '/' if escaped && self.dice.one_in(2) => r"\/".to_owned(),
            letter if escaped && self.dice.one_in(3) => {
                let mut units = [0; 2];
                letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
            letter => letter.to_string(),
        });
        format!("\"{}\"", letters.collect::<String>())
    }

    /// The id of the `n`th request.
    pub fn id(&mut self, n: usize) -> String {
        match self.dice.below(9) {
            0 | 1 => n.to_string(),
            2 => format!("9007199254740993{n:03}"),
            3 => format!("-123456789012345678901{n:03}"),
            4 => format!("\"id-{n}\""),
            5 => format!("\"\\u0061\\ud83d\\ude00 {n}\""),
            6 => format!("\"é {n}\\u0000\""),
            7 => format!("\"{n}\""),
            _ => format!("\"\\\"{n}\\/\\\\\""),
        }
    }

    /// A block of content; links and embedded resources have URIs, others only look as if.
    pub fn block(&mut self) -> String {
        let text = self.string();
        let uri = format!("«uri:{}»", self.dice.below(URIS.len()));
        match self.dice.below(5) {
            0 => self.known_and_unknown(&[("type", "\"resource_link\""), ("uri", &uri), ("name", &text)]),
            1 => {
                let resource = self.known_and_unknown(&[("uri", &uri), ("text", &text)]);
                self.known_and_unknown(&[("type", "\"resource\""), ("resource", &resource)])
            }
            2 => self.known_and_unknown(&[("type", "\"vendor/link\""), ("uri", &text)]),
            _ => self.known_and_unknown(&[("type", "\"text\""), ("text", &text), ("uri", "\"file:///x\"")]),
        }
    }

    /// Blocks of content in an array.
    pub fn blocks(&mut self) -> String {
        let length = self.dice.below(4);
        let blocks: Vec<_> = (0..length).map(|_| self.block()).collect();
        self.array(&blocks)
    }
}
