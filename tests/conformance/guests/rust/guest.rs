//! What a Rust program does of files and streams, told by its arguments: see test_guests.py.

use std::fs::{self, File};
use std::io::{self, copy, stdin, stdout};
use std::process::exit;

/// EX_USAGE and EX_IOERR of sysexits.h.
const EXIT_USAGE: i32 = 64;
const EXIT_IO_ERROR: i32 = 74;

fn print_file(path: &str) -> io::Result<()> {
    copy(&mut File::open(path)?, &mut stdout())?;
    Ok(())
}

fn keep(path: &str) -> io::Result<()> {
    copy(&mut stdin(), &mut File::create(path)?)?;
    print_file(path)?;
    fs::remove_file(path)
}

fn run(args: &[&str]) -> io::Result<i32> {
    match args {
        ["echo"] => {
            copy(&mut stdin(), &mut stdout())?;
        }
        ["read", path] => print_file(path)?,
        ["scratch", path] => keep(path)?,
        ["fail", code] => {
            eprintln!("told to fail");
            return Ok(code.parse().unwrap_or(EXIT_USAGE));
        }
        _ => {
            eprintln!("usage: guest echo | read PATH | scratch PATH | fail CODE");
            return Ok(EXIT_USAGE);
        }
    }
    Ok(0)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let code = run(&args).unwrap_or_else(|error| {
        eprintln!("{error}");
        EXIT_IO_ERROR
    });
    exit(code);
}
