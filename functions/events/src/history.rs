//! The last events, and the number of events of each kind.

use serde_json::{json, Map, Value};

use crate::event::Event;

/// Number of events that are kept.
const KEPT: usize = 100;
/// Number of kinds that are counted apart. Events of any further kind count as `other`.
const KINDS: usize = 100;
const OTHER: &str = "other";

/// It is stored as it is shown: `{"events": [...], "counts": {...}}`, with the newest event first.
#[derive(Default)]
pub struct History {
    events: Vec<Value>,
    counts: Map<String, Value>,
}

impl History {
    /// Reads what `to_json` has written. Returns `None` for anything else.
    pub fn read(stored: &[u8]) -> Option<Self> {
        let mut members: Map<String, Value> = serde_json::from_slice(stored).ok()?;
        match (members.remove("events"), members.remove("counts")) {
            (Some(Value::Array(events)), Some(Value::Object(counts))) => Some(History { events, counts }),
            _ => None,
        }
    }

    pub fn to_json(&self) -> Value {
        json!({ "events": self.events, "counts": self.counts })
    }

    pub fn add(&mut self, event: &Event) {
        let id = self.counts.values().filter_map(Value::as_u64).sum::<u64>() + 1;
        self.events.insert(
            0,
            json!({
                "event_id": id,
                "event_ts": event.time_ms,
                "op_type": event.kind,
                "input_size": event.input_size,
                "output_size": event.output_size,
                "duration_ms": event.duration_ms,
            }),
        );
        self.events.truncate(KEPT);

        let is_known = self.counts.contains_key(&event.kind) || self.counts.len() < KINDS;
        let kind = if is_known { &event.kind } else { OTHER };
        let count = self.counts.get(kind).and_then(Value::as_u64).unwrap_or_default();
        self.counts.insert(kind.into(), json!(count + 1));
    }
}
