//! One pass over the text: where a secret may begin, the rules are asked, and what they find is replaced.
//!
//! A rule looks at few places, the beginnings of some words and the signs beside some others (`places`).
//! Of two secrets that overlap, the one whose place comes first counts.

use crate::key::Line;
use crate::kind::{End, Found, Kind};
use crate::options::Options;
use crate::places::Places;
use crate::tail::{Reach, Tail};
use crate::text::Text;
use crate::{card, email, ip, key, secret, token};

pub struct Redactor {
    options: Options,
    counts: [u64; Kind::COUNT],
    /// The secret that went on to the end of what was there.
    open: Option<Tail>,
    block: Block,
}

/// Where in a private key the text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Outside,
    /// On the line that begins it.
    Begun,
    /// At the start of a line that may be part of it.
    Line {
        has_body: bool,
    },
}

/// How far a pass came: all before `scanned` was looked at, and what is before `written` is in the output.
pub struct Progress {
    pub scanned: usize,
    pub written: usize,
}

impl Redactor {
    pub fn new(options: Options) -> Self {
        Self { options, counts: [0; Kind::COUNT], open: None, block: Block::Outside }
    }

    /// Looks at the places from `from` to `to`, and adds to `output` what is before the last secret's end.
    ///
    /// No place before `to` may be nearer than `AHEAD` to the end of `bytes`, unless a line or the input ends there.
    pub fn pass(&mut self, bytes: &[u8], from: usize, to: usize, output: &mut Vec<u8>) -> Progress {
        let mut text = Text { bytes, floor: 0 };
        let mut at = from;
        if let Some(tail) = self.open {
            self.follow(tail, &mut text, from);
            at = text.floor;
        }
        let mut places = Places::new(bytes, at);
        while at < to && self.open.is_none() {
            if let Block::Line { has_body } = self.block {
                if self.line(&mut text, at, has_body, output) {
                    at = text.floor;
                    continue;
                }
            }
            // What follows a secret may be one too, whatever the secret ended with.
            let place = if at == text.floor { Some(at) } else { places.next(at, to) };
            at = match place {
                Some(place) => match self.look(&text, place) {
                    Some(found) => self.replace(found, &mut text, output),
                    None => place + 1,
                },
                None => to,
            };
        }
        Progress { scanned: at, written: text.floor }
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
    fn look(&mut self, text: &Text, at: usize) -> Option<Found> {
        let found = match text.bytes[at] {
            b'@' | b'%' => email::find(text, at),
            b'=' => secret::value(text, at),
            b':' => secret::userinfo(text, at)
                .or_else(|| self.wanted(ip::v6(text, at)))
                .or_else(|| secret::value(text, at)),
            b'0'..=b'9' => self.wanted(ip::v4(text, at)).or_else(|| card::find(text, at)),
            b'\n' => {
                if self.block == Block::Begun {
                    self.block = Block::Line { has_body: false };
                }
                None
            }
            b'B' => self.begin_block(text, at).or_else(|| token::find(text, at)),
            _ => token::find(text, at),
        };
        self.wanted(found)
    }

    fn wanted(&self, found: Option<Found>) -> Option<Found> {
        found.filter(|found| self.options.wants(found.kind))
    }

    fn begin_block(&mut self, text: &Text, at: usize) -> Option<Found> {
        let end = key::begin(text, at)?;
        if self.options.wants(Kind::Key) {
            self.block = Block::Begun;
        }
        key::inline(text, end)
    }

    /// Deals with the line that begins at `at`; says whether it was part of a key.
    fn line(&mut self, text: &mut Text, at: usize, has_body: bool, output: &mut Vec<u8>) -> bool {
        match key::line(text, at, has_body) {
            Line::Body { end, next } => {
                // One mark stands for all lines.
                if !has_body {
                    self.replace(Found::new(Kind::Key, at, end), text, output);
                    output.extend_from_slice(&text.bytes[end..next]);
                }
                text.floor = next;
                self.block = Block::Line { has_body: true };
                true
            }
            Line::Head => {
                self.block = Block::Begun;
                false
            }
            Line::Other => {
                self.block = Block::Outside;
                false
            }
        }
    }

    /// Writes what is before the secret, and its mark; gives the place from which to go on.
    fn replace(&mut self, found: Found, text: &mut Text, output: &mut Vec<u8>) -> usize {
        output.extend_from_slice(&text.bytes[text.floor..found.start]);
        output.extend_from_slice(self.options.mark(found.kind));
        self.counts[found.kind as usize] += 1;
        match found.end {
            End::At(end) => text.floor = end,
            End::Open { from, tail } => self.follow(tail, text, from),
        }
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
