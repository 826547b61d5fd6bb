//! Finds the end of a secret of any length.

use crate::escape::SOFT_LINE_END;

/// The rest of a secret, which may have any length but ends with its line.
#[derive(Clone, Copy)]
pub enum Tail {
    /// These bytes, except for dots at the end, which belong to the sentence.
    Run(fn(u8) -> bool),
    /// A value without quotes.
    Bare,
    /// A value between quotes. In JSON within JSON, each of the quotes has `level` backslashes before it.
    Quoted { quote: u8, level: usize },
    /// A header's value: up to the end of the line, or to a quote around the header.
    Header,
}

pub enum Reach {
    End(usize),
    /// It goes on beyond the text; what is before this place is part of it.
    Beyond(usize),
}

/// Of bytes that wait for those behind them no more than these are held back, where nothing else came.
const UNDECIDED_BYTES: usize = 4096;

impl Tail {
    /// How far a secret goes of which all before `from` is known.
    pub fn reach(self, bytes: &[u8], from: usize) -> Reach {
        if let Some(end) = (from..bytes.len()).find_map(|at| self.end_told(bytes, from, at)) {
            return Reach::End(end);
        }
        let undecided = match self {
            Tail::Run(_) => b'.',
            Tail::Bare | Tail::Quoted { .. } | Tail::Header => b'\\',
        };
        match count_before(bytes, from, bytes.len(), undecided) {
            count if count == bytes.len() - from && count > UNDECIDED_BYTES => Reach::Beyond(bytes.len()),
            count => Reach::Beyond(bytes.len() - count),
        }
    }

    /// Whether a value without quotes ends with this byte.
    pub fn ends_with(self, byte: u8) -> bool {
        matches!(self, Tail::Bare) && ends_bare(byte)
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(self, bytes: &[u8], from: usize) -> bool {
        let telling = match self {
            Tail::Run(_) | Tail::Bare | Tail::Header => from,
            Tail::Quoted { level, .. } => from + level,
        };
        let end = (from..bytes.len().min(telling + 1)).find_map(|at| self.end_told(bytes, from, at));
        from >= bytes.len() || end == Some(from)
    }

    /// The end, if the byte here tells it.
    fn end_told(self, bytes: &[u8], from: usize, at: usize) -> Option<usize> {
        let byte = bytes[at];
        match self {
            Tail::Run(is_part) => (!is_part(byte)).then(|| at - count_before(bytes, from, at, b'.')),
            Tail::Bare => {
                // Of other escapes the view shows what they stand for.
                let is_escape = || matches!(bytes.get(at + 1), Some(&(SOFT_LINE_END | b'u' | b'"' | b'\'')));
                (ends_bare(byte) || byte == b'\\' && is_escape()).then_some(at)
            }
            Tail::Header => {
                let is_end = matches!(byte, b'\n' | b'\r' | SOFT_LINE_END)
                    || matches!(byte, b'"' | b'\'') && count_before(bytes, from, at, b'=') == 0;
                is_end.then(|| at - count_before(bytes, from, at, b'\\'))
            }
            Tail::Quoted { .. } if byte == b'\n' => Some(at),
            Tail::Quoted { quote, level } => {
                if byte != quote {
                    return None;
                }
                // A level of JSON doubles the backslashes and adds one for the quote.
                let count = count_before(bytes, from, at, b'\\');
                let is_closing = count.saturating_sub(level) / (level + 1) % 2 == 0;
                is_closing.then(|| at - count.min(level))
            }
        }
    }
}

fn count_before(bytes: &[u8], from: usize, at: usize, counted: u8) -> usize {
    bytes[from..at].iter().rev().take_while(|&&byte| byte == counted).count()
}

fn ends_bare(byte: u8) -> bool {
    byte <= b' '
        || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'&' | b',' | b';' | b')' | b']' | b'}' | b'|')
}
