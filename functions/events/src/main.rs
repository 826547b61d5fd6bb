//! Keeps what functions report that they did, in a state store of Dapr.
//!
//! The methods, as in the events service of the original demo:
//!
//! - `create_event` adds the event in the body (`event`), and answers `{"status":true}`.
//! - `events` answers with the last events, newest first, and with the number of events of each kind since
//!   `init` (`history`).
//! - `init` removes all events, and answers `{"status":true}`.
//!
//! A bad event is rejected with exit code 65 and one sentence on standard error.

mod dapr;
mod event;
mod failure;
mod history;
mod store;

use std::env;
use std::io::{self, Read, Write};

use serde_json::json;

use event::Event;
use failure::Failure;
use store::Store;

fn main() {
    if let Err(failure) = run() {
        failure.exit();
    }
}

fn run() -> Result<(), Failure> {
    let store = Store::from_environment()?;
    let done = json!({ "status": true });
    let answer = match method().as_str() {
        "create_event" => {
            let event = Event::read(&body()?)?;
            store.update(|history| history.add(&event))?;
            done
        }
        "events" => store.read()?.to_json(),
        "init" => {
            store.clear()?;
            done
        }
        other => {
            let sentence = format!("'{other}' is not a method; expected create_event, events or init");
            return Err(Failure::Rejected(sentence));
        }
    };
    write!(io::stdout(), "Content-Type: application/json\n\n{answer}\n").map_err(Failure::Stream)
}

/// The method, which the host passes as a path.
fn method() -> String {
    env::var("SCRIPT_NAME").unwrap_or_default().trim_start_matches('/').into()
}

fn body() -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body).map_err(Failure::Stream)?;
    Ok(body)
}
