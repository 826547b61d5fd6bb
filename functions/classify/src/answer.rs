//! The answer: the labels with the highest scores, as JSON or as a sentence.

use std::fmt::Write;

/// A label with its score, which is from 0 to 1 for most models.
pub struct Found<'a> {
    pub label: &'a str,
    pub score: f32,
}

/// Returns the best labels: at most `top`, with scores of at least `threshold`, the best first. Equal scores
/// keep the labels' order. A threshold of 0 excludes none, since scores without a softmax may be negative.
pub fn best<'a>(labels: &[&'a str], scores: &[f32], top: usize, threshold: f32) -> Vec<Found<'a>> {
    let mut found: Vec<Found> = labels
        .iter()
        .zip(scores)
        .filter(|(_, &score)| threshold == 0.0 || score >= threshold)
        .map(|(&label, &score)| Found { label, score })
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.truncate(top);
    found
}

/// The forms that an answer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Sentence,
}

impl Form {
    /// Returns the form that the caller's `Accept` prefers (RFC 9110, 12.5.1); JSON if it has no preference.
    pub fn accepted(accept: &str) -> Self {
        let sentence = quality(accept, "text/plain");
        let json = quality(accept, "application/json");
        if sentence > json {
            Form::Sentence
        } else {
            Form::Json
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Sentence => "text/plain; charset=utf-8",
        }
    }

    pub fn write(self, model: &str, found: &[Found]) -> String {
        match self {
            Form::Json => json(model, found),
            Form::Sentence => sentence(found),
        }
    }
}

/// Returns the quality, from 0 to 1, of the most specific range that matches this type.
fn quality(accept: &str, wanted: &str) -> f32 {
    let kind = wanted.split('/').next().unwrap_or_default();
    let mut best = (0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let rank = match name.strip_suffix("/*") {
            _ if name == wanted => 3,
            Some(name) if name == kind => 2,
            Some("*") => 1,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        if rank > best.0 {
            best = (rank, quality);
        }
    }
    best.1
}

fn json(model: &str, found: &[Found]) -> String {
    let mut json = String::from("{\"model\": ");
    push_text(&mut json, model);
    json.push_str(", \"labels\": [");
    for (index, Found { label, score }) in found.iter().enumerate() {
        json.push_str(if index == 0 { "{\"label\": " } else { ", {\"label\": " });
        push_text(&mut json, label);
        // The shortest decimal form of a float is also a valid number in JSON.
        let _ = write!(json, ", \"score\": {score}}}");
    }
    json.push_str("]}\n");
    json
}

fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\x1f' => {
                let _ = write!(json, "\\u{:04x}", character as u32);
            }
            _ => json.push(character),
        }
    }
    json.push('"');
}

fn sentence(found: &[Found]) -> String {
    match found.first() {
        None => "The picture shows nothing that the model recognises.\n".into(),
        Some(Found { label, score }) => {
            let certainty = match score {
                score if *score >= 0.8 => "very likely",
                score if *score >= 0.5 => "likely",
                _ => "possibly",
            };
            format!("The picture {certainty} shows {label}.\n")
        }
    }
}
