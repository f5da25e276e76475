//! The server over real HTTP, with the tiny model behind it.

mod support;
mod access;
mod anything;
mod files;
mod uploads;
mod jobs;
mod pause;
mod preferences;
#[cfg(unix)]
mod launched;
mod chat;
mod completions;
mod page;
