//! A text on standard input, the same text with its secrets replaced on standard output, as it comes.
//!
//! What lines are complete after a read are written before the next one; the last waits for its end.
//! Any bytes will do, and those that are no secret stay as they are. No secret goes over the end of a line,
//! but for keys. A line of any length costs the same memory, and secrets of any length in it are found
//! wherever they lie.
//!
//! The rules look at the text as a reader sees it (`view`, `escape`). What doesn't show hides no secret: terminals'
//! control sequences, in UTF-8 or escaped as in JSON, by `cat -v` and by rsyslog; characters of no width; control
//! characters; overstriking. JSON's escapes count as what they stand for, other blanks and full-width signs as
//! their ASCII forms. All of it is written as it came, but for what lies in a secret. The links and titles of
//! terminals are searched on their own. Where a line shows less than 16 KiB of 256, the rest is dropped.
//!
//! What is replaced, by a mark such as `[email]`:
//!
//! - `email`: addresses, also with `%40`, of letters of any alphabet of two UTF-8 bytes a letter. Not
//!   without a dot behind the `@`, not `git@…`, and not files, units and versions such as `icon@2x.png`,
//!   `user@1000.service` and `a@1.2.3-rc.x`.
//! - `ip`: IPv4 with four numbers and no more, so that 1.2.3.4.5 is a version, as are Chrome/120.0.0.0,
//!   v1.2.3.4 and any behind `version`, `ver`, `build` or `firmware`; IPv6 with a digit in it, whatever its form.
//!   Not 0.0.0.0 and ::, which say nothing, and no times and MAC addresses. A version of four numbers that nothing
//!   tells from an address is taken for one.
//! - `card`: 13 to 19 digits with a right check digit that begin with 22 to 69, in one piece or grouped as on cards.
//! - `token`: what follows `Authorization:`, `Bearer` and `Basic`; cookies in headers; JWTs; the keys of age, AWS,
//!   GitHub, GitLab, Google, Hugging Face, npm, OpenAI, Slack and Stripe by their prefixes.
//! - `secret`: what follows `password`, `api_key`, `client_secret`, `access_token` and the like (`secret::NAMES`)
//!   with = or : in between, plain, quoted, in JSON, in JSON in JSON and in queries; the user and password
//!   of a URL, up to 4,000 bytes of it. A value without quotes ends at white space and at any of `"'<>&,;)]}|`.
//!   Not folders (`PWD=/x`), `PASS:` of tests, signals (`sig=9`), variables (`${NAME}`) and users of ssh.
//! - `key`: the lines of a private key in PEM, SSH2, PGP or PuTTY's form, also in one line or in JSON; with what
//!   a log writes around each line, as `web-1  | ` and a time; with lines of others between them, up to 200 in a
//!   row; up to four keys at a time. While a key's end has not come, any run of 40 bytes of base64 counts as its.
//!
//! Not found: what stands on the line after its name, in XML, in lists and objects but for headers, after
//! a name and a space alone (`--password x`), behind percent-encoding, in compressed or encoded data; what moves
//! the cursor of a terminal so that letters stand elsewhere than in the text.
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
