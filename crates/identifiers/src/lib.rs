//! Finds identifiers of patients in text, by kind and place, and removes them.
//!
//! A record that leaves this machine should not carry a patient's telephone number with it. [`scan`] finds e-mail
//! addresses, telephone numbers, street addresses and postcodes, dates tied to a person (born, admitted, seen), US
//! social security numbers, record numbers that follow a label (`MRN 00482913`), NHS numbers, NPIs, Medicare
//! beneficiary identifiers, IP addresses, URLs and payment-card numbers. Where a check digit or a rule of valid ranges
//! exists, a number that fails it is no finding. [`redact`] puts the kind in the place of each.
//!
//! **It does not find** names of persons (`Mrs Okafor` stands in invented vignettes as in real notes, so a title and a
//! capital say little), ages, employers, villages, rare diagnoses, a story that only one person has, identifiers
//! written out in words or with letters to hide them, street addresses outside the English-speaking world, or a date
//! that nothing near it ties to a person. It takes no part in any procedure of de-identification: **text without a
//! finding is not de-identified text**, neither in the sense of HIPAA nor in that of any other law. It is a seat belt,
//! and `tests/labelled.rs` measures how often it holds.
//!
//! One pass over the bytes looks for digits, `@`, `:` and `ww`; only there patterns are tried, each on a bounded
//! stretch of text, so the time is linear in the length whatever the text is.
//!
//! # Examples
//!
//! ```
//! use identifiers::{Kind, redact, scan};
//!
//! let note = "BP 130/85. Her daughter is on (617) 555-0143.";
//! let findings = scan(note);
//! assert_eq!(findings[0].kind, Kind::Phone);
//! assert_eq!(redact(note), "BP 130/85. Her daughter is on [PHONE].");
//! ```

mod kind;
mod finding;
mod scan;
mod place;
mod checks;
mod contact;
mod phone;
mod number;
mod record;
mod date;
mod address;

pub use finding::Finding;
pub use kind::Kind;
pub use scan::{redact, scan};
