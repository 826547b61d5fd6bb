//! The text as a reader sees it, with its raw bytes: the rules search the former, and the latter are written.

use std::cell::Cell;

use crate::escape::{self, Unit};

/// Limit on the places where a view differs from the raw bytes. If there are more, the rest gets another view.
const MOST_EDITS: usize = 24 << 10;

/// Where `shown` bytes of the view stand for `len` raw ones.
#[derive(Clone, Copy)]
struct Edit {
    view: u32,
    raw: u32,
    len: u32,
    shown: u8,
    /// Whether it is a terminal's string, whose text is from `from` to `to` in it.
    message: Option<(u16, u16)>,
}

/// A view of some raw bytes, or of their beginning.
pub struct View {
    bytes: Vec<u8>,
    edits: Vec<Edit>,
    /// The number of raw bytes that it covers.
    raw_len: usize,
    has_messages: bool,
    /// Whether what stood before the raw bytes, and is gone, ended with a name and its value.
    follows_setting: bool,
    /// The last answer of `count_before`.
    last: Cell<usize>,
}

impl View {
    pub fn new(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            edits: Vec::with_capacity(MOST_EDITS),
            raw_len: 0,
            has_messages: false,
            follows_setting: false,
            last: Cell::new(0),
        }
    }

    /// The view of bytes that show as they are.
    pub fn of_plain(raw: &[u8]) -> Self {
        Self {
            bytes: Vec::new(),
            edits: Vec::new(),
            raw_len: raw.len(),
            has_messages: false,
            follows_setting: false,
            last: Cell::new(0),
        }
    }

    /// Remembers what it takes to show the raw bytes from `place` on alone.
    pub fn leave(&mut self, raw: &[u8], place: usize) {
        self.follows_setting = escape::is_behind_setting(raw, place, self.follows_setting);
    }

    /// Shows these bytes, if `is_whole` to their end, which is that of a line or of the input.
    ///
    /// Else as far as it is known how they show. Also else where there is too much that differs.
    pub fn show(&mut self, raw: &[u8], is_whole: bool) {
        self.bytes.clear();
        self.edits.clear();
        self.last.set(0);
        self.has_messages = false;
        let mut at = 0;
        // What is from here to `at` shows as it is.
        let mut plain = 0;
        while self.edits.len() < MOST_EDITS {
            at = escape::next(raw, at);
            if at == raw.len() {
                break;
            }
            let before = if at > plain { Some(raw[at - 1]) } else { self.bytes.last().copied() };
            let unit = escape::unit(raw, at, before, is_whole, self.follows_setting);
            match unit {
                Unit::Plain { len } => {
                    at += len;
                    continue;
                }
                Unit::Partial => break,
                _ => self.bytes.extend_from_slice(&raw[plain..at]),
            }
            at = match unit {
                Unit::Hidden { len } => self.edit(at, len, b"", None),
                Unit::Shown { len, shown } => self.edit(at, len, shown, None),
                Unit::Message { len, from, to } => {
                    self.has_messages = true;
                    self.edit(at, len, b"", Some(((from - at) as u16, (to - at) as u16)))
                }
                Unit::Overstrike { shown } => self.overstrike(at, shown),
                Unit::Plain { .. } | Unit::Partial => at,
            };
            plain = at;
        }
        if !self.edits.is_empty() {
            self.bytes.extend_from_slice(&raw[plain..at]);
        }
        self.raw_len = at;
    }

    /// The bytes of the view of these raw ones.
    pub fn bytes<'a>(&'a self, raw: &'a [u8]) -> &'a [u8] {
        if self.edits.is_empty() {
            &raw[..self.raw_len]
        } else {
            &self.bytes
        }
    }

    pub fn raw_len(&self) -> usize {
        self.raw_len
    }

    /// The raw place behind all that shows before this one: what is invisible there lies behind it.
    pub fn raw_end(&self, place: usize) -> usize {
        let (behind, edit) = self.edit_before(place);
        match edit {
            Some(edit) if place < behind => edit.raw_end(),
            Some(edit) => edit.raw_end() + (place - behind),
            None => place,
        }
    }

    /// The raw place at which the byte of the view begins to show: what is invisible there lies before it.
    pub fn raw_start(&self, place: usize) -> usize {
        let (behind, edit) = self.edit_before(place);
        match edit {
            Some(edit) if place < behind => edit.raw as usize,
            _ => {
                let next = self.count_before(place);
                self.edits[next..]
                    .iter()
                    .take_while(|edit| edit.view as usize == place && edit.shown == 0)
                    .last()
                    .map_or_else(|| self.raw_end(place), Edit::raw_end)
            }
        }
    }

    /// The texts of the terminal's strings between two raw places, in their order.
    pub fn messages(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let edits = if self.has_messages { &self.edits[..] } else { &[] };
        let first = edits.partition_point(|edit| (edit.raw as usize) < from);
        edits[first..].iter().take_while(move |edit| edit.raw_end() <= to).filter_map(|edit| {
            let (from, to) = edit.message?;
            Some((edit.raw as usize + usize::from(from), edit.raw as usize + usize::from(to)))
        })
    }

    /// Moves the raw bytes that show to the front; gives how many there are. The view is none of them then.
    pub fn compact(&mut self, raw: &mut [u8]) -> usize {
        let (mut to, mut from) = (0, 0);
        for edit in self.edits.iter().filter(|edit| edit.shown == 0) {
            let start = edit.raw as usize;
            raw.copy_within(from..start, to);
            to += start - from;
            from = edit.raw_end();
        }
        raw.copy_within(from..self.raw_len, to);
        to += self.raw_len - from;
        self.edits.clear();
        to
    }

    /// The last edit that begins before this place, and the place behind what it shows.
    fn edit_before(&self, place: usize) -> (usize, Option<Edit>) {
        let count = self.count_before(place);
        let edit = count.checked_sub(1).map(|index| self.edits[index]);
        (edit.map_or(0, |edit| edit.view as usize + usize::from(edit.shown)), edit)
    }

    /// How many edits begin before this place. It is asked for places in their order, most of them near the last.
    fn count_before(&self, place: usize) -> usize {
        const STEPS: usize = 8;
        let is_before = |edit: &Edit| (edit.view as usize) < place;
        let last = self.last.get().min(self.edits.len());
        let is_behind_last = last == 0 || is_before(&self.edits[last - 1]);
        let near = self.edits[last..].iter().take(STEPS).take_while(|edit| is_before(edit)).count();
        let count =
            if is_behind_last && near < STEPS { last + near } else { self.edits.partition_point(is_before) };
        self.last.set(count);
        count
    }

    fn edit(&mut self, raw: usize, len: usize, shown: &[u8], message: Option<(u16, u16)>) -> usize {
        let is_hidden = shown.is_empty() && message.is_none();
        match self.edits.last_mut() {
            Some(last) if is_hidden && last.shown == 0 && last.message.is_none() && last.raw_end() == raw => {
                last.len += len as u32;
            }
            _ => self.edits.push(Edit {
                view: self.bytes.len() as u32,
                raw: raw as u32,
                len: len as u32,
                shown: shown.len() as u8,
                message,
            }),
        }
        self.bytes.extend_from_slice(shown);
        raw + len
    }

    fn overstrike(&mut self, at: usize, shown: u8) -> usize {
        let place = self.bytes.len() - 1;
        match self.edits.last_mut() {
            Some(last) if last.raw_end() == at && last.shown == 1 => last.len += 2,
            // Something invisible stands between the two letters.
            Some(last) if last.raw_end() == at => return self.edit(at, 1, b"", None),
            _ => self.edits.push(Edit {
                view: place as u32,
                raw: at as u32 - 1,
                len: 3,
                shown: 1,
                message: None,
            }),
        }
        self.bytes[place] = shown;
        at + 2
    }
}

impl Edit {
    fn raw_end(&self) -> usize {
        (self.raw + self.len) as usize
    }
}
