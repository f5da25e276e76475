//! All that is found out about one record by itself, on any thread.

use anyhow::Context;
use dataset::{ContentHash, Entry, Example, Likeness, Normal, Place, Record, Rejection};
use template::Template;

use crate::against::{Against, Contamination};
use crate::config::Config;
use crate::meter::Meter;
use crate::overlong::{self, Excess, Measured, Overlong};
use crate::phi::{self, Found};
use crate::tally::ExampleTokens;

/// What records are judged by.
pub(crate) struct Judge<'a> {
    pub(crate) config: &'a Config,
    pub(crate) meter: Meter<'a>,
    pub(crate) against: &'a Against,
    /// The most tokens of an example.
    pub(crate) limit: Option<usize>,
    /// What happens to a longer one; nothing where its length is an estimate.
    pub(crate) overlong: Option<Overlong>,
}

/// An entry of the input, judged.
pub(crate) enum Judged {
    /// It is no good record.
    Bad(Rejection),
    /// It holds a problem of a benchmark, and such records are left out.
    Contaminated(Place, Contamination),
    /// It will be kept, unless it repeats another one.
    Good(Box<Good>),
}

/// A record that may be kept.
pub(crate) struct Good {
    pub(crate) place: Place,
    pub(crate) contamination: Option<Contamination>,
    pub(crate) found: Found,
    pub(crate) likeness: Likeness,
    pub(crate) tokens: ExampleTokens,
    /// What it is too long by, or was before its reasoning was shortened.
    pub(crate) excess: Option<Excess>,
    /// Whether an answer that is word for word this record's comes apart into its halves.
    pub(crate) splits_again: bool,
    pub(crate) content: ContentHash,
    pub(crate) example: Vec<u8>,
}

impl Judge<'_> {
    pub(crate) fn judge(&self, entry: Entry) -> anyhow::Result<Judged> {
        let record = match entry {
            Entry::Record(record) => record,
            Entry::Rejection(rejection) => return Ok(Judged::Bad(rejection)),
        };
        let mut normal = Normal::of(&record);
        let contamination = self.against.find(&normal);
        if let Some(contamination) =
            contamination.as_ref().filter(|_| self.config.against.drop_contaminated)
        {
            return Ok(Judged::Contaminated(record.place, contamination.clone()));
        }
        // Redacted before it is compared, since records that differ only in an identifier say the same.
        let (clean, found) = phi::examine(&record, self.config.phi);
        if matches!(clean, std::borrow::Cow::Owned(_)) {
            normal = Normal::of(&clean);
        }
        self.good(&clean, &normal, contamination, found)
    }

    fn good(
        &self,
        record: &Record,
        normal: &Normal,
        contamination: Option<Contamination>,
        found: Found,
    ) -> anyhow::Result<Judged> {
        let Config { template, system_prompt, .. } = self.config;
        let make = |record: &Record| {
            Example::new(record, template, system_prompt).with_context(|| record.place.to_string())
        };
        let policy = (self.limit, self.overlong);
        let measured = overlong::measure(record, &self.meter, policy, make)?;
        let Measured { trimmed, example, tokens, excess } = measured;
        let record = trimmed.as_ref().unwrap_or(record);
        Ok(Judged::Good(Box::new(Good {
            place: record.place,
            contamination,
            found,
            likeness: Likeness::of(normal),
            tokens,
            excess,
            splits_again: splits_again(template, record, &example),
            content: record.content_hash(),
            example: example.to_line(),
        })))
    }
}

/// Whether the answer of `example` comes apart into the halves of `record`, which it is made of.
fn splits_again(template: &Template, record: &Record, example: &Example) -> bool {
    let reasoning = record.reasoning.as_bytes();
    let wide = |mark: &str| memchr::memmem::find(reasoning, mark.as_bytes()).is_some();
    // No heading is without one of its marks and no tag without its own, so that most records need no splitting.
    let marked = match template {
        Template::Headed => {
            memchr::memchr2(b'#', b'*', reasoning).is_some() || wide("＃") || wide("＊")
        }
        Template::Think => memchr::memchr(b'<', reasoning).is_some(),
        // Nothing marks the border, or nothing must, and nobody expects it to be found.
        _ => false,
    };
    let answer = match example.messages.last() {
        Some(message) if marked => template.split(&message.content),
        _ => return true,
    };
    answer.reasoning.as_deref() == Some(record.reasoning.trim())
        && answer.response == record.response.trim()
}
