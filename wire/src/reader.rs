//! Reads the envelope: one function an object, each walking its keys once. Never looks into objects it has no part of.

use std::borrow::Cow;

use crate::{
    Envelope, Fault, Shape, Span,
    keys::{Added, Keys},
    scan::{Key, Kind, MAX_DEPTH, Scanner, Step, Value},
    text,
};

/// A body on the way to an envelope.
pub(crate) struct Reader<'a> {
    scan: Scanner<'a>,
    envelope: Envelope,
    /// The first offence against JSON-RPC. Kept, because bytes that are no JSON at all must be told as that.
    complaint: Option<Fault>,
    versioned: bool,
    null_id: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8], depth: usize) -> Result<Self, Fault> {
        let scan = Scanner::new(body, depth.min(MAX_DEPTH))?;
        Ok(Self { scan, envelope: Envelope::blank(), complaint: None, versioned: false, null_id: false })
    }

    pub(crate) fn read(mut self) -> Result<Envelope, Fault> {
        let walked = self.whole();
        if walked.is_ok() && self.complaint.is_none() {
            self.classify();
        }
        self.scan.outcome(walked)?;
        self.complaint.map_or(Ok(self.envelope), Err)
    }

    fn whole(&mut self) -> Step<()> {
        if self.scan.peek() == b'{' {
            self.message()?;
        } else {
            self.scan.value()?;
            self.refuse("a message is an object");
        }
        self.scan.finish()
    }

    #[cold]
    fn complain(&mut self, fault: Fault) {
        self.complaint.get_or_insert(fault);
    }

    #[cold]
    fn refuse(&mut self, what: &'static str) {
        self.complain(Fault::NotAMessage(what));
    }

    /// The next key of the entered object; known ones as decoded. One that was there before is a complaint.
    #[inline]
    fn next_key(&mut self, keys: &mut Keys<'a>) -> Step<Option<&'a [u8]>> {
        let Some(Key { span, plain }) = self.scan.key()? else { return Ok(None) };
        let raw = span.of(self.scan.body);
        let (key, added) = if plain { (raw, keys.add(span)) } else { escaped(raw, keys) };
        match added {
            Added::New => {}
            Added::Again => self.complain(Fault::DuplicateKey { at: span.start as usize - 1 }),
            Added::TooMany => return self.scan.stop(Fault::TooLarge),
        }
        Ok(Some(key))
    }

    fn message(&mut self) -> Step<()> {
        let mut keys = Keys::new(self.scan.body);
        self.scan.enter()?;
        while let Some(key) = self.next_key(&mut keys)? {
            match key {
                b"jsonrpc" => self.version()?,
                b"id" => self.id()?,
                b"method" => self.method()?,
                b"params" => self.envelope.params = self.optional(Self::params, "`params` must be an object")?,
                b"result" => self.result()?,
                b"error" => self.envelope.error = self.object(Self::error, "`error` must be an object")?,
                _ => {
                    self.scan.value()?;
                }
            }
        }
        Ok(())
    }

    fn version(&mut self) -> Step<()> {
        let value = self.scan.value()?;
        let raw = value.span.of(self.scan.body);
        self.versioned = raw == b"\"2.0\"" || text::text(raw).is_some_and(|version| version == "2.0");
        if !self.versioned {
            self.refuse("`jsonrpc` must be \"2.0\"");
        }
        Ok(())
    }

    fn id(&mut self) -> Step<()> {
        let value = self.scan.value()?;
        match value.kind {
            Kind::String { .. } | Kind::Integer => self.envelope.id = Some(value.span),
            Kind::Null => self.null_id = true,
            _ => self.refuse("an id must be a string or an integer"),
        }
        Ok(())
    }

    fn method(&mut self) -> Step<()> {
        let Value { span, kind } = self.scan.value()?;
        if let Kind::String { plain } = kind {
            self.envelope.method = Some(Span { start: span.start + 1, end: span.end - 1 });
            self.envelope.method_plain = plain;
        } else {
            self.refuse("`method` must be a string");
        }
        Ok(())
    }

    /// Reads an object with the function given for its inside; anything else is passed with a complaint.
    fn object(&mut self, inside: fn(&mut Self) -> Step<()>, otherwise: &'static str) -> Step<Option<Span>> {
        let first = self.scan.peek();
        let start = self.scan.at;
        if first != b'{' {
            self.scan.value()?;
            self.refuse(otherwise);
            return Ok(None);
        }
        self.scan.enter()?;
        inside(self)?;
        Ok(Some(Span::new(start, self.scan.at)))
    }

    /// The same where `null` is as good as nothing: the schemas know no `null` there, but serialisers that write every
    /// field of a type do, and nobody can take it for anything else.
    fn optional(&mut self, inside: fn(&mut Self) -> Step<()>, otherwise: &'static str) -> Step<Option<Span>> {
        if self.scan.peek() == b'n' {
            self.scan.value()?;
            return Ok(None);
        }
        self.object(inside, otherwise)
    }

    fn params(&mut self) -> Step<()> {
        let mut keys = Keys::new(self.scan.body);
        while let Some(key) = self.next_key(&mut keys)? {
            match key {
                b"name" => self.envelope.name = self.string()?,
                b"uri" => self.envelope.uri = self.string()?,
                b"arguments" => self.envelope.arguments = self.any()?,
                b"cursor" => self.envelope.cursor = self.string()?,
                b"level" => self.envelope.level = self.string()?,
                b"requestId" => self.envelope.request_id = self.any()?,
                b"progressToken" => self.envelope.progress_token_param = self.any()?,
                b"ref" => self.reference()?,
                b"_meta" => self.envelope.meta = self.optional(Self::meta, "`_meta` must be an object")?,
                _ => {
                    self.scan.value()?;
                }
            }
        }
        Ok(())
    }

    fn reference(&mut self) -> Step<()> {
        if self.scan.peek() != b'{' {
            self.scan.value()?;
            return Ok(());
        }
        let mut keys = Keys::new(self.scan.body);
        self.scan.enter()?;
        while let Some(key) = self.next_key(&mut keys)? {
            match key {
                b"name" => self.envelope.ref_name = self.string()?,
                b"uri" => self.envelope.ref_uri = self.string()?,
                _ => {
                    self.scan.value()?;
                }
            }
        }
        Ok(())
    }

    fn meta(&mut self) -> Step<()> {
        let mut keys = Keys::new(self.scan.body);
        while let Some(key) = self.next_key(&mut keys)? {
            let value = self.any()?;
            let slot = match key {
                b"progressToken" => &mut self.envelope.progress_token,
                b"io.modelcontextprotocol/protocolVersion" => &mut self.envelope.protocol_version,
                b"io.modelcontextprotocol/clientInfo" => &mut self.envelope.client_info,
                b"io.modelcontextprotocol/clientCapabilities" => &mut self.envelope.client_capabilities,
                b"io.modelcontextprotocol/logLevel" => &mut self.envelope.log_level,
                b"io.modelcontextprotocol/subscriptionId" => &mut self.envelope.subscription_id,
                _ => continue,
            };
            *slot = value;
        }
        Ok(())
    }

    fn result(&mut self) -> Step<()> {
        let first = self.scan.peek();
        let start = self.scan.at;
        if first == b'{' {
            let mut keys = Keys::new(self.scan.body);
            self.scan.enter()?;
            while let Some(key) = self.next_key(&mut keys)? {
                match key {
                    b"resultType" => self.envelope.result_type = self.string()?,
                    b"_meta" => self.envelope.meta = self.optional(Self::meta, "`_meta` must be an object")?,
                    _ => {
                        self.scan.value()?;
                    }
                }
            }
        } else {
            self.scan.value()?;
        }
        self.envelope.result = Some(Span::new(start, self.scan.at));
        Ok(())
    }

    fn error(&mut self) -> Step<()> {
        let mut keys = Keys::new(self.scan.body);
        while let Some(key) = self.next_key(&mut keys)? {
            let value = self.scan.value()?;
            if key == b"code" && value.kind == Kind::Integer {
                let digits = std::str::from_utf8(value.span.of(self.scan.body));
                self.envelope.error_code = digits.ok().and_then(|digits| digits.parse().ok());
            }
        }
        Ok(())
    }

    fn any(&mut self) -> Step<Option<Span>> {
        Ok(Some(self.scan.value()?.span))
    }

    fn string(&mut self) -> Step<Option<Span>> {
        let value = self.scan.value()?;
        Ok(matches!(value.kind, Kind::String { .. }).then_some(value.span))
    }

    /// Tells the four kinds apart by what was found.
    fn classify(&mut self) {
        let found = &self.envelope;
        let (method, result, error) = (found.method.is_some(), found.result.is_some(), found.error.is_some());
        let (id, params) = (found.id.is_some(), found.params.is_some());
        let kind = match (method, result, error) {
            _ if !self.versioned => return self.refuse("`jsonrpc` is missing"),
            (true, false, false) if self.null_id => return self.refuse("the id of a request may not be null"),
            (true, false, false) if id => Shape::Request,
            (true, false, false) => Shape::Notification,
            (false, true, false) if id => Shape::Response,
            (false, true, false) => return self.refuse("a response without an id"),
            (false, false, true) => Shape::Error,
            (false, false, false) => return self.refuse("neither a method nor a result nor an error"),
            _ => return self.refuse("more than one of method, result and error"),
        };
        if params && !method {
            return self.refuse("an answer with `params`");
        }
        self.envelope.kind = kind;
    }
}

/// The keys that are read.
const KNOWN: [&[u8]; 22] = [
    b"jsonrpc",
    b"id",
    b"method",
    b"params",
    b"result",
    b"error",
    b"name",
    b"uri",
    b"arguments",
    b"cursor",
    b"level",
    b"requestId",
    b"progressToken",
    b"ref",
    b"_meta",
    b"io.modelcontextprotocol/protocolVersion",
    b"io.modelcontextprotocol/clientInfo",
    b"io.modelcontextprotocol/clientCapabilities",
    b"io.modelcontextprotocol/logLevel",
    b"io.modelcontextprotocol/subscriptionId",
    b"resultType",
    b"code",
];

/// Adds a key with escapes. Returns it as decoded when it is a known one; otherwise as written, which no key that is read
/// looks like.
#[cold]
fn escaped<'a>(raw: &'a [u8], keys: &mut Keys<'a>) -> (&'a [u8], Added) {
    let text = std::str::from_utf8(raw).ok().and_then(text::contents);
    // Bytes that are not UTF-8 are refused at the end of the body.
    let key = text.map_or(Cow::Borrowed(raw), |text| Cow::Owned(text.into_owned().into_bytes()));
    let known = KNOWN.into_iter().find(|known| *known == &*key).unwrap_or(raw);
    (known, keys.add_to_many(key))
}
