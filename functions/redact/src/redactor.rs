//! Makes one pass over the text: runs the rules where a secret may begin, and replaces what they find.
//!
//! Rules run at few places: the beginnings of some words, and the signs beside some others (`places`).
//! If two secrets overlap, the one whose place comes first is replaced.

use std::io::Write;

use crate::escape::SOFT_LINE_END;
use crate::key::{Keys, Line};
use crate::kind::{End, Found, Kind};
use crate::options::Options;
use crate::output::Output;
use crate::places::Places;
use crate::tail::{Reach, Tail};
use crate::text::Text;
use crate::token::Run;
use crate::view::View;
use crate::{card, email, ip, key, secret, token};

/// Of `Private-Lines: ` and the number.
const LINES_BYTES: usize = 32;

pub struct Redactor {
    options: Options,
    counts: [u64; Kind::COUNT],
    /// The secret that went on to the end of what was there.
    open: Option<Tail>,
    keys: Keys,
    /// The line end before a line that may be part of a key.
    line: Option<u8>,
    /// Whether a key began on this line.
    has_begun: bool,
}

/// The progress of a pass: all before `scanned` has been searched, and all before `written` is in the output.
pub struct Progress {
    pub scanned: usize,
    pub written: usize,
    pub raw_written: usize,
}

/// What a pass writes: raw bytes from where the last secret ended.
struct Copy<'a, W> {
    raw: &'a [u8],
    view: &'a View,
    at: usize,
    output: &'a mut Output<W>,
}

impl Redactor {
    pub fn new(options: Options) -> Self {
        Self {
            options,
            counts: [0; Kind::COUNT],
            open: None,
            keys: Keys::default(),
            line: None,
            has_begun: false,
        }
    }

    /// Looks at the places of the view from `from` to `to`, and writes what is before the last secret's end.
    ///
    /// No place before `to` may be nearer than `AHEAD` to the end of the view, unless a line or the input ends there.
    pub fn pass<W: Write>(
        &mut self,
        raw: &[u8],
        view: &View,
        from: usize,
        to: usize,
        output: &mut Output<W>,
    ) -> Progress {
        let bytes = view.bytes(raw);
        let mut text = Text { bytes, floor: 0 };
        let mut copy = Copy { raw, view, at: 0, output };
        let mut run = Run::default();
        let mut at = from;
        if let Some(tail) = self.open {
            self.follow(tail, &mut text, from);
            copy.at = view.raw_end(text.floor);
            at = text.floor;
        }
        let mut places = Places::new(bytes, at);
        // A part of a key on this line.
        let mut body: Option<(Found, bool)> = None;
        while at < to && self.open.is_none() {
            if let Some(line_end) = self.line.filter(|_| body.is_none()) {
                if let Some(bounds) = key::bounds(&text, at, line_end == SOFT_LINE_END) {
                    if bounds.next > to {
                        break;
                    }
                    match self.keys.line(&text, &bounds) {
                        Line::More { next } => {
                            self.copy_to(&mut copy, at);
                            text.floor = next;
                            copy.at = view.raw_end(next);
                            at = next;
                            continue;
                        }
                        Line::Body { start, end, is_first } => {
                            body = Some((Found::new(Kind::Key, start, end), is_first));
                        }
                        Line::Other => {}
                    }
                }
                self.line = None;
            }
            let most = body.as_ref().map_or(to, |(found, _)| found.start);
            // What follows a secret may be one too, whatever the secret ended with.
            let place = if at == text.floor && at < most { Some(at) } else { places.next(at, most) };
            at = match place {
                Some(place) => match self.look(&text, place, &mut run) {
                    Some(found) => self.replace(found, true, &mut text, &mut copy),
                    None => place + 1,
                },
                None => match body.take() {
                    Some((mut found, is_first)) => {
                        // What was found before it may have gone into it.
                        found.start = found.start.max(text.floor);
                        if let End::At(end) = &mut found.end {
                            *end = (*end).max(text.floor);
                        }
                        self.replace(found, is_first, &mut text, &mut copy)
                    }
                    None => to,
                },
            };
        }
        Progress { scanned: at, written: text.floor, raw_written: copy.at }
    }

    /// Writes raw bytes that hold no secret but in a terminal's strings.
    pub fn copy<W: Write>(
        &mut self,
        raw: &[u8],
        view: &View,
        from: usize,
        to: usize,
        output: &mut Output<W>,
    ) {
        let mut at = from;
        for (start, end) in view.messages(from, to) {
            output.push(&raw[at..start]);
            self.message(&raw[start..end], output);
            at = end;
        }
        output.push(&raw[at..to]);
    }

    /// Writes such a string's text without its secrets: whatever is open around it goes on behind it.
    fn message<W: Write>(&mut self, raw: &[u8], output: &mut Output<W>) {
        let (open, keys, line) = (self.open.take(), std::mem::take(&mut self.keys), self.line.take());
        let has_begun = std::mem::replace(&mut self.has_begun, false);
        let view = View::of_plain(raw);
        let Progress { raw_written, .. } = self.pass(raw, &view, 0, raw.len(), output);
        output.push(&raw[raw_written..]);
        self.open = open;
        self.keys = keys;
        self.line = line;
        self.has_begun = has_begun;
    }

    fn copy_to<W: Write>(&mut self, copy: &mut Copy<W>, place: usize) {
        let to = copy.view.raw_start(place).max(copy.at);
        self.copy(copy.raw, copy.view, copy.at, to, copy.output);
        copy.at = to;
    }

    /// The counts in a line, if there are any.
    pub fn summary(&self) -> Option<String> {
        let counts: Vec<String> = Kind::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|&(_, count)| count > 0)
            .map(|(kind, count)| format!("{count} {}", kind.name()))
            .collect();
        (!counts.is_empty()).then(|| format!("redacted {}", counts.join(", ")))
    }

    /// Asks the rules that know this place.
    fn look(&mut self, text: &Text, at: usize, run: &mut Run) -> Option<Found> {
        let found = match text.bytes[at] {
            // No rule begins at the second of two.
            b':' | b'=' if text.before(at) == Some(text.bytes[at]) => None,
            b'@' | b'%' => email::find(text, at),
            b'=' => self.value(text, at),
            b':' => secret::userinfo(text, at)
                .or_else(|| self.wanted(ip::v6(text, at)))
                .or_else(|| self.value(text, at)),
            b'0'..=b'9' => self.wanted(ip::v4(text, at)).or_else(|| card::find(text, at)),
            byte @ (b'\n' | SOFT_LINE_END) => {
                self.line = self.keys.is_open().then(|| byte);
                self.has_begun = false;
                None
            }
            b'B' => self.begin_key(text, at).or_else(|| token::find(text, at, run)),
            b'E' | b'P' => {
                self.end_key(text, at);
                None
            }
            _ => token::find(text, at, run),
        };
        self.wanted(found)
    }

    fn wanted(&self, found: Option<Found>) -> Option<Found> {
        found.filter(|found| self.options.wants(found.kind))
    }

    /// The value of a name, unless it is a key: that may have further lines.
    fn value(&self, text: &Text, at: usize) -> Option<Found> {
        const HYPHENS: &[u8] = b"-----";
        let found = secret::value(text, at)?;
        let is_key = self.options.wants(Kind::Key)
            && text.has(found.start, HYPHENS)
            && key::begin(text, found.start + HYPHENS.len()).is_some();
        (!is_key).then(|| found)
    }

    fn begin_key(&mut self, text: &Text, at: usize) -> Option<Found> {
        let end = key::begin(text, at)?;
        if self.options.wants(Kind::Key) {
            self.open_key(text, at, end);
        }
        key::inline(text, end)
    }

    fn open_key(&mut self, text: &Text, at: usize, end: usize) {
        self.keys.open(text, at, end, !self.has_begun);
        self.has_begun = true;
    }

    fn end_key(&mut self, text: &Text, at: usize) {
        if key::is_putty(text, at) {
            if self.options.wants(Kind::Key) {
                let end = text.over(at, LINES_BYTES, |byte| byte != b'\r' && byte != b'\n');
                self.open_key(text, at, end);
            }
        } else if key::is_end(text, at) || text.has(at, b"Private-MAC: ") {
            self.keys.close(text, at);
        }
    }

    /// Writes what is before the secret, and its mark; gives the place from which to go on.
    fn replace<W: Write>(
        &mut self,
        found: Found,
        is_counted: bool,
        text: &mut Text,
        copy: &mut Copy<W>,
    ) -> usize {
        self.copy_to(copy, found.start);
        copy.output.push(self.options.mark(found.kind));
        self.counts[found.kind as usize] += u64::from(is_counted);
        match found.end {
            End::At(end) => text.floor = end,
            End::Open { from, tail } => self.follow(tail, text, from),
        }
        copy.at = copy.view.raw_end(text.floor).max(copy.at);
        text.floor
    }

    /// Drops what belongs to a secret from this place on.
    fn follow(&mut self, tail: Tail, text: &mut Text, from: usize) {
        (text.floor, self.open) = match tail.reach(text.bytes, from) {
            Reach::End(end) => (end, None),
            Reach::Beyond(end) => (end, Some(tail)),
        };
    }
}
