//! The text as a reader sees it, with its raw bytes: the rules search the former, and the latter are written.

use std::cell::Cell;

use crate::escape::{self, Unit, BACKSPACE};

/// Limit on the places where a view differs from the raw bytes. If there are more, the rest gets another view.
const MOST_EDITS: usize = 24 << 10;

/// What a reader's program makes of a backspace.
#[derive(Clone, Copy, PartialEq)]
pub enum Backspace {
    /// The next letter is printed over the one before, as on terminals.
    Overstrikes,
    /// It is invisible and does nothing, as in editors and browsers.
    Ignored,
}

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
    backspace: Backspace,
    bytes: Vec<u8>,
    edits: Vec<Edit>,
    /// The number of raw bytes that it covers.
    raw_len: usize,
    has_messages: bool,
    /// Whether it shows other letters than it would if backspaces were ignored.
    has_overstrikes: bool,
    /// Whether what stood before the raw bytes, and is gone, ended with a name and its value.
    follows_setting: bool,
    /// The last answer of `count_before`.
    last: Cell<usize>,
}

impl View {
    pub fn new(capacity: usize, backspace: Backspace) -> Self {
        Self {
            backspace,
            bytes: Vec::with_capacity(capacity),
            edits: Vec::with_capacity(MOST_EDITS),
            raw_len: 0,
            has_messages: false,
            has_overstrikes: false,
            follows_setting: false,
            last: Cell::new(0),
        }
    }

    /// The view of bytes that show as they are.
    pub fn of_plain(raw: &[u8]) -> Self {
        Self {
            backspace: Backspace::Overstrikes,
            bytes: Vec::new(),
            edits: Vec::new(),
            raw_len: raw.len(),
            has_messages: false,
            has_overstrikes: false,
            follows_setting: false,
            last: Cell::new(0),
        }
    }

    /// Takes over what another view of the same bytes remembers.
    pub fn follow(&mut self, other: &Self) {
        self.follows_setting = other.follows_setting;
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
        self.has_overstrikes = false;
        let mut at = 0;
        // What is from here to `at` shows as it is.
        let mut plain = 0;
        while self.edits.len() < MOST_EDITS {
            at = escape::next(raw, at);
            if at == raw.len() {
                break;
            }
            let before = match self.backspace {
                Backspace::Ignored => None,
                Backspace::Overstrikes if at > plain => Some(raw[at - 1]),
                Backspace::Overstrikes => self.bytes.last().copied(),
            };
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
                Unit::Overstrike { shown } => self.overstrike(raw, at, shown),
                Unit::Deletion { len } => self.delete(raw, at, len),
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

    pub fn shown_len(&self) -> usize {
        if self.edits.is_empty() {
            self.raw_len
        } else {
            self.bytes.len()
        }
    }

    pub fn has_overstrikes(&self) -> bool {
        self.has_overstrikes
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

    /// The place of the view at which the raw bytes from this one on begin to show.
    pub fn place(&self, raw: usize) -> usize {
        let count = self.edits.partition_point(|edit| (edit.raw as usize) < raw);
        match count.checked_sub(1).map(|index| self.edits[index]) {
            Some(edit) if raw < edit.raw_end() => edit.view as usize,
            Some(edit) => edit.view as usize + usize::from(edit.shown) + (raw - edit.raw_end()),
            None => raw,
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

    /// Moves the raw bytes that show to the front, and drops the others. The view is none of them then.
    ///
    /// Of letters printed over each other, it keeps the first and the last.
    ///
    /// Returns how many bytes are left, and moves the raw places along with their bytes.
    pub fn compact(&mut self, raw: &mut [u8], places: [&mut usize; 3]) -> usize {
        let old = [*places[0], *places[1], *places[2]];
        let (mut to, mut from) = (0, 0);
        for edit in &self.edits {
            let (start, end) = match edit.shown {
                0 => (edit.raw as usize, edit.raw_end()),
                _ if is_overstruck(raw, edit.raw_end()) => (edit.raw as usize + 1, edit.raw_end() - 2),
                _ => continue,
            };
            raw.copy_within(from..start, to);
            to += start - from;
            for index in 0..places.len() {
                *places[index] -= end.min(old[index]) - start.min(old[index]);
            }
            from = end;
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

    fn overstrike(&mut self, raw: &[u8], at: usize, shown: u8) -> usize {
        let edit = match self.edit_of_last(raw, at) {
            Some(edit) => edit,
            None => return self.edit(at, 1, b"", None),
        };
        edit.len += 2;
        if let Some(last) = self.bytes.last_mut() {
            *last = shown;
        }
        self.has_overstrikes = true;
        at + 2
    }

    fn delete(&mut self, raw: &[u8], at: usize, len: usize) -> usize {
        self.has_overstrikes = true;
        let edit = match self.edit_of_last(raw, at) {
            Some(edit) => edit,
            None => return self.edit(at, len, b"", None),
        };
        edit.len += len as u32;
        edit.shown = 0;
        self.bytes.pop();
        at + len
    }

    /// Makes one edit of the letter that shows last and of what is invisible between it and this place.
    ///
    /// There is none if what shows last is an escape, or if a terminal's string stands behind it.
    fn edit_of_last(&mut self, raw: &[u8], at: usize) -> Option<&mut Edit> {
        let (mut from, mut count) = (at, self.edits.len());
        let index = loop {
            match count.checked_sub(1).map(|index| (index, self.edits[index])) {
                Some((index, edit)) if edit.raw_end() == from => {
                    if edit.shown == 1 && is_overstruck(raw, from) {
                        break index;
                    } else if edit.shown > 0 || edit.message.is_some() {
                        return None;
                    }
                    (from, count) = (edit.raw as usize, index);
                }
                _ => break count,
            }
        };
        if index == count {
            let letter = Edit {
                view: self.bytes.len().checked_sub(1)? as u32,
                raw: from.checked_sub(1)? as u32,
                len: 0,
                shown: 1,
                message: None,
            };
            self.edits.truncate(index);
            self.edits.push(letter);
        } else {
            self.edits.truncate(count);
        }
        let edit = &mut self.edits[index];
        edit.len = at as u32 - edit.raw;
        Some(edit)
    }
}

/// Whether what shows and ends at this place is a letter printed over another one. No escape holds a backspace.
fn is_overstruck(raw: &[u8], end: usize) -> bool {
    raw[end - 2] == BACKSPACE
}

impl Edit {
    fn raw_end(&self) -> usize {
        (self.raw + self.len) as usize
    }
}
