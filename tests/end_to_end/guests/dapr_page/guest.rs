//! Runs one example of docs/dapr.md, and writes what it has read: see test_dapr_page.py.

use std::fs::{self, File};
use std::io::{self, Read, Write};

fn run(example: &str) -> io::Result<String> {
    let mut text = String::new();
    match example {
        "Save-state" => {
            {Save state}
        }
        "Get-state" => {
            {Get state}
        }
        "Delete-state" => {
            {Delete state}
        }
        "Publish" => {
            {Publish}
        }
        "Invoke" => {
            {Invoke}
        }
        "Secret" => {
            {Secret}
        }
        "Configuration" => {
            {Configuration}
        }
        "Binding" => {
            {Binding}
        }
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    }
    Ok(text)
}

fn main() -> io::Result<()> {
    let example = std::env::args().nth(1).unwrap_or_default();
    print!("{}", run(&example)?);
    Ok(())
}
