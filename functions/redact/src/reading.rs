//! The two readings of a text with backspaces, each with the state of its search.
//!
//! `s`, backspace, `s` is one bold letter on a terminal, and two letters in a program that ignores backspaces. A
//! secret may be visible in only one of these readings, so both are searched. Text without such a backspace has
//! one reading; the second is added where one comes, and dropped at the end of a line that leaves no key open.

use crate::search::Search;
use crate::text::AHEAD;
use crate::view::{Backspace, View};

/// If less than this is visible in a full buffer, the invisible bytes are dropped: they could hide a secret.
const SHOWN_LEAST_BYTES: usize = 4 * AHEAD;

/// One reading of the bytes in the buffer.
pub struct Reading {
    pub view: View,
    pub search: Search,
    /// All places of the view before this one can be searched.
    pub to: usize,
}

pub struct Readings {
    /// What a terminal shows.
    pub main: Reading,
    /// What shows if backspaces are ignored. Only used while `is_ambiguous`.
    other: Reading,
    is_ambiguous: bool,
}

impl Reading {
    fn new(capacity: usize, backspace: Backspace) -> Self {
        Self { view: View::new(capacity, backspace), search: Search::default(), to: 0 }
    }

    /// The raw place behind all that its search no longer needs.
    fn raw_done(&self) -> usize {
        self.view.raw_end(self.search.done(self.to))
    }

    fn leave(&mut self, raw: &[u8], raw_place: usize) {
        self.search.leave(self.view.place(raw_place));
        self.view.leave(raw, raw_place);
    }
}

impl Readings {
    pub fn new(capacity: usize) -> Self {
        Self {
            main: Reading::new(capacity, Backspace::Overstrikes),
            other: Reading::new(capacity, Backspace::Ignored),
            is_ambiguous: false,
        }
    }

    /// Shows these bytes, if `ends_line` to their end, which is that of a line or of the input.
    ///
    /// Returns whether all of them can be searched.
    pub fn show(&mut self, raw: &[u8], ends_line: bool) -> bool {
        self.main.view.show(raw, ends_line);
        if self.main.view.has_overstrikes() && !self.is_ambiguous {
            self.is_ambiguous = true;
            self.other.search = self.main.search.clone();
            self.other.view.follow(&self.main.view);
        }
        if self.is_ambiguous {
            self.other.view.show(raw, ends_line);
        }

        let is_whole = ends_line && self.all().all(|reading| reading.view.raw_len() == raw.len());
        let limit = |view: &View| {
            let shown = view.shown_len();
            if is_whole {
                shown
            } else {
                shown.saturating_sub(AHEAD)
            }
        };
        let raw_to =
            self.all().map(|Reading { view, .. }| view.raw_start(limit(view))).min().unwrap_or_default();
        let (main, other) = self.both();
        for Reading { view, to, .. } in std::iter::once(main).chain(other) {
            *to = if is_whole { view.shown_len() } else { view.place(raw_to) };
        }
        is_whole
    }

    /// Whether so little of the bytes is visible that the invisible ones must be dropped.
    pub fn is_sparse(&self) -> bool {
        self.all().any(|reading| reading.to < SHOWN_LEAST_BYTES - AHEAD)
    }

    /// Drops the invisible bytes of these, which are all that the main reading shows; returns how many are left.
    ///
    /// `written` is a place among them, and stays where it was in the text.
    pub fn compact(&mut self, raw: &mut [u8], written: &mut usize) -> usize {
        let Reading { view, search, .. } = &mut self.other;
        let (mut scanned, mut floor) = (0, 0);
        if self.is_ambiguous {
            (scanned, floor) = (view.raw_end(search.scanned), view.raw_end(search.floor));
        }
        let kept = self.main.view.compact(raw, [written, &mut scanned, &mut floor]);
        // The main reading shows the same as before, but the other one has lost overprinted letters.
        if self.is_ambiguous {
            view.show(&raw[..kept], false);
            (search.scanned, search.floor) = (view.place(scanned), view.place(floor));
        }
        kept
    }

    /// The main reading, and the other one if there are two.
    pub fn both(&mut self) -> (&mut Reading, Option<&mut Reading>) {
        (&mut self.main, Some(&mut self.other).filter(|_| self.is_ambiguous))
    }

    /// The raw place behind all that no search needs any more.
    pub fn raw_done(&self) -> usize {
        self.all().map(Reading::raw_done).min().unwrap_or_default()
    }

    /// Forgets the raw bytes before this place.
    pub fn leave(&mut self, raw: &[u8], raw_place: usize) {
        let (main, other) = self.both();
        main.leave(raw, raw_place);
        if let Some(other) = other {
            other.leave(raw, raw_place);
        }
    }

    /// Drops the second reading at the end of a line, unless a key is open in either.
    pub fn end_line(&mut self) {
        let is_over = self.all().all(|reading| reading.search.is_idle());
        self.is_ambiguous &= !is_over;
    }

    fn all(&self) -> impl Iterator<Item = &Reading> {
        std::iter::once(&self.main).chain(Some(&self.other).filter(|_| self.is_ambiguous))
    }
}
