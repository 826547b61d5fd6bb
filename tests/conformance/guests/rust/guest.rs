//! What a Rust program does of files and streams, told by its arguments: see test_guests.py.

use std::fs::{self, File, OpenOptions};
use std::io::{self, copy, stdin, stdout, ErrorKind};
use std::mem::forget;
use std::process::exit;

/// EX_USAGE and EX_IOERR of sysexits.h.
const EXIT_USAGE: i32 = 64;
const EXIT_IO_ERROR: i32 = 74;

fn print_file(path: &str) -> io::Result<()> {
    copy(&mut File::open(path)?, &mut stdout())?;
    Ok(())
}

fn write_file(path: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    copy(&mut stdin(), &mut file)?;
    // Dropping a file would not tell an error.
    file.sync_all()
}

/// Write a file and leave it open.
fn leave(path: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    copy(&mut stdin(), &mut file)?;
    forget(file);
    Ok(())
}

fn keep(path: &str) -> io::Result<()> {
    write_file(path)?;
    print_file(path)?;
    fs::remove_file(path)
}

fn tell_whether_it_exists(path: &str) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(_) => println!("yes"),
        Err(error) if error.kind() == ErrorKind::NotFound => println!("no"),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn exchange(path: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    copy(&mut stdin(), &mut file)?;
    copy(&mut file, &mut stdout())?;
    Ok(())
}

fn run(args: &[&str]) -> io::Result<i32> {
    match args {
        ["echo"] => {
            copy(&mut stdin(), &mut stdout())?;
        }
        ["read", path] => print_file(path)?,
        ["scratch", path] => keep(path)?,
        ["exists", path] => tell_whether_it_exists(path)?,
        ["write", path] => write_file(path)?,
        ["leave", path] => leave(path)?,
        ["remove", path] => fs::remove_file(path)?,
        ["exchange", path] => exchange(path)?,
        ["fail", code] => {
            eprintln!("told to fail");
            return Ok(code.parse().unwrap_or(EXIT_USAGE));
        }
        _ => {
            eprintln!("usage: guest echo | fail CODE |");
            eprintln!("    read | scratch | exists | write | leave | remove | exchange PATH");
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
