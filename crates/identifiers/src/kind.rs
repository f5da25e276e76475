//! What kinds of identifiers are told apart.

use std::fmt;

/// The kind of an identifier; its `Display` is a short code in capitals.
///
/// # Examples
///
/// ```
/// use identifiers::{Kind, scan};
///
/// let note = "Seen on 3 March 2024, MRN 00482913, NHS number 943 476 5919, admitted from 10.0.0.12.";
/// let codes = scan(note).iter().map(|finding| finding.kind.code()).collect::<Vec<_>>();
/// assert_eq!(codes, ["DATE", "MRN", "NHS", "IP"]);
/// assert!(Kind::ALL.contains(&Kind::Card));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A telephone, fax or pager number.
    Phone,
    /// A street address, a post-office box, a town with its ZIP code, or a postcode.
    Address,
    /// A day that is tied to a person: born, admitted, seen, operated on, died.
    Date,
    /// A US social security number within the ranges that are given out.
    Ssn,
    /// A record, account, member or licence number that follows its label.
    RecordNumber,
    /// A British NHS number whose check digit is right.
    Nhs,
    /// A US national provider identifier whose check digit is right.
    Npi,
    /// A US Medicare beneficiary identifier.
    Mbi,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A web address.
    Url,
    /// A payment-card number whose prefix, length and check digit are right.
    Card,
}

impl Kind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 12] = [
        Self::Email,
        Self::Phone,
        Self::Address,
        Self::Date,
        Self::Ssn,
        Self::RecordNumber,
        Self::Nhs,
        Self::Npi,
        Self::Mbi,
        Self::Ip,
        Self::Url,
        Self::Card,
    ];

    /// The short code, as `Display` writes it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::Address => "ADDRESS",
            Self::Date => "DATE",
            Self::Ssn => "SSN",
            Self::RecordNumber => "MRN",
            Self::Nhs => "NHS",
            Self::Npi => "NPI",
            Self::Mbi => "MBI",
            Self::Ip => "IP",
            Self::Url => "URL",
            Self::Card => "CARD",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}
