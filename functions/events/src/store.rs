//! The history in a state store of Dapr, under one key.
//!
//! Each change is a read and a write that succeeds only if nobody else has written in between (the key's etag,
//! with first-write concurrency). Otherwise the change is made again, to what the other has written.

use std::env;

use serde_json::{json, Value};

use crate::dapr::{self, Error};
use crate::failure::Failure;
use crate::history::History;

const KEY: &str = "events";
/// Each attempt fails only because another one has succeeded. On one server there is one at a time, so this is the
/// number of other servers that may write in between.
const ATTEMPTS: usize = 32;

pub struct Store {
    name: String,
}

struct Stored {
    value: Vec<u8>,
    /// Empty if there is no value.
    etag: String,
}

impl Store {
    /// The store that `STORE` names.
    pub fn from_environment() -> Result<Self, Failure> {
        match env::var("STORE") {
            Ok(name) if !name.is_empty() => Ok(Store { name }),
            _ => Err(Failure::Misconfigured("STORE is not set; expected the name of a state store".into())),
        }
    }

    pub fn read(&self) -> Result<History, Failure> {
        self.history(&self.get()?)
    }

    /// Changes the history. `change` is called again if another writer was faster.
    pub fn update(&self, change: impl Fn(&mut History)) -> Result<(), Failure> {
        self.write(|stored| {
            let mut history = self.history(stored)?;
            change(&mut history);
            Ok(history)
        })
    }

    /// Replaces the history by an empty one, whatever is under its key.
    pub fn clear(&self) -> Result<(), Failure> {
        self.write(|_| Ok(History::default()))
    }

    fn write(&self, change: impl Fn(&Stored) -> Result<History, Failure>) -> Result<(), Failure> {
        for _ in 0..ATTEMPTS {
            let stored = self.get()?;
            match self.save(&change(&stored)?, &stored.etag) {
                Ok(()) => return Ok(()),
                Err(Error::Conflict) => {}
                // For the first value of a key, Redis doesn't say that somebody else was faster.
                Err(Error::Failed(_)) if stored.etag.is_empty() && !self.get()?.etag.is_empty() => {}
                Err(Error::Failed(cause)) => return Err(self.unavailable(&cause)),
            }
        }
        Err(self.unavailable(&format!("others have changed '{KEY}' {ATTEMPTS} times in between")))
    }

    fn history(&self, stored: &Stored) -> Result<History, Failure> {
        if stored.etag.is_empty() {
            return Ok(History::default());
        }
        History::read(&stored.value).ok_or_else(|| {
            let name = &self.name;
            Failure::Misconfigured(format!(
                "the key '{KEY}' in the state store '{name}' has something else; expected events (init replaces it)"
            ))
        })
    }

    fn get(&self) -> Result<Stored, Failure> {
        let response = match dapr::call("GetState", &json!({ "storeName": self.name, "key": KEY })) {
            Ok(response) => response,
            Err(Error::Conflict) => return Err(self.unavailable("the read was refused")),
            Err(Error::Failed(cause)) => return Err(self.unavailable(&cause)),
        };
        let text = |name: &str| response.get(name).and_then(Value::as_str).unwrap_or_default();
        let value = base64::decode(text("data")).map_err(|error| self.unavailable(&error.to_string()))?;
        Ok(Stored { value, etag: text("etag").into() })
    }

    fn save(&self, history: &History, etag: &str) -> Result<(), Error> {
        let mut item = json!({
            "key": KEY,
            "value": base64::encode(history.to_json().to_string()),
            "options": { "concurrency": "CONCURRENCY_FIRST_WRITE" },
        });
        if !etag.is_empty() {
            item["etag"] = json!({ "value": etag });
        }
        dapr::call("SaveState", &json!({ "storeName": self.name, "states": [item] })).map(drop)
    }

    fn unavailable(&self, cause: &str) -> Failure {
        Failure::Unavailable(format!("the state store '{}' can't be used: {cause}", self.name))
    }
}
