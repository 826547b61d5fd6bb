//! Writes the text with a mark in place of each secret, and counts them.
//!
//! The text has one or two readings (`reading`), and each is searched independently. Whatever either search finds
//! is replaced. If their finds overlap, one mark replaces them all.

use std::io::Write;

use crate::kind::Kind;
use crate::options::Options;
use crate::output::Output;
use crate::reading::Readings;
use crate::search::{Hit, Search};
use crate::view::View;

pub struct Redactor {
    options: Options,
    counts: [u64; Kind::COUNT],
}

/// Writes raw bytes: all before `at` are already written, or belong to a secret.
struct Copy<'a, W> {
    options: &'a Options,
    counts: &'a mut [u64; Kind::COUNT],
    raw: &'a [u8],
    view: &'a View,
    at: usize,
    output: &'a mut Output<W>,
}

impl Redactor {
    pub fn new(options: Options) -> Self {
        Self { options, counts: [0; Kind::COUNT] }
    }

    /// Searches the readings as far as their `to`, and writes what is before the last secret's end.
    ///
    /// All raw bytes before `written` are in the output already, or belong to a secret. Returns the place before
    /// which they do now.
    pub fn pass<W: Write>(
        &mut self,
        raw: &[u8],
        readings: &mut Readings,
        written: usize,
        output: &mut Output<W>,
    ) -> usize {
        let (options, counts) = (&self.options, &mut self.counts);
        let (main, other) = readings.both();
        let view = &main.view;
        let mut copy = Copy { options, counts, raw, view, at: written, output };
        let mut hits = main.search.pass(options, raw, view, main.to);
        let mut other_hits = other.map(|other| other.search.pass(options, raw, &other.view, other.to));
        let mut other_hit = other_hits.as_mut().and_then(Iterator::next);
        loop {
            let hit = hits.next();
            let start = hit.as_ref().map_or(usize::MAX, |hit| hit.start);
            while let Some(earlier) = other_hit.take() {
                if earlier.start >= start {
                    other_hit = Some(earlier);
                    break;
                }
                copy.replace(earlier);
                other_hit = other_hits.as_mut().and_then(Iterator::next);
            }
            match hit {
                Some(hit) => copy.replace(hit),
                None => return copy.at,
            }
        }
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
        let (options, counts) = (&self.options, &mut self.counts);
        Copy { options, counts, raw, view, at: from, output }.up_to(to);
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
}

impl<W: Write> Copy<'_, W> {
    /// Writes what is before the secret, and its mark.
    fn replace(&mut self, hit: Hit) {
        // Otherwise it overlaps what the other search found, and has its mark already.
        if hit.start >= self.at {
            self.up_to(hit.start);
            if let Some(kind) = hit.mark {
                self.output.push(self.options.mark(kind));
                self.counts[kind as usize] += u64::from(hit.is_counted);
            }
        }
        self.at = hit.end.max(self.at);
    }

    /// Writes the raw bytes before this place.
    fn up_to(&mut self, to: usize) {
        let view = self.view;
        for (start, end) in view.messages(self.at, to) {
            self.output.push(&self.raw[self.at..start]);
            self.message(&self.raw[start..end]);
            self.at = end;
        }
        self.output.push(&self.raw[self.at..to]);
        self.at = to;
    }

    /// Writes such a string's text without its secrets: whatever is open around it goes on behind it.
    fn message(&mut self, raw: &[u8]) {
        let view = View::of_plain(raw);
        let mut search = Search::default();
        let mut copy =
            Copy { options: self.options, counts: self.counts, raw, view: &view, at: 0, output: self.output };
        for hit in search.pass(self.options, raw, &view, raw.len()) {
            copy.replace(hit);
        }
        copy.up_to(raw.len());
    }
}
