//! Searches one reading of the text: runs the rules where a secret may begin.
//!
//! Rules run at few places: the beginnings of some words, and the signs beside some others (`places`).
//! If two secrets overlap, the one whose place comes first is found.

use crate::escape::SOFT_LINE_END;
use crate::key::{self, Keys, Line};
use crate::kind::{End, Found, Kind};
use crate::options::Options;
use crate::places::Places;
use crate::tail::{Reach, Tail};
use crate::text::{Text, BEHIND};
use crate::token::Run;
use crate::view::View;
use crate::{card, email, ip, secret, token};

/// Of `Private-Lines: ` and the number.
const LINES_BYTES: usize = 32;

/// What a search remembers from one part of the input to the next.
#[derive(Clone, Default)]
pub struct Search {
    /// The secret that went on to the end of what was there.
    open: Option<Tail>,
    keys: Keys,
    /// The line end before a line that may be part of a key.
    line: Option<u8>,
    /// Whether a key began on this line.
    has_begun: bool,
    /// All before this place of the view has been searched.
    pub scanned: usize,
    /// All before this place of the view is already found or belongs to a secret.
    pub floor: usize,
}

/// Raw bytes of a secret, from `start` to `end`.
pub struct Hit {
    pub start: usize,
    pub end: usize,
    /// Absent if the bytes continue a secret that already has its mark.
    pub mark: Option<Kind>,
    pub is_counted: bool,
}

/// The search of one part of the input.
pub struct Pass<'a> {
    search: &'a mut Search,
    options: &'a Options,
    view: &'a View,
    text: Text<'a>,
    places: Places<'a>,
    run: Run,
    /// A part of a key on this line, and whether it is the key's first.
    body: Option<(Found, bool)>,
    /// The continuation of a secret that began in an earlier part.
    rest: Option<Hit>,
    at: usize,
    to: usize,
}

impl Search {
    /// Whether the next line is searched like the first line of the input.
    pub fn is_idle(&self) -> bool {
        self.open.is_none() && !self.keys.is_open()
    }

    /// Looks at the places of the view before `to`.
    ///
    /// None of them may be nearer than `AHEAD` to the end of the view, unless a line or the input ends there.
    pub fn pass<'a>(
        &'a mut self,
        options: &'a Options,
        raw: &'a [u8],
        view: &'a View,
        to: usize,
    ) -> Pass<'a> {
        let bytes = view.bytes(raw);
        let mut text = Text { bytes, floor: self.floor };
        let mut at = self.scanned.max(self.floor);
        let mut rest = None;
        if let Some(tail) = self.open {
            let start = view.raw_end(text.floor);
            self.follow(tail, &mut text, at);
            at = text.floor;
            rest = Some(Hit { start, end: view.raw_end(at), mark: None, is_counted: false });
        }
        let places = Places::new(bytes, at);
        Pass { search: self, options, view, text, places, run: Run::default(), body: None, rest, at, to }
    }

    /// The place of the view before which the search needs nothing any more, after a pass to `to`.
    pub fn done(&self, to: usize) -> usize {
        self.floor.max(self.scanned.min(to).saturating_sub(BEHIND))
    }

    /// Forgets the view's bytes before this place.
    pub fn leave(&mut self, place: usize) {
        self.scanned = self.scanned.saturating_sub(place);
        self.floor = self.floor.saturating_sub(place);
    }

    /// Drops what belongs to a secret from this place on.
    fn follow(&mut self, tail: Tail, text: &mut Text, from: usize) {
        (text.floor, self.open) = match tail.reach(text.bytes, from) {
            Reach::End(end) => (end, None),
            Reach::Beyond(end) => (end, Some(tail)),
        };
    }
}

impl Iterator for Pass<'_> {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        let hit = self.rest.take().or_else(|| self.find());
        self.search.scanned = self.at;
        self.search.floor = self.text.floor;
        hit
    }
}

impl Pass<'_> {
    fn find(&mut self) -> Option<Hit> {
        while self.at < self.to && self.search.open.is_none() {
            if let Some(line_end) = self.search.line.filter(|_| self.body.is_none()) {
                if let Some(bounds) = key::bounds(&self.text, self.at, line_end == SOFT_LINE_END) {
                    if bounds.next > self.to {
                        return None;
                    }
                    match self.search.keys.line(&self.text, &bounds) {
                        Line::More { next } => {
                            let start = self.view.raw_start(self.at);
                            self.text.floor = next;
                            self.at = next;
                            let end = self.view.raw_end(next);
                            return Some(Hit { start, end, mark: None, is_counted: false });
                        }
                        Line::Body { start, end, is_first } => {
                            self.body = Some((Found::new(Kind::Key, start, end), is_first));
                        }
                        Line::Other => {}
                    }
                }
                self.search.line = None;
            }
            let most = self.body.as_ref().map_or(self.to, |(found, _)| found.start);
            // What follows a secret may be one too, whatever the secret ended with.
            let place = if self.at == self.text.floor && self.at < most {
                Some(self.at)
            } else {
                self.places.next(self.at, most)
            };
            match place {
                Some(place) => match self.look(place) {
                    Some(found) => return Some(self.hit(found, true)),
                    None => self.at = place + 1,
                },
                None => match self.body.take() {
                    Some((mut found, is_first)) => {
                        // What was found before it may have gone into it.
                        found.start = found.start.max(self.text.floor);
                        if let End::At(end) = &mut found.end {
                            *end = (*end).max(self.text.floor);
                        }
                        return Some(self.hit(found, is_first));
                    }
                    None => self.at = self.to,
                },
            }
        }
        None
    }

    /// Goes on behind the secret.
    fn hit(&mut self, found: Found, is_counted: bool) -> Hit {
        let start = self.view.raw_start(found.start);
        match found.end {
            End::At(end) => self.text.floor = end,
            End::Open { from, tail } => self.search.follow(tail, &mut self.text, from),
        }
        self.at = self.text.floor;
        Hit { start, end: self.view.raw_end(self.at), mark: Some(found.kind), is_counted }
    }

    /// Asks the rules that know this place.
    fn look(&mut self, at: usize) -> Option<Found> {
        let text = &self.text;
        let found = match text.bytes[at] {
            // No rule begins at the second of two.
            b':' | b'=' if text.before(at) == Some(text.bytes[at]) => None,
            b'@' | b'%' => email::find(text, at),
            b'=' => self.value(at),
            b':' => secret::userinfo(text, at)
                .or_else(|| self.wanted(ip::v6(text, at)))
                .or_else(|| self.value(at)),
            b'0'..=b'9' => self.wanted(ip::v4(text, at)).or_else(|| card::find(text, at)),
            byte @ (b'\n' | SOFT_LINE_END) => {
                self.search.line = self.search.keys.is_open().then(|| byte);
                self.search.has_begun = false;
                None
            }
            b'B' => self.begin_key(at).or_else(|| token::find(&self.text, at, &mut self.run)),
            b'E' | b'P' => {
                self.end_key(at);
                None
            }
            _ => token::find(text, at, &mut self.run),
        };
        self.wanted(found)
    }

    fn wanted(&self, found: Option<Found>) -> Option<Found> {
        found.filter(|found| self.options.wants(found.kind))
    }

    /// The value of a name, unless it is a key: that may have further lines.
    fn value(&self, at: usize) -> Option<Found> {
        const HYPHENS: &[u8] = b"-----";
        let found = secret::value(&self.text, at)?;
        let is_key = self.options.wants(Kind::Key)
            && self.text.has(found.start, HYPHENS)
            && key::begin(&self.text, found.start + HYPHENS.len()).is_some();
        (!is_key).then(|| found)
    }

    fn begin_key(&mut self, at: usize) -> Option<Found> {
        let end = key::begin(&self.text, at)?;
        if self.options.wants(Kind::Key) {
            self.open_key(at, end);
        }
        key::inline(&self.text, end)
    }

    fn open_key(&mut self, at: usize, end: usize) {
        self.search.keys.open(&self.text, at, end, !self.search.has_begun);
        self.search.has_begun = true;
    }

    fn end_key(&mut self, at: usize) {
        if key::is_putty(&self.text, at) {
            if self.options.wants(Kind::Key) {
                let end = self.text.over(at, LINES_BYTES, |byte| byte != b'\r' && byte != b'\n');
                self.open_key(at, end);
            }
        } else if key::is_end(&self.text, at) || self.text.has(at, b"Private-MAC: ") {
            self.search.keys.close(&self.text, at);
        }
    }
}
