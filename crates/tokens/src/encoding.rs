//! The vocabularies, and which model uses which.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::model::{base_model, is_of_family};
use crate::{Counter, Error};

/// Something that counts the tokens of a text.
///
/// [`Encoding`] is one; a tool makes another from a model's own tokenizer.
///
/// # Examples
///
/// ```
/// use tokens::{Count, count_chat};
///
/// /// A model that reads text byte by byte.
/// struct Bytes;
///
/// impl Count for Bytes {
///     fn count(&self, text: &str) -> usize {
///         text.len()
///     }
/// }
///
/// assert_eq!(count_chat(&Bytes, [("assistant", "An infection.")]).assistant, 13);
/// ```
pub trait Count {
    /// The number of tokens of `text`, with special-token text counted as ordinary text.
    fn count(&self, text: &str) -> usize;
}

/// One of the vocabularies that OpenAI's chat models read text with.
///
/// # Examples
///
/// ```
/// use tokens::Encoding;
///
/// let encoding: Encoding = "o200k_base".parse()?;
/// assert_eq!(encoding, Encoding::for_model("gpt-4.1-mini")?);
/// assert_eq!(encoding.count("A stiff neck and fever."), 6);
/// assert_eq!(Encoding::ALL.map(Encoding::name), ["cl100k_base", "o200k_base", "o200k_harmony"]);
/// # Ok::<(), tokens::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// `cl100k_base`: gpt-3.5-turbo and gpt-4.
    Cl100k,
    /// `o200k_base`: gpt-4o, gpt-4.1, gpt-5, o1, o3 and o4.
    O200k,
    /// `o200k_harmony`: gpt-oss; ordinary text counts as in `o200k_base`.
    O200kHarmony,
}

/// Model families that read `cl100k_base`; a dated snapshot or a variant (`-mini`) belongs to its family.
///
/// This and the next list are after tiktoken 0.14.0, `tiktoken/model.py` (read 2026-11-22).
const CL100K_FAMILIES: [&str; 4] = ["gpt-3.5", "gpt-3.5-turbo", "gpt-35-turbo", "gpt-4"];
/// Model families that read `o200k_base`.
const O200K_FAMILIES: [&str; 8] =
    ["gpt-4o", "chatgpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "o1", "o3", "o4"];

impl Encoding {
    /// Every encoding, in the order of their age.
    pub const ALL: [Self; 3] = [Self::Cl100k, Self::O200k, Self::O200kHarmony];

    /// The encoding of `model`, which may be a fine-tuned model's id.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokens::Encoding;
    ///
    /// assert_eq!(Encoding::for_model("ft:gpt-4.1-mini:org::id")?, Encoding::O200k);
    /// assert!(Encoding::for_model("smollm2-135m-instruct").is_err());
    /// # Ok::<(), tokens::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`] when no family of the table matches: to guess would be to count wrongly.
    pub fn for_model(model: &str) -> Result<Self, Error> {
        let base = base_model(model);
        let belongs = |families: &[&str]| families.iter().any(|family| is_of_family(base, family));
        if belongs(&CL100K_FAMILIES) {
            Ok(Self::Cl100k)
        } else if belongs(&O200K_FAMILIES) || base.starts_with("gpt-5.") {
            Ok(Self::O200k)
        } else if belongs(&["gpt-oss"]) {
            Ok(Self::O200kHarmony)
        } else {
            Err(Error::UnknownModel { model: model.to_owned() })
        }
    }

    /// The name that tiktoken gives the encoding.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cl100k => "cl100k_base",
            Self::O200k => "o200k_base",
            Self::O200kHarmony => "o200k_harmony",
        }
    }

    /// The number of tokens of `text`; special-token text such as `<|endoftext|>` counts as ordinary text.
    ///
    /// Each thread that calls this keeps a [`Counter`] until it ends.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(tokens::Encoding::Cl100k.count("tiktoken is great!"), 6);
    /// ```
    pub fn count(self, text: &str) -> usize {
        self.with_counter(|counter| counter.count(text))
    }

    /// As [`Counter::count_with_parts`], by the counter of this thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokens::Encoding;
    ///
    /// let answer = "## Thinking\n\nFever, stiff neck.\n\n## Final Response\n\nMeningitis.";
    /// let response = answer.find("Meningitis").map(|start| start..answer.len()).expect("it is there");
    /// let (whole, [part]) = Encoding::O200k.count_with_parts(answer, [response]);
    /// assert_eq!(whole, Encoding::O200k.count(answer));
    /// assert!(0 < part && part < whole);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics where a part is out of order or does not begin and end between characters of `text`.
    pub fn count_with_parts<const N: usize>(
        self,
        text: &str,
        parts: [Range<usize>; N],
    ) -> (usize, [usize; N]) {
        self.with_counter(|counter| counter.count_with_parts(text, parts))
    }

    fn with_counter<T>(self, count: impl FnOnce(&Counter) -> T) -> T {
        thread_local! {
            static CL100K: Counter = Counter::new(Encoding::Cl100k);
            static O200K: Counter = Counter::new(Encoding::O200k);
        }
        match self {
            Self::Cl100k => CL100K.with(count),
            Self::O200k | Self::O200kHarmony => O200K.with(count),
        }
    }
}

impl Count for Encoding {
    fn count(&self, text: &str) -> usize {
        (*self).count(text)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.name() == name)
            .ok_or_else(|| Error::UnknownEncoding { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(model: &str) -> String {
        Encoding::for_model(model)
            .map_or_else(|error| error.to_string(), |encoding| encoding.to_string())
    }

    #[test]
    fn a_model_has_the_encoding_of_its_family() {
        for model in [
            "gpt-3.5-turbo",
            "gpt-3.5-turbo-0125",
            "gpt-35-turbo-16k",
            "gpt-4",
            "gpt-4-0613",
            "gpt-4-turbo",
        ] {
            assert_eq!(name(model), "cl100k_base", "{model}");
        }
        for model in [
            "gpt-4o",
            "gpt-4o-mini-2024-07-18",
            "chatgpt-4o-latest",
            "gpt-4.1",
            "gpt-4.1-nano-2025-04-14",
            "gpt-5",
            "gpt-5-mini",
            "gpt-5.1",
            "o1",
            "o1-preview",
            "o3-mini",
            "o4-mini-2025-04-16",
        ] {
            assert_eq!(name(model), "o200k_base", "{model}");
        }
        assert_eq!(name("gpt-oss-120b"), "o200k_harmony");
    }

    #[test]
    fn a_tuned_model_has_the_encoding_of_its_base() {
        assert_eq!(name("ft:gpt-4.1-2025-04-14:org:suffix:id"), "o200k_base");
        assert_eq!(name("ft:gpt-4o-mini-2024-07-18:org::id:ckpt-step-10"), "o200k_base");
        assert_eq!(name("ft:gpt-3.5-turbo-0125:org::id"), "cl100k_base");
        assert_eq!(name("ft:gpt-4"), "cl100k_base");
    }

    #[test]
    fn an_unknown_model_is_an_error_that_names_it() {
        for model in [
            "",
            "ft:",
            "ft:gpt-4.10:o::i",
            "gpt-6-luna",
            "o10",
            "gpt-4x",
            "smollm2-135m-instruct",
            "GPT-4",
        ] {
            assert_eq!(name(model), format!("no encoding is known for model `{model}`"));
        }
    }

    #[test]
    fn an_encoding_is_found_by_its_name() {
        for encoding in Encoding::ALL {
            assert_eq!(encoding.name().parse::<Encoding>().unwrap(), encoding);
        }
        assert_eq!(
            "p50k_base".parse::<Encoding>().unwrap_err().to_string(),
            "no encoding is named `p50k_base`"
        );
    }

    #[test]
    fn counts_are_those_of_tiktoken() {
        assert_eq!(Encoding::Cl100k.count("tiktoken is great!"), 6);
        assert_eq!(Encoding::O200k.count("tiktoken is great!"), 6);
        assert_eq!(Encoding::O200k.count(""), 0);
        assert_eq!(Encoding::Cl100k.count("お誕生日おめでとう"), 9);
        assert_eq!(Encoding::O200k.count("お誕生日おめでとう"), 8);
        assert_eq!(Encoding::Cl100k.count("antidisestablishmentarianism"), 6);
        assert_eq!(Encoding::O200k.count("antidisestablishmentarianism"), 6);
    }
}
