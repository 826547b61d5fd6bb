//! The kinds of secrets.

use crate::tail::Tail;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Email,
    Ip,
    Card,
    Token,
    Secret,
    Key,
}

impl Kind {
    pub const COUNT: usize = 6;
    pub const ALL: [Kind; Kind::COUNT] =
        [Kind::Email, Kind::Ip, Kind::Card, Kind::Token, Kind::Secret, Kind::Key];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Email => "email",
            Kind::Ip => "ip",
            Kind::Card => "card",
            Kind::Token => "token",
            Kind::Secret => "secret",
            Kind::Key => "key",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A secret that a rule has found.
pub struct Found {
    pub kind: Kind,
    pub start: usize,
    pub end: End,
}

/// The end of a secret: a known place, or the end of the tail that begins at a place.
pub enum End {
    At(usize),
    Open { from: usize, tail: Tail },
}

impl Found {
    pub fn new(kind: Kind, start: usize, end: usize) -> Self {
        Self { kind, start, end: End::At(end) }
    }

    /// One whose end may lie anywhere, also beyond what has been read.
    pub fn open(kind: Kind, start: usize, from: usize, tail: Tail) -> Self {
        Self { kind, start, end: End::Open { from, tail } }
    }
}
