//! Copies text from standard input to standard output, and replaces the secrets in it, as the text arrives.
//!
//! After each read, all complete lines are written; an incomplete one waits for its end.
//! The input may be any bytes, and those outside of secrets stay unchanged. Only keys may extend over several
//! lines. A line of any length needs the same memory, and secrets of any length are found anywhere
//! in it.
//!
//! The rules see the text as a reader sees it (`view`, `escape`), so that invisible bytes can't hide a secret:
//! control sequences of terminals, in UTF-8 or escaped as in JSON, by `cat -v` or by rsyslog; zero-width characters;
//! control characters. The rules see JSON's escapes decoded, and other blanks and full-width signs as
//! ASCII. All of it is written unchanged, except within a secret. Links and titles for terminals are
//! searched separately. If less than 16 KiB of 256 KiB of a line are visible, the invisible bytes are dropped.
//!
//! A backspace is ambiguous: a terminal prints one letter over another or deletes it, other programs ignore the
//! backspace. The rules search both readings (`reading`), and what either shows as a secret is replaced.
//!
//! What is replaced, each with a mark such as `[email]`:
//!
//! - `email`: addresses, also with `%40`, in alphabets whose letters have at most two bytes in UTF-8. Not
//!   without a dot after the `@`, not `git@…`, and not files, units and versions such as `icon@2x.png`,
//!   `user@1000.service` and `a@1.2.3-rc.x`.
//! - `ip`: IPv4 with exactly four numbers: 1.2.3.4.5 counts as a version, as do Chrome/120.0.0.0, v1.2.3.4
//!   and numbers after `version`, `ver`, `build` or `firmware`. IPv6 with a digit in it, in any form.
//!   Not 0.0.0.0 and ::, which tell nothing, and not times and MAC addresses. A version of four numbers that looks
//!   like an address is replaced too.
//! - `card`: 13 to 19 digits that begin with 22 to 69 and have a valid check digit, in one piece or in a card's groups.
//! - `token`: what follows `Authorization:`, `Bearer` and `Basic`; cookies in headers; JWTs; the keys of age, AWS,
//!   GitHub, GitLab, Google, Hugging Face, npm, OpenAI, Slack and Stripe, by their prefixes.
//! - `secret`: values with names such as `password`, `api_key`, `client_secret` and `access_token` (`secret::NAMES`),
//!   after = or :, unquoted, quoted, in JSON, in JSON within JSON and in queries; the user and password
//!   of a URL, up to 4,000 bytes. An unquoted value ends at white space and at any of `"'<>&,;)]}|`.
//!   Not folders (`PWD=/x`), `PASS:` of tests, signals (`sig=9`), variables (`${NAME}`) and users of ssh.
//! - `key`: the lines of a private key in the formats of PEM, SSH2, PGP and PuTTY, also in one line or in JSON; with
//!   the text that a log adds to each line, such as `web-1  | ` and a time; with up to 200 other lines between two
//!   of them; up to four keys at a time. Until the end of a key, any run of 40 bytes of base64 counts as part of it.
//!
//! What is not found: a value on the line after its name, in XML, in lists and objects other than headers, or after
//! a name and a space only (`--password x`); secrets in percent-encoded, compressed or encoded data; letters that
//! a terminal shows in another order, because the text moves the cursor by more than a single backspace.
//!
//! Wrong options are rejected with exit code 65 and one sentence on standard error. At the end, one line there
//! says how many secrets were replaced, if any.

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
mod reading;
mod redactor;
mod search;
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
