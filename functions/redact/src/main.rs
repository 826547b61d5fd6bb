//! A text on standard input, the same text with its secrets replaced on standard output, as it comes.
//!
//! What lines are complete after a read are written before the next one; the last waits for its end.
//! Any bytes will do, and those that are no secret stay as they are. No secret goes over the end of a line,
//! but for keys. A line of any length costs the same memory, and secrets of any length in it are found
//! wherever they lie.
//!
//! What is replaced, by a mark such as `[email]`:
//!
//! - `email`: addresses, also with `%40`, of letters of any alphabet of two UTF-8 bytes a letter. Not
//!   without a dot behind the `@`, and not files such as `icon@2x.png`.
//! - `ip`: IPv4 with four numbers and no more, so that 1.2.3.4.5 is a version, as are Chrome/120.0.0.0 and
//!   v1.2.3.4; IPv6 with a digit in it, whatever its form. Not 0.0.0.0 and ::, which say nothing, and no
//!   times and MAC addresses. A version of four numbers that nothing tells from an address is taken for one.
//! - `card`: 13 to 19 digits with a right check digit whose first is 2 to 6, in one piece or grouped as on cards.
//! - `token`: what follows `Authorization:`, `Bearer` and `Basic`; JWTs; the keys of AWS, GitHub, GitLab,
//!   Google, Hugging Face, npm, OpenAI, Slack and Stripe by their prefixes.
//! - `secret`: what follows `password`, `api_key`, `client_secret`, `access_token` and the like (`secret::NAMES`)
//!   with = or : in between, plain, quoted, in JSON, in JSON in JSON and in queries; the user and password
//!   of a URL, up to 4,000 bytes of it. A value without quotes ends at white space and at any of `"'<>&,;)]}|`.
//! - `key`: the lines of a private key in PEM or PGP's form, also in one line.
//!
//! Not found: what stands on the line after its name, in XML, in a cookie, in lists and objects, after a
//! name and a space alone (`--password x`), behind percent-encoding, in compressed or encoded data.
//!
//! Wrong options are refused with exit code 65 and one sentence on standard error. At the end one line there
//! says how many were replaced, if any.

mod card;
mod email;
mod escape;
mod failure;
mod ip;
mod key;
mod kind;
mod options;
mod output;
mod places;
mod redactor;
mod secret;
mod stream;
mod tail;
mod text;
mod token;
mod view;

use std::io;

use failure::Failure;
use options::Options;
use redactor::Redactor;

fn main() {
    match run() {
        Ok(Some(summary)) => eprintln!("{summary}"),
        Ok(None) => {}
        Err(failure) => failure.exit(),
    }
}

fn run() -> Result<Option<String>, Failure> {
    let mut redactor = Redactor::new(Options::from_environment()?);
    stream::redact(&mut redactor, io::stdin().lock(), io::stdout().lock()).map_err(Failure::Stream)?;
    Ok(redactor.summary())
}
