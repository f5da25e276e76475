//! The server over real HTTP, with the tiny model behind it.

mod support;
mod access;
mod files;
mod uploads;
mod jobs;
mod pause;
mod chat;
